"""My account: where I am signed in."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import sessions
from app.web import session
from app.web.render import render, saved


class SessionList(msgspec.Struct):
    """The open sessions of one member."""

    items: list[sessions.Session]
    total: int
    next: str | None = None


async def show_sessions(request: Request) -> Response:
    """Every browser I am signed in with."""
    return await render(
        request,
        "platform/sign_in/sessions.html#sessions",
        _title="Where you are signed in",
        list=await mine(request),
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
    return await saved(
        request,
        "/settings/sessions",
        "platform/sign_in/sessions.html#sessions",
        list=await mine(request),
        said="session_ended",
    )
