"""Cookies: who is asking, the visitor's first save, and the values that are replaced while in use."""

import dataclasses
import functools
import hashlib
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from app.config import Settings
from app.domain.platform import consents, impersonations, readers
from app.domain.platform.readers import Reader
from app.errors import Forbidden, NotFound, SignInNeeded
from app.services import Services

SESSION, VISITOR, FLOW, SAID = "vu_session", "vu_anon_id", "vu_flow", "vu_said"
# What a visitor allows (chapter 10 rule 19), for a year.
CONSENT = "vu_consent"
# Which browser it is, for a year: a sign-in from another one is told to the member.
BROWSER = "vu_browser"
DAYS_30 = 30 * 86_400
Needs = str | tuple[str, ...]
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def services_of(request: Request) -> Services:
    """The services of this request, with its id for the jobs it enqueues, and its origin for the audit log."""
    services: Services = request.state.services
    if not services.trace and "request_id" in request.scope:
        services = dataclasses.replace(services, trace=trace_of(request), origin=origin_of(request))
        request.state.services = services
    return services


def trace_of(request: Request) -> dict[str, str]:
    """The request's id, and the trace that a caller named in the W3C's header."""
    trace = {"request_id": request.scope["request_id"]}
    if found := TRACEPARENT.fullmatch(request.headers.get("traceparent", "")):
        trace["trace_id"] = found[1]
    return trace


def origin_of(request: Request) -> dict[str, str]:
    """The caller's address and browser."""
    agent = request.headers.get("user-agent", "")[:200]
    return {"address": request.scope.get("caller", ""), "agent": agent}


def reader(request: Request) -> Reader | None:
    """Who is asking: a member, a visitor with something saved, or None."""
    return getattr(request.state, "reader", None)


def member(request: Request) -> Reader:
    """The signed-in member. Raises SignInNeeded, and Forbidden for service accounts, which have no such pages."""
    who = reader(request)
    if who is not None and who.kind == "service":
        raise Forbidden("A service account has no pages of its own.")
    if who is None or not who.is_member:
        raise SignInNeeded("Please sign in to do this. We will bring you back here.")
    return who


def fresh(request: Request) -> Reader:
    """The member whose sign-in is at most 10 minutes old. Raises SignInNeeded, with code step_up_needed when it is older."""
    who = member(request)
    if not who.fresh:
        raise SignInNeeded(
            "For this we want to be sure that it is you. We send you a letter with a code.",
            code="step_up_needed",
        )
    return who


def admin(request: Request) -> Reader:
    """The admin, in a browser or by a token. Others are told that there is nothing here. Raises NotFound, SignInNeeded."""
    who = reader(request)
    if who is None or who.kind == "visitor":
        raise SignInNeeded("Please sign in to see this.")
    if not who.is_admin:
        raise NotFound("There is nothing at this address.")
    return who


def require(request: Request, needs: Needs) -> None:
    """Let in who has the right that an address asks for. Raises SignInNeeded, Forbidden, and NotFound for non-admins."""
    if needs == "member":
        member(request)
    elif not may(admin(request), needs):
        raise Forbidden("Your role does not allow this.")


def may(who: Reader | None, needs: Needs) -> bool:
    """Whether a reader has a permission; one of several is enough."""
    wanted = (needs,) if isinstance(needs, str) else needs
    return who is not None and any(name in who.permissions for name in wanted)


# What a banned member may still do: come in and out, and see, export or delete what is their own.
OPEN_TO_BANNED = ("/auth/", "/settings/", "/gdpr/", "/privacy-choices")


def refuse_banned(request: Request) -> None:
    """A banned member may read, and change nothing but their own account. Raises Forbidden."""
    who = reader(request)
    if who is None or who.banned_until is None or request.method in ("GET", "HEAD"):
        return
    if who.banned_until > datetime.now(UTC) and not open_to_banned(request):
        until = who.banned_until.strftime("%d %B %Y, %H:%M UTC")
        raise Forbidden(f"You cannot change anything here until {until}.", code="banned")


def open_to_banned(request: Request) -> bool:
    """Whether a banned member may still make this request."""
    return request.method in ("GET", "HEAD") or request.url.path.startswith(OPEN_TO_BANNED)


async def saver(request: Request) -> Reader:
    """Who saves something: the reader, or a visitor's row made now. The cookie is set with the answer."""
    who = reader(request)
    if who is None:
        token = secrets.token_urlsafe(32)
        who = await readers.add_visitor(services_of(request), token)
        request.state.reader = who
        request.state.new_visitor = token
    return who


