"""The gate that every request passes: host, twin, caller's address, CSRF, size and time; headers and one log line."""

import asyncio
import ipaddress
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.config import Settings
from app.domain.platform.readers import Reader
from app.errors import Forbidden, Problem, ServiceDown
from app.log import RequestLines
from app.web import limits, problems, session, sight
from app.web.homepage import front

BODY_CEILING = 1_000_000
UPLOAD_CEILING = 50_000_000
SECONDS_CEILING = 60
UNSAFE = frozenset(("POST", "PUT", "PATCH", "DELETE"))
OPENS_SESSIONS = ("/auth/", "/bootstrap")
QUIET = ("/heartbeat", "/health", "/q/", "/metrics")
OVERRIDE = re.compile(rb"(?:^|&)_method=(PUT|PATCH|DELETE)(?:&|$)")


class Front(NamedTuple):
    """Stands for the front page's route in figures and log lines."""

    path: str


FRONT = Front("/")


class WrongHost(Problem):
    """The request names a host that is not ours."""

    status, code, title = 421, "wrong_host", "This is not the right door"


class TooLarge(Problem):
    """The body is larger than this address takes."""

    status, code, title = 413, "too_large", "This is too large"


def security_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """The headers of every answer (chapter 10 rule 47)."""
    pictures = " ".join(
        filter(None, ("'self' data:", settings.s3_public_url, settings.screenshot_cdn_base_url))
    )
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
        f"img-src {pictures}; manifest-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
        "frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "geolocation=(self), camera=(), microphone=(), payment=(), usb=()",
    }
    if settings.environment == "prod":
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


