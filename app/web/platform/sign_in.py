"""Signing in and out: ask for a letter, use its code or its link."""

import secrets
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import admins, readers, sessions, sign_ins
from app.domain.platform.readers import Reader
from app.errors import Invalid, SignInNeeded
from app.web import session
from app.web.forms import read
from app.web.render import as_json, invalid, render, saved, wants

log = structlog.get_logger("security")
PAGE = "platform/sign_in/page.html"


class SignIn(msgspec.Struct):
    """An address alone asks for a letter; with its code it signs in."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    code: Annotated[str, Meta(max_length=12)] | None = None
    next: Annotated[str, Meta(max_length=500)] | None = None


class Link(msgspec.Struct):
    """The token of a link; the first admin's link asks for an address too."""

    token: Annotated[str, Meta(max_length=100)]
    email: Annotated[str, Meta(max_length=254)] | None = None


class Signed(msgspec.Struct):
    """Who is signed in now, and where to go on."""

    id: int
    name: str
    next: str


class Asked(msgspec.Struct):
    """A letter is under way."""

    email: str
    expires_in_seconds: int = 900


async def show(request: Request) -> Response:
    """One field: the address."""
    target = session.safe_next(request.query_params.get("next"))
    return await render(request, f"{PAGE}#form", _title="Sign in", next=target)


async def sign_in(request: Request) -> Response:
    """Send a letter, or sign in with its code. Answers 202, or the session; 401 for a wrong code."""
    target, given = "/", ""
    try:
        form = await read(request, SignIn)
        target, given = session.safe_next(form.next), form.email
        if form.code is not None:
            return await with_code(request, form)
        return await with_letter(request, form, target)
    except Invalid as problem:
        return await invalid(request, problem, f"{PAGE}#form", _title="Sign in", next=target)
    except SignInNeeded as problem:
        log.warning("login failed", method="code", code=problem.code)
        if wants(request) == "json":
            raise
        asked = Asked(given)
        return await render(
            request,
            "platform/sign_in/code.html#code",
            status=401,
            _title="Look in your mail",
            asked=asked,
            next=target,
            _errors={"code": problem.sentence},
        )


async def with_letter(request: Request, form: SignIn, target: str) -> Response:
    """Send the letter; the browser keeps a cookie without which its code is worth nothing."""
    services = session.services_of(request)
    flow = request.cookies.get(session.FLOW) or secrets.token_urlsafe(24)
    await sign_ins.ask(services, form.email, flow, target)
    asked = Asked(form.email.strip())
    if wants(request) == "json":
        response = as_json(request, {"asked": asked}, 202)
    else:
        name = "platform/sign_in/code.html#code"
        response = await render(
            request, name, status=202, _title="Look in your mail", asked=asked, next=target
        )
    session.set_cookie(response, services.settings, session.FLOW, flow, 900)
    response.headers["Cache-Control"] = "no-store"
    return response


async def with_code(request: Request, form: SignIn) -> Response:
    """Sign in by the code of the letter."""
    flow = request.cookies.get(session.FLOW, "")
    user_id, target = await sign_ins.by_code(
        session.services_of(request), form.email, form.code or "", flow
    )
    return await signed(request, user_id, target, "code")


async def signed(request: Request, user_id: int, target: str, method: str) -> Response:
    """Open a session and answer with its cookie."""
    services = session.services_of(request)
    settings = services.settings
    agent = request.headers.get("user-agent", "")[:200]
    ip = {"address": request.scope.get("caller", ""), "agent": agent}
    token = await sessions.open_for(services, user_id, method, session.key_print(settings), ip)
    who = await readers.by_session(
        services, request.state.session_rows, token, session.key_print(settings)
    )
    assert who is not None
    log.info("signed in", method=method, user_id=user_id)
    request.state.reader = who
    response = await saved(request, target, me=Signed(who.id, who.name, target))
    session.set_session(response, settings, token, admin=who.is_admin)
    session.clear_cookie(response, settings, session.FLOW)
    response.headers["Cache-Control"] = "no-store"
    return response


async def show_link(request: Request) -> Response:
    """One button: opening a link changes nothing, since scanners of mail open links too."""
    token = request.query_params.get("token", "")
    purpose = await sign_ins.purpose_of(session.services_of(request), token)
    title = "Become the first admin" if purpose == "first_admin" else "Sign in"
    response = await render(
        request, "platform/sign_in/link.html#link", _title=title, token=token, purpose=purpose
    )
    response.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    return response


async def use_link(request: Request) -> Response:
    """Use the link of a letter, or the printed link of the first admin."""
    services = session.services_of(request)
    token = ""
    try:
        form = await read(request, Link)
        token = form.token
        if await sign_ins.purpose_of(services, token) == "first_admin":
            user_id, target = await admins.by_link(services, token, form.email or ""), "/"
        else:
            user_id, target = await sign_ins.by_link(services, token)
    except Invalid as problem:
        return await invalid(
            request,
            problem,
            "platform/sign_in/link.html#link",
            _title="Sign in",
            token=token,
            purpose="first_admin",
        )
    return await signed(request, user_id, target, "link")


async def sign_out(request: Request) -> Response:
    """End this session."""
    services = session.services_of(request)
    who: Reader | None = session.reader(request)
    if who is not None and who.session_id is not None:
        await sessions.end(services, who, who.session_id)
        request.state.reader = None
    response = await saved(request, "/", said="signed_out")
    session.clear_cookie(response, services.settings, session.SESSION)
    return response
