"""Faults on demand, and the record of who asked what: a layer around each service of the world."""

import asyncio
import json
import math
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

KINDS = ("slow", "hang", "500", "503", "429", "garbage", "half", "shape")
SECONDS = {"slow": 2.0, "hang": 60.0, "429": 30.0, "503": 0.0}


@dataclass
class Asked:
    """One request as it came in; `at` is a Unix time."""

    service: str
    method: str
    host: str
    path: str
    query: str
    headers: dict[str, str]
    at: float = field(default_factory=time.time)


@dataclass
class Fault:
    """One fault that waits for its turns; with `times` None it stays until the world is cleared."""

    kind: str
    times: int | None
    seconds: float


class Faults:
    """What shall go wrong next, by service or by host name."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Fault]] = {}
        self.closing = asyncio.Event()

    def add(
        self, service: str, kind: str, times: int | None = 1, seconds: float | None = None
    ) -> None:
        """Let the next `times` requests of a service or a host fail. Raises ValueError for an unknown kind."""
        if kind not in KINDS:
            raise ValueError(f"No fault is called {kind!r}; there are {', '.join(KINDS)}.")
        pause = SECONDS.get(kind, 0.0) if seconds is None else seconds
        self.waiting.setdefault(service, []).append(Fault(kind, times, pause))

    def take(self, *names: str) -> Fault | None:
        """Return the fault that is due for any of these names, and count it."""
        for name in names:
            for fault in self.waiting.get(name, []):
                if fault.times is None:
                    return fault
                if fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def clear(self) -> None:
        """Forget all faults."""
        self.waiting.clear()

    async def pause(self, seconds: float) -> None:
        """Wait, but never longer than the world lasts."""
        try:
            await asyncio.wait_for(self.closing.wait(), seconds)
        except TimeoutError:
            return


class Watched:
    """An ASGI layer that records each request of a service and lets faults happen to it."""

    def __init__(self, service: str, app: Any, faults: Faults, record: list[Asked]) -> None:
        self.service, self.app, self.faults, self.record = service, app, faults, record

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, well or as the due fault wants it."""
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").partition(":")[0]
        query = scope["query_string"].decode("latin-1")
        self.record.append(
            Asked(self.service, scope["method"], host, scope["path"], query, headers)
        )
        fault = self.faults.take(host, self.service)
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await self.fail(fault, scope, receive, send)

    async def fail(self, fault: Fault, scope: Any, receive: Any, send: Any) -> None:
        """Play one fault."""
        if fault.kind in ("slow", "hang"):
            await self.faults.pause(fault.seconds)
            if fault.kind == "slow":
                await self.app(scope, receive, send)
        elif fault.kind == "half":
            await half(self.app, scope, receive, send)
        elif fault.kind == "garbage":
            await say(
                send,
                200,
                Random(len(self.record)).randbytes(4_096),
                await kind_of(self.app, scope, receive),
            )
        elif fault.kind == "shape":
            await say(send, 200, json.dumps({"shape": ["of", {"something": "else"}]}).encode())
        else:
            await say(
                send, int(fault.kind), b'{"detail": "as asked for"}', retry_after=fault.seconds
            )


async def say(
    send: Any, status: int, body: bytes, kind: str = "application/json", retry_after: float = 0
) -> None:
    """Send one whole answer."""
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if retry_after:
        headers.append((b"retry-after", str(math.ceil(retry_after)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def answered(app: Any, scope: Any, receive: Any) -> tuple[list[Any], bytes]:
    """Return the headers and the body that the service would have sent."""
    headers: list[Any] = []
    body = bytearray()

    async def keep(message: Any) -> None:
        headers.extend(message.get("headers", ()))
        body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return headers, bytes(body)


async def kind_of(app: Any, scope: Any, receive: Any) -> str:
    """Return the content type that the service would have said."""
    headers, _ = await answered(app, scope, receive)
    return next(
        (value.decode() for name, value in headers if name == b"content-type"), "application/json"
    )


async def half(app: Any, scope: Any, receive: Any, send: Any) -> None:
    """Promise the whole answer and send half; the server then closes, as the answer was never ended."""
    headers, body = await answered(app, scope, receive)
    kept = [(name, value) for name, value in headers if name != b"content-length"]
    kept.append((b"content-length", str(max(len(body), 2)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": kept})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
