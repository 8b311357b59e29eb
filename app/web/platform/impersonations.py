"""Seeing the site as someone: begin, list, stop."""

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import impersonations
from app.domain.platform.users import LARGEST_ID
from app.errors import Invalid
from app.web import forms, session
from app.web.platform.roles import fresh
from app.web.render import as_json, invalid, render, saved, wants

LIST = "platform/impersonations/page.html#stretches"


class Cursor(msgspec.Struct):
    """Where a list goes on."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    cursor: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)] | None = None


async def show(request: Request) -> Response:
    """Who saw the site as whom, the latest first."""
    asked = forms.query(request, Cursor)
    return await render(request, LIST, **await view(request, asked))


async def view(request: Request, asked: Cursor) -> dict[str, Any]:
    """The view of the list."""
    found = await impersonations.latest(
        session.services_of(request), asked.cursor or LARGEST_ID, asked.limit
    )
    return {
        "stretches": found,
        "_title": "Seen as someone",
        "_may_write_as": session.may(session.reader(request), "impersonate_writing"),
        "_next": f"/admin/impersonations?cursor={found.next}" if found.next else None,
    }


async def start(request: Request) -> Response:
    """See the site as a member from now on. Raises SignInNeeded, Forbidden, NotFound, Conflict."""
    who, services = fresh(request), session.services_of(request)
    try:
        wish = await forms.read(request, impersonations.NewImpersonation)
    except Invalid as problem:
        return await invalid(request, problem, LIST, **await view(request, Cursor()))
    agent = request.headers.get("user-agent", "")[:200]
    ip = {"address": request.scope.get("caller", ""), "agent": agent}
    stretch = await impersonations.start(services, who, wish, ip)
    if wants(request) == "json":
        return as_json(request, {"impersonation": stretch}, 201)
    return await saved(request, "/")


async def stop(request: Request) -> Response:
    """See the site as oneself again. Raises NotFound."""
    stretch = await impersonations.stop(session.services_of(request), session.member(request))
    # The rest of this answer is for the admin: nothing of the member's stands on it.
    request.state.reader = None
    where = f"/admin/users/{stretch.target_user_id}"
    return await saved(request, where, said="seen_as_over", impersonation=stretch)
