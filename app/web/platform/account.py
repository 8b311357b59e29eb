"""My account: what I say of myself, my address, my ways in, and where I am signed in."""

from typing import Annotated, Any
from zoneinfo import available_timezones

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import first_steps
from app.domain.platform import accounts, email_changes, identities, sessions
from app.errors import Invalid
from app.web import session
from app.web.forms import read
from app.web.platform.sign_in import Asked
from app.web.render import invalid, render, saved

PAGE = "platform/settings/account.html"
WAYS = "platform/settings/ways_in.html#ways"
SESSIONS = "platform/settings/sessions.html#sessions"


class SessionList(msgspec.Struct):
    """The open sessions of one member."""

    items: list[sessions.Session]
    total: int
    next: str | None = None


class NewAddress(msgspec.Struct):
    """The address that a member wants to use from now on."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]


async def show(request: Request) -> Response:
    """What I say of myself."""
    who = session.member(request)
    account = await accounts.mine(session.services_of(request), who)
    return await render(
        request, f"{PAGE}#account", _title="Your account", account=account, **choices()
    )


def choices() -> dict[str, Any]:
    """What the form offers to choose from."""
    zones = [("", "As this browser")] + [(name, name) for name in sorted(available_timezones())]
    return {"_zones": zones, "_locales": list(accounts.LOCALES.items())}


async def change(request: Request) -> Response:
    """Change name, time zone or language."""
    who, services = session.member(request), session.services_of(request)
    try:
        account = await accounts.change(services, who, await read(request, accounts.AccountChange))
    except Invalid as problem:
        account = await accounts.mine(services, who)
        return await invalid(
            request, problem, f"{PAGE}#account", _title="Your account", account=account, **choices()
        )
    await first_steps.note(services, who, "profile")
    return await saved(
        request, "/settings/account", f"{PAGE}#account", said="saved", account=account, **choices()
    )


async def ask_address(request: Request) -> Response:
    """Send a letter to the new address. Answers 202. Raises SignInNeeded without a fresh sign-in."""
    who, services = session.fresh(request), session.services_of(request)
    try:
        form = await read(request, NewAddress)
        address = await email_changes.ask(services, who, form.email)
    except Invalid as problem:
        account = await accounts.mine(services, who)
        return await invalid(
            request, problem, f"{PAGE}#account", _title="Your account", account=account, **choices()
        )
    asked = Asked(address, email_changes.MINUTES * 60)
    return await saved(request, "/settings/account", status=202, said="address_asked", asked=asked)


async def show_ways_in(request: Request) -> Response:
    """Every way in, and those that could be added."""
    who = session.member(request)
    ways = await identities.ways_in(session.services_of(request), who)
    return await render(request, WAYS, _title="Ways in", ways=ways, _fresh=who.fresh)


async def remove_way_in(request: Request) -> Response:
    """Take one way in away. Raises SignInNeeded without a fresh sign-in, NotFound, and Conflict for the last one."""
    who, services = session.fresh(request), session.services_of(request)
    await identities.unlink(services, who, request.path_params["provider"])
    ways = await identities.ways_in(services, who)
    return await saved(
        request, "/settings/sign-in", WAYS, said="way_in_removed", ways=ways, _fresh=True
    )


async def show_sessions(request: Request) -> Response:
    """Every browser I am signed in with."""
    return await render(
        request, SESSIONS, _title="Where you are signed in", list=await mine(request)
    )


async def mine(request: Request) -> SessionList:
    """The member's sessions as a list. Raises SignInNeeded."""
    found = await sessions.live(session.services_of(request), session.member(request))
    return SessionList(found, len(found))


async def end_session(request: Request) -> Response:
    """Sign one browser out. Raises NotFound."""
    who = session.member(request)
    await sessions.end(
        session.services_of(request), who, request.path_params["id"], "ended_by_member"
    )
    return await left_over(request, "session_ended")


async def end_others(request: Request) -> Response:
    """Sign every other browser out."""
    await sessions.end_others(session.services_of(request), session.member(request))
    return await left_over(request, "signed_out_elsewhere")


async def left_over(request: Request, said: str) -> Response:
    """The sessions that are left."""
    return await saved(request, "/settings/sessions", SESSIONS, list=await mine(request), said=said)
