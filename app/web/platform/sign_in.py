"""Signing in and out: ask for a letter, use its code or its link."""

import secrets
from typing import Annotated
from urllib.parse import urlencode

import msgspec
import structlog
from msgspec import Meta
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import (
    admins,
    email_changes,
    identities,
    merges,
    new_browsers,
    oauth,
    readers,
    sessions,
    sign_ins,
)
from app.domain.platform.readers import Reader
from app.errors import Invalid, Problem, SignInNeeded
from app.web import session
from app.web.forms import read
from app.web.render import as_json, invalid, render, saved, wants

log = structlog.get_logger("security")
SIGN_INS = Counter(
    "sign_ins_total",
    "Sign-ins by method and result (ok, or the problem's code).",
    ("method", "result"),
)
PAGE = "platform/sign_in/page.html"
YEAR = 365 * 86_400


class SignIn(msgspec.Struct):
    """An address alone asks for a letter; with its code it signs in."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    code: Annotated[str, Meta(max_length=12)] | None = None
    next: Annotated[str, Meta(max_length=500)] | None = None
    # The outside account that waits for this letter (see app/web/platform/oauth.py).
    link: Annotated[str, Meta(max_length=100)] | None = None


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


class Doors(msgspec.Struct):
    """The ways in that this site has; letters rest while the mail server does not answer."""

    next: str
    providers: list[oauth.Button]
    letters_rest: bool
    # The outside account that is linked once its address is proven here, and the word for it.
    waiting: identities.Waiting | None = None
    link: str | None = None


async def show(request: Request) -> Response:
    """One field, the address; below it the providers that exist."""
    doors = await doors_of(
        request, request.query_params.get("next"), request.query_params.get("link")
    )
    return await with_no_store(request, doors)


async def with_no_store(
    request: Request, doors: Doors, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    """The sign-in page, which nobody keeps."""
    response = await render(
        request, f"{PAGE}#form", status=status, _title="Sign in", doors=doors, _errors=errors or {}
    )
    response.headers["Cache-Control"] = "no-store"
    return response


async def doors_of(request: Request, target: str | None, link: str | None = None) -> Doors:
    """What the sign-in page offers; what waits to be linked is told to its own browser only."""
    services = session.services_of(request)
    flow = request.cookies.get(session.FLOW, "")
    waiting = await identities.waiting(services, link, flow) if link else None
    smtp = services.outside.get("smtp")
    return Doors(
        session.safe_next(target),
        oauth.buttons(services),
        smtp is not None and smtp.breaker.state == "open",
        waiting,
        link if waiting else None,
    )


async def sign_in(request: Request) -> Response:
    """Send a letter, or sign in with its code. Answers 202, or the session; 401 for a wrong code."""
    form = SignIn("")
    try:
        form = await read(request, SignIn)
        if form.code is not None:
            return await with_code(request, form)
        return await with_letter(request, form)
    except Invalid as problem:
        doors = await doors_of(request, form.next, form.link)
        return await invalid(request, problem, f"{PAGE}#form", _title="Sign in", doors=doors)
    except SignInNeeded as problem:
        failed("code", problem)
        if wants(request) == "json":
            raise
        asked = Asked(form.email)
        return await render(
            request,
            "platform/sign_in/code.html#code",
            status=401,
            _title="Look in your mail",
            asked=asked,
            next=session.safe_next(form.next),
            _link=form.link,
            _errors={"code": problem.sentence},
        )


def failed(method: str, problem: Problem) -> None:
    """Count and log a sign-in that did not come about."""
    log.warning("login failed", method=method, code=problem.code)
    SIGN_INS.labels(method, problem.code).inc()


async def with_letter(request: Request, form: SignIn) -> Response:
    """Send the letter; the browser keeps a cookie without which its code is worth nothing."""
    services = session.services_of(request)
    target, flow = session.safe_next(form.next), flow_of(request)
    await sign_ins.ask(services, form.email, flow, target, form.link)
    asked = Asked(form.email.strip())
    if wants(request) == "json":
        response = as_json(request, {"asked": asked}, 202)
    else:
        name = "platform/sign_in/code.html#code"
        response = await render(
            request,
            name,
            status=202,
            _title="Look in your mail",
            asked=asked,
            next=target,
            _link=form.link,
        )
    return in_flow(request, response, flow)


def flow_of(request: Request) -> str:
    """What ties a letter or a trip to this browser; made now if it has none."""
    flow: str = request.cookies.get(session.FLOW) or secrets.token_urlsafe(24)
    return flow


def in_flow(request: Request, response: Response, flow: str) -> Response:
    """Let the browser keep its tie for 15 minutes; nobody keeps the answer."""
    session.set_cookie(response, session.services_of(request).settings, session.FLOW, flow, 900)
    response.headers["Cache-Control"] = "no-store"
    return response


async def with_code(request: Request, form: SignIn) -> Response:
    """Sign in by the code of the letter."""
    flow = request.cookies.get(session.FLOW, "")
    user_id, target = await sign_ins.by_code(
        session.services_of(request), form.email, form.code or "", flow
    )
    return await signed(request, user_id, session.safe_next(target), "code")


async def signed(request: Request, user_id: int, target: str, method: str) -> Response:
    """Open a session and answer with its cookie."""
    services = session.services_of(request)
    settings = services.settings
    agent = request.headers.get("user-agent", "")[:200]
    ip = {"address": request.scope.get("caller", ""), "agent": agent}
    browser = request.cookies.get(session.BROWSER) or secrets.token_urlsafe(24)
    token = await new_browsers.sign_in(
        services, user_id, method, session.key_print(settings), ip, browser
    )
    who = await readers.by_session(
        services, request.state.session_rows, token, session.key_print(settings)
    )
    assert who is not None
    log.info("signed in", method=method, user_id=user_id)
    SIGN_INS.labels(method, "ok").inc()
    request.state.reader = who
    target = await by_way_of_welcome(request, user_id, target)
    response = await saved(request, target, me=Signed(who.id, who.name, target))
    session.set_session(response, settings, token, admin=who.is_admin)
    session.set_cookie(response, settings, session.BROWSER, browser, YEAR)
    session.clear_cookie(response, settings, session.FLOW)
    response.headers["Cache-Control"] = "no-store"
    return response


async def by_way_of_welcome(request: Request, user_id: int, target: str) -> str:
    """Where to go on: where something was set up in this browser before, /welcome asks what becomes of it."""
    token = request.cookies.get(session.VISITOR, "")[:64]
    if token and await merges.ask(session.services_of(request), token, user_id):
        return f"/welcome?{urlencode({'next': target})}"
    return target


TITLES = {"first_admin": "Become the first admin", "change_address": "Your new address"}


async def show_link(request: Request) -> Response:
    """One button: opening a link changes nothing, since scanners of mail open links too."""
    token = request.query_params.get("token", "")
    purpose = await sign_ins.purpose_of(session.services_of(request), token)
    title = TITLES.get(purpose or "", "Sign in")
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
        purpose = await sign_ins.purpose_of(services, token)
        if purpose == "change_address":
            await email_changes.confirm(services, token)
            return await saved(request, "/settings/account", said="address_changed")
        if purpose == "first_admin":
            user_id, target = await admins.by_link(services, token, form.email or ""), "/"
        else:
            flow = request.cookies.get(session.FLOW, "")
            user_id, target = await sign_ins.by_link(services, token, flow)
    except SignInNeeded as problem:
        failed("link", problem)
        raise
    except Invalid as problem:
        return await invalid(
            request,
            problem,
            "platform/sign_in/link.html#link",
            _title="Sign in",
            token=token,
            purpose="first_admin",
        )
    return await signed(request, user_id, session.safe_next(target), "link")


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
