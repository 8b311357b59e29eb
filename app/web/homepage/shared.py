"""The shared front page: one answer for all who come without cookies, made again in the background."""

import asyncio
import gzip
import time
from collections.abc import Hashable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from app.domain.homepage import pages, template_choice
from app.web import session
from app.web.homepage import joining, widgets
from app.web.kept import SharedAnswer
from app.web.pages import page_frame
from app.web.render import VARY, etag, wants

LOOK_AGAIN = 2.0
# After a quiet time nobody has looked; whoever comes first waits for the news rather than read yesterday's.
TOO_OLD = 20.0
CACHE_CONTROL = "public, max-age=0, s-maxage=60, stale-while-revalidate=300"


class SharedPages:
    """The shared answers of one process, and when each was last compared with the data."""

    def __init__(self) -> None:
        self.answers: dict[str, SharedAnswer] = {}
        self.looked: dict[str, float] = {}
        self.look_again = LOOK_AGAIN
        self.too_old = TOO_OLD
        self.tasks: set[asyncio.Task[None]] = set()

    def find(self, headers: dict[bytes, bytes]) -> SharedAnswer | None:
        """The answer for a request with these headers, where it is the same for all; else None."""
        if b"cookie" in headers or b"application/json" in headers.get(b"accept", b""):
            return None
        name = "fragment" if b"hx-request" in headers else "page"
        now = time.monotonic()
        if now - self.looked.get(name, now) > self.too_old:
            # One reader makes it again; those who come meanwhile get what stands.
            self.looked[name] = now
            return None
        return self.answers.get(name)

    def is_due(self, name: str = "page") -> bool:
        """Whether somebody should look again at the data; says yes to one asker only."""
        now = time.monotonic()
        if now - self.looked.get(name, 0.0) < self.look_again:
            return False
        self.looked[name] = now
        return True

    def renew(self, app: ASGIApp, scope: Scope) -> None:
        """Make the answer again behind the reader's back: whoever asks meanwhile gets the last good one."""
        again = {**scope, "state": dict(scope["state"])}
        task: asyncio.Task[None] = asyncio.create_task(app(again, no_body, dropped))  # type: ignore[arg-type]
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def no_body() -> Message:
    """The body of a request that has none."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def dropped(_message: Message) -> None:
    """Where an answer goes that nobody waits for."""


async def page(request: Request) -> Response:
    """The front page for a visitor without cookies; with one that matches nobody it is personal."""
    fragment = wants(request) == "fragment"
    services = session.services_of(request)
    async with services.held() as held:
        view = await pages.shown(held, None, request.path_params.get("slug", "home"))
        found = await widgets.versions_of(held, None)
        frame = page_frame(request, {"_title": None})
        body = await joining.joined(request, held, view, found, frame, fragment)
        made_of: list[object] = [template_choice.stamp(held, None)]
        made_of += [
            widgets.key_of(None, widget, found, frame, view.slug) for widget in view.widgets
        ]
    tag = etag(made_of, frame.site_name, frame.path, frame.notices, fragment)
    if request.cookies:
        return Response(
            body,
            media_type="text/html",
            headers={"ETag": tag, "Vary": VARY, "Cache-Control": "private, no-cache"},
        )
    name = "fragment" if fragment else "page"
    answer = answered(body, tag, tuple(made_of))
    if frame.path == "/":
        request.state.shared.answers[name] = answer
        request.state.shared.looked[name] = time.monotonic()
    return Response(
        body,
        media_type="text/html",
        headers={"ETag": tag, "Vary": VARY, "Cache-Control": CACHE_CONTROL},
    )


def answered(body: bytes, tag: str, made_of: Hashable) -> SharedAnswer:
    """The answer with all its headers ready, plain and packed."""
    packed = gzip.compress(body, 6, mtime=0)
    always = [
        (b"etag", tag.encode()),
        (b"vary", f"{VARY}, Accept-Encoding".encode()),
        (b"cache-control", CACHE_CONTROL.encode()),
    ]
    kind = (b"content-type", b"text/html; charset=utf-8")
    return SharedAnswer(
        body,
        packed,
        tag.encode(),
        made_of,
        [*always, kind, (b"content-length", str(len(body)).encode())],
        [
            *always,
            kind,
            (b"content-encoding", b"gzip"),
            (b"content-length", str(len(packed)).encode()),
        ],
        always,
    )
