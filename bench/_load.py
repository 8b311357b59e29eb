"""A small load generator: keep-alive connections that send one prepared request after the other."""

import asyncio
import time
from typing import NamedTuple


class Target(NamedTuple):
    """One request as bytes, and where it goes."""

    port: int
    request: bytes


def get(port: int, path: str, *headers: str) -> Target:
    """A GET of one path with some header lines."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers, "", ""]
    return Target(port, "\r\n".join(lines).encode())


async def once(target: Target) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    writer.write(target.request)
    status, headers, body = await answer(reader)
    writer.close()
    return status, headers, body


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer with a Content-Length, or a 304."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
    status = int(head[0].split(" ")[1])
    body = await reader.readexactly(int(headers.get("content-length", 0))) if status != 304 else b""
    return status, headers, body


class Asker(asyncio.Protocol):
    """One connection: sends, counts the bytes of the answer, sends again."""

    def __init__(self, target: Target, size: int, latencies: list[float]) -> None:
        self.request, self.size, self.latencies = target.request, size, latencies
        self.left = 0
        self.begin = 0.0
        self.going = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.left = self.size
        self.begin = time.perf_counter()
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left <= 0:
            self.latencies.append(time.perf_counter() - self.begin)
            if self.going:
                self.ask()


async def rush(target: Target, seconds: float, connections: int = 8) -> tuple[float, list[float]]:
    """Requests a second and the latencies (seconds) of a bounded rush at one target."""
    size = await wire_size(target)
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    askers = []
    for _ in range(connections):
        _, asker = await loop.create_connection(
            lambda: Asker(target, size, latencies), "127.0.0.1", target.port
        )
        askers.append(asker)
    begin = time.perf_counter()
    await asyncio.sleep(seconds)
    count, took = len(latencies), time.perf_counter() - begin
    for asker in askers:
        asker.going = False
        asker.transport.close()
    return count / took, latencies


async def wire_size(target: Target) -> int:
    """Bytes of one answer on the wire; equal for all answers of one target."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    writer.write(target.request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = [
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    ]
    writer.close()
    return len(head) + (length[0] if length and b" 304 " not in head.split(b"\r\n")[0] else 0)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
