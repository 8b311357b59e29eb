"""What a worker shows on METRICS_PORT: metrics, alive, ready; nothing else, and nothing of the product."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = structlog.get_logger("jobs")

PORTS_TRIED = 20
REQUEST_SECONDS = 5.0

Ready = Callable[[], Awaitable[bool]]


async def answer(path: str, is_ready: Ready) -> tuple[str, str, bytes]:
    """Return status line, content type and body for a path."""
    if path == "/metrics":
        return "200 OK", CONTENT_TYPE_LATEST, generate_latest()
    if path == "/q/health/live":
        return "200 OK", "application/json", b'{"status":"UP"}'
    if path == "/q/health/ready":
        if await is_ready():
            return "200 OK", "application/json", b'{"status":"UP"}'
        return "503 Service Unavailable", "application/json", b'{"status":"DOWN"}'
    return "404 Not Found", "text/plain", b"Not here."


async def converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_ready: Ready
) -> None:
    """Read one request, answer it, close."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            words = head.split(b"\r\n", 1)[0].split(b" ")
            path = words[1].split(b"?")[0].decode("latin-1") if len(words) == 3 else ""
            status, kind, body = await answer(path, is_ready)
            lines = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close"
            writer.write(lines.encode() + b"\r\n\r\n" + body)
            await writer.drain()
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        log.debug("health request broken off")
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def shown(host: str, port: int, is_ready: Ready) -> AsyncIterator[int]:
    """Serve while the block lasts, on the port or the next free one; give the port, 0 for none."""
    server = await listening(host, port, is_ready) if port else None
    try:
        yield server.sockets[0].getsockname()[1] if server else 0
    finally:
        if server:
            server.close()


async def listening(host: str, port: int, is_ready: Ready) -> asyncio.Server | None:
    """A server on the first port from `port` that is free."""
    for candidate in range(port, port + PORTS_TRIED):
        try:
            server = await asyncio.start_server(
                lambda reader, writer: converse(reader, writer, is_ready), host, candidate
            )
        except OSError:
            continue
        log.info("metrics", host=host, port=candidate, wanted=port)
        return server
    log.error("no port for metrics", first=port, last=port + PORTS_TRIED - 1)
    return None
