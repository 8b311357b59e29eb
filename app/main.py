"""The web application: routes, the gate, and what lives as long as the process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.config import Settings
from app.db import SCHEMA_VERSION, schema_version
from app.domain.platform import memories, rate_violations, sessions
from app.domain.platform.flags import exposures
from app.domain.platform.jobs import sweeper
from app.domain.platform.session_rows import SessionRows
from app.errors import Problem, ServiceDown
from app.services import Services
from app.start import open_services
from app.web import minutes, problems, sight
from app.web.cross_origin import SharedTwins
from app.web.gate import Gate
from app.web.homepage.shared import SharedPages
from app.web.kept import Kept
from app.web.live import Hub
from app.web.routes import ENDPOINTS
from app.web.routing import Map
from app.web.session import key_print

UPLOADS = ("/feeds/imports", "/links/imports")


class OldSchema(Exception):
    """The database is older or newer than the program; the sentence names the command."""


def application(settings: Settings, services: Services | None = None) -> "Lived":
    """The ASGI application. With `services` (tests) it opens none of its own and starts no loops."""
    routes = Map(ENDPOINTS)
    inner: ASGIApp = ExceptionMiddleware(
        routes, handlers={Problem: problems.show, HTTPException: problems.show_http}
    )
    inner = ServerErrorMiddleware(inner, handler=problems.show_broken)
    # Event streams are left alone; static files and the shared page come packed already.
    inner = GZipMiddleware(inner, minimum_size=1024, compresslevel=4)
    if origins := settings.cors_origins.replace(",", " ").split():
        inner = SharedTwins(inner, origins)
    gate = Gate(inner, settings, UPLOADS, [e.path for e in ENDPOINTS if e.foreign])
    return Lived(gate, settings, services)


class Lived:
    """Opens the services when the server starts, gives them to each request, and closes them at the end."""

    def __init__(self, app: ASGIApp, settings: Settings, services: Services | None) -> None:
        self.app = app
        self.settings = settings
        self.is_refused = False  # by a database of another schema
        self.state: dict[str, Any] = {"kept": Kept(), "shared": SharedPages()}
        if services is not None:
            self.state |= {
                "services": services,
                "hub": Hub(settings),
                "session_rows": SessionRows(services),
            }
            self.listen_for_erasures()

    def listen_for_erasures(self) -> None:
        """Let the hub tell when somebody was hidden or erased: no kept piece may hold their words."""
        self.state["hub"].forget = lambda _user_id: self.state["kept"].forget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan, or one request with the services in its state."""
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
            return
        scope["state"] = dict(self.state)
        await self.app(scope, receive, send)

    def drain(self) -> None:
        """Tell probes that this process goes, and every event stream goodbye."""
        sight.draining = True
        if (hub := self.state.get("hub")) is not None:
            hub.close()

    async def lifespan(self, receive: Receive, send: Send) -> None:
        """The ASGI lifespan protocol over `running`."""
        await receive()
        try:
            async with running(self.settings) as state:
                self.state.update(state)
                self.listen_for_erasures()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                self.drain()
        except OldSchema as error:
            self.is_refused = True
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[dict[str, Any]]:
    """Services, the hub of event streams, and the loops of a web process. Raises OldSchema."""
    async with open_services(settings) as services, contextlib.AsyncExitStack() as stack:
        await refuse_other_schema(services)
        with contextlib.suppress(ServiceDown):
            # Chapter 10 rule 12: the first start with a new secret ends what older ones opened.
            await sessions.end_other_keys(services, key_print(settings))
        await memories.read(services)
        hub = Hub(settings, remember=partial(memories.call, services))
        await stack.enter_async_context(hub)
        loops = [
            asyncio.create_task(sweeper.sweep_forever(services)),
            asyncio.create_task(memories.keep_reading(services, hub.renew)),
            asyncio.create_task(exposures.keep_writing(services)),
            asyncio.create_task(minutes.keep_writing(services)),
            asyncio.create_task(rate_violations.tend_forever(services)),
            asyncio.create_task(sight.measure_lag()),
        ]
        try:
            yield {"services": services, "hub": hub, "session_rows": SessionRows(services)}
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)


async def refuse_other_schema(services: Services) -> None:
    """Stop the start on a database of another version; one that is away may come back."""
    try:
        version = await schema_version(services.db)
    except ServiceDown:
        return
    if version != SCHEMA_VERSION:
        raise OldSchema(
            f"The database has schema {version}, this program needs {SCHEMA_VERSION}. Run: python -m app migrate"
        )