class Gate:
    """ASGI middleware, written plainly because each request pays for it."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        upload_paths: Sequence[str] = (),
        foreign: Sequence[str] = (),
    ):
        self.app = app
        self.settings = settings
        self.headers = security_headers(settings)
        self.said = session.forgotten(settings, session.SAID)
        self.host = urlsplit(settings.public_url).netloc
        self.origin = f"{urlsplit(settings.public_url).scheme}://{self.host}"
        self.proxies = [
            ipaddress.ip_network(part.strip())
            for part in settings.trusted_proxies.split(",")
            if part.strip()
        ]
        self.upload_paths = frozenset(upload_paths)
        self.foreign = frozenset(foreign)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        scope["request_id"] = secrets.token_hex(8)
        scope["asked"] = scope["path"]
        scope["caller"] = self.caller(scope, headers)
        if scope["path"] == "/" and await self.answered_at_once(scope, headers, send, started):
            return
        untwin(scope)
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    *self.headers,
                    *limits.headers_of(scope),
                    # A notice is shown once.
                    *([self.said] if scope.get("state", {}).get("notice_shown") else []),
                    (b"x-request-id", scope["request_id"].encode()),
                ]
            await send(message)

        try:
            receive = await self.checked(scope, receive, headers)
            await self.within_time(scope, receive, send_with_headers)
        except Problem as problem:
            response = await problems.show(Request(scope), problem)
            await response(scope, receive, send_with_headers)
        finally:
            self.note(scope, status, time.perf_counter() - started)

    async def answered_at_once(
        self, scope: Scope, headers: dict[bytes, bytes], send: Send, started: float
    ) -> bool:
        """Answer the front page from memory where it stands ready; True when that was all."""
        if scope["method"] != "GET" or scope["query_string"]:
            return False
        if headers.get(b"host", b"").decode("latin-1") != self.host:
            return False
        try:
            answer = await front.ready(scope, headers, self.settings, self.app)
        except Problem:
            # The long way meets the same fault, and can say it.
            return False
        limited = None if answer is None else limits.at_the_front(scope)
        if answer is None or limited is None:
            return False
        named = (b"x-request-id", scope["request_id"].encode())
        own = [*answer.headers, *self.headers, *limited, named]
        await send({"type": "http.response.start", "status": answer.status, "headers": own})
        await send({"type": "http.response.body", "body": answer.body})
        scope["route"] = FRONT
        self.note(scope, answer.status, time.perf_counter() - started)
        return True

    async def checked(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> Receive:
        """Refuse foreign hosts, cross-site writes and bodies over the ceiling. Raises WrongHost, Forbidden, TooLarge."""
        if not self.is_our_host(headers.get(b"host", b"").decode("latin-1"), scope["path"]):
            raise WrongHost("This server does not answer for that host.")
        if scope["method"] not in UNSAFE:
            return receive
        self.check_origin(scope, headers)
        ceiling = UPLOAD_CEILING if scope["path"] in self.upload_paths else BODY_CEILING
        sent = headers.get(b"content-length", b"0")
        if not sent.isdigit() or int(sent) > ceiling:
            raise TooLarge(f"This is larger than the {ceiling // 1_000_000} MB we can take.")
        if headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
            return await overridden(scope, receive, ceiling)
        return counted(receive, ceiling)

    def is_our_host(self, host: str, path: str) -> bool:
        """Whether the Host header is ours; probes may come by address."""
        if host == self.host or path.startswith(QUIET):
            return True
        if not self.settings.is_local:
            return False
        return host.rsplit(":", 1)[0] in ("127.0.0.1", "localhost", "[::1]", "testserver")

    def check_origin(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Chapter 10 rule 48: an unsafe method with a cookie has to come from our own pages. Raises Forbidden.

        Forms of other sites come without our Lax cookies: where a session is opened, what says so is refused as well,
        lest somebody be signed in as another without knowing. A script says nothing of where it comes from.
        """
        if scope["path"] in self.foreign:
            return
        if b"cookie" not in headers and not (
            scope["path"].startswith(OPENS_SESSIONS)
            and (b"sec-fetch-site" in headers or b"origin" in headers)
        ):
            return
        if scope.get("twin") and headers.get(b"authorization", b"")[:7].lower() == b"bearer ":
            # No browser sends a token on its own, and beside it the cookie is not looked at (bearer.py).
            return
        site = headers.get(b"sec-fetch-site")
        if site is not None:
            allowed = site in (b"same-origin", b"none")
        else:
            origin = headers.get(b"origin", b"").decode("latin-1")
            here = headers.get(b"host", b"").decode("latin-1")
            allowed = origin in (
                self.origin,
                f"{scope['scheme']}://{here}" if self.settings.is_local else self.origin,
            )
        if not allowed:
            raise Forbidden(
                "This request came from another site, so we did not carry it out.",
                code="cross_site",
            )

    def caller(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        """The caller's address: the last one in X-Forwarded-For that is not a trusted proxy."""
        address: str = (scope.get("client") or ("",))[0]
        if not self.proxies or not self.is_proxy(address):
            return address
        for part in reversed(headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
            address = part.strip() or address
            if not self.is_proxy(address):
                break
        return address

    def is_proxy(self, address: str) -> bool:
        """Whether an address is one of TRUSTED_PROXIES."""
        try:
            return any(ipaddress.ip_address(address) in network for network in self.proxies)
        except ValueError:
            return False

    async def within_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request; its answer begins within a minute, but for event streams. Raises ServiceDown."""
        if scope["path"] == "/live":
            await self.app(scope, receive, send)
            return

        async def send_in_time(message: Message) -> None:
            # What has begun can only be sent on: a download takes as long as its reader does.
            if not clock.expired():
                clock.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(SECONDS_CEILING) as clock:
                await self.app(scope, receive, send_in_time)
        except TimeoutError:
            raise ServiceDown(
                "This took too long, so we stopped it. Please try again.", code="too_slow"
            ) from None

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log one request."""
        route = sight.template_of(scope)
        sight.observe(scope["method"], route, status, seconds)
        if scope["path"].startswith(QUIET):
            return
        reader = scope.get("state", {}).get("reader")
        RequestLines.add(
            request_id=scope["request_id"],
            method=scope["method"],
            endpoint=route,
            status=status,
            latency_ms=round(seconds * 1000, 2),
            user_id=reader.id if reader is not None and reader.is_member else None,
            **seen_by(reader),
        )


def seen_by(reader: Reader | None) -> dict[str, int]:
    """The admin who sees the site as this reader, for the log line."""
    found = reader.impersonator_id if reader is not None else None
    return {} if found is None else {"impersonator_id": found}


def untwin(scope: Scope) -> None:
    """Lead /api/x, /api/v1/x and /admin/api/x to x, and remember that JSON is wanted."""
    path = scope["path"]
    if path.startswith("/api/"):
        rest = path[4:]
        rest = rest[3:] if rest.startswith("/v1/") else rest
    elif path == "/admin/api" or path.startswith("/admin/api/"):
        rest = "/admin" + path[10:]
    else:
        return
    if rest != "/openapi.json":
        scope["path"], scope["twin"] = rest, True
        scope["raw_path"] = rest.encode()


async def overridden(scope: Scope, receive: Receive, ceiling: int) -> Receive:
    """Read a form's body, let its `_method` replace POST, and hand the same body on."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > ceiling:
            raise TooLarge("This is larger than we can take.")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    if scope["method"] == "POST" and (found := OVERRIDE.search(body)):
        scope["method"] = found[1].decode()
    handed = False

    async def replay() -> Message:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def counted(receive: Receive, ceiling: int) -> Receive:
    """The same body, refused once more than the ceiling has come."""
    seen = 0

    async def receive_counted() -> Any:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > ceiling:
            raise TooLarge("This is larger than we can take.")
        return message

    return receive_counted