@functools.cache
def signer_with(secret: str) -> URLSafeSerializer:
    """What signs with that secret; made once."""
    return URLSafeSerializer(secret, salt="vu_session")


def signer(settings: Settings) -> URLSafeSerializer:
    """What signs the session's cookie; a new JWT_SESSION_SECRET makes all older ones worthless."""
    return signer_with(settings.jwt_session_secret)


def key_print(settings: Settings) -> str:
    """Eight hex digits that tell which secret a session was made with."""
    return print_of(settings.jwt_session_secret)


@functools.cache
def print_of(secret: str) -> str:
    """The first eight hex digits of a secret's SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


async def recognise(request: Request) -> None:
    """Find out who is asking and keep it in request.state.reader. A wrong cookie is no reader."""
    services, state = services_of(request), request.state
    value = request.cookies.get(SESSION)
    # The front page's quick way may have asked already.
    if value is None or getattr(state, "recognised", None) != value:
        state.reader = await known(services, state.session_rows, value) if value else None
    if state.reader is None and (token := request.cookies.get(VISITOR)) and len(token) <= 64:
        state.reader = await readers.by_visitor(services, token)
    cookie = request.cookies.get(CONSENT)
    state.reader = consents.heard(services, state.reader, cookie, refused=refuses(request))


def refuses(request: Request) -> bool:
    """Whether the browser says no for its person: Global Privacy Control (https://w3c.github.io/gpc/)."""
    return request.headers.get("sec-gpc") == "1"


def asks_again(request: Request) -> bool:
    """Whether the policy changed since whoever asks said what they allow."""
    who = reader(request)
    answered = who.answered_policy if who else consents.told(request.cookies.get(CONSENT))[0]
    return consents.asks_again(services_of(request), answered)


async def known(services: Services, rows: readers.Rows, value: str) -> Reader | None:
    """The member of a session's cookie, or None when it is not ours or has ended."""
    token = signed_token(services.settings.jwt_session_secret, value)
    if token is None:
        return None
    who = await readers.by_session(services, rows, token, key_print(services.settings))
    if who is not None and who.impersonation_id is not None:
        return await impersonations.seen_as(services, who)
    return who


@functools.lru_cache(maxsize=4096)
def signed_token(secret: str, value: str) -> str | None:
    """The token of a cookie that we signed, or None; its row decides, so the signature needs checking once only."""
    try:
        token = signer_with(secret).loads(value)
    except BadSignature:
        return None
    return token if isinstance(token, str) else None


async def answer_cookies(request: Request, response: Response) -> None:
    """Set what this answer must set: a new visitor's cookie, a replaced session value, the renewed visitor."""
    state = request.state
    services = services_of(request)
    who: Reader | None = getattr(state, "reader", None)
    if token := getattr(state, "new_visitor", None):
        set_cookie(response, services.settings, VISITOR, token, DAYS_30)
    elif who is not None and who.kind == "visitor" and who.rotate:
        await readers.renew_visitor(services, who)
        set_cookie(response, services.settings, VISITOR, request.cookies[VISITOR], DAYS_30)
    if who is not None and who.rotate and who.session_id is not None:
        token = secrets.token_urlsafe(32)
        if await readers.rotate(services, who.session_id, token):
            is_admins = who.is_admin or who.impersonation is not None
            set_session(response, services.settings, token, admin=is_admins)


def set_session(response: Response, settings: Settings, token: str, *, admin: bool = False) -> None:
    """Put the session's value, signed, into its cookie."""
    life = 86_400 if admin else DAYS_30
    set_cookie(response, settings, SESSION, str(signer(settings).dumps(token)), life)


def set_cookie(
    response: Response, settings: Settings, name: str, value: str, seconds: int | None
) -> None:
    """Set one of our cookies: HttpOnly, Lax, Secure but for http on loopback."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )


def clear_cookie(response: Response, settings: Settings, name: str) -> None:
    """Take one of our cookies away."""
    response.delete_cookie(
        name, path="/", httponly=True, samesite="lax", secure=settings.secure_cookies
    )


def forgotten(settings: Settings, name: str) -> tuple[bytes, bytes]:
    """The header that takes one of our cookies away."""
    response = Response()
    clear_cookie(response, settings, name)
    return b"set-cookie", response.headers["set-cookie"].encode()


def safe_next(value: Any) -> str:
    """The address to go on to: a path on this host, or the front page."""
    text = str(value or "/")
    if (
        not text.startswith("/")
        or text.startswith(("//", "/\\"))
        or any(ord(sign) < 33 for sign in text)
    ):
        return "/"
    return text
