"""Privacy for others: the requests of all people, and those that an admin makes in a person's name."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform.privacy import staff
from app.errors import Invalid
from app.web import session
from app.web.forms import query, read
from app.web.render import invalid, render, saved

PAGE = "platform/privacy/requests.html#requests"
HOME = "/admin/privacy-requests"
STATES = ("waiting", "pending", "processing", "completed", "failed", "cancelled")


class WithReason(msgspec.Struct):
    """Why a request is called off."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]


async def show(request: Request) -> Response:
    """All requests, the latest first."""
    return await render(request, PAGE, **await view(request))


async def view(request: Request) -> dict[str, Any]:
    """What the page is made of."""
    asked = query(request, staff.Page) if request.method == "GET" else staff.Page()
    found = await staff.listed(session.services_of(request), asked)
    kept = f"status={asked.status}&" if asked.status else ""
    return {
        "requests": found,
        "_title": "Privacy requests",
        "_asked": asked,
        "_states": [(state, state) for state in STATES],
        "_next": f"{HOME}?{kept}cursor={found.next}" if found.next else None,
        "_first": f"{HOME}?{kept}" if asked.cursor else None,
    }


async def add(request: Request) -> Response:
    """Ask for a copy or deletion in a person's name. Raises SignInNeeded, Forbidden, TooMany, Conflict."""
    who = session.fresh(request)
    try:
        form = await read(request, staff.Asked)
        made = await staff.ask(session.services_of(request), who, form)
    except Invalid as problem:
        return await invalid(request, problem, PAGE, **await view(request))
    return await saved(request, HOME, status=202, said="request_made", wish=made)


async def cancel(request: Request) -> Response:
    """Call a request off. Raises SignInNeeded, NotFound, Conflict."""
    who = session.fresh(request)
    form = await read(request, WithReason)
    services = session.services_of(request)
    ended = await staff.cancel(services, who, request.path_params["id"], form.reason)
    return await saved(request, HOME, said="request_called_off", wish=ended)
