"""Letters in, for admins: what came, what became of it, and a second try for what was held."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import inbound_lists
from app.web import forms, session
from app.web.platform.emails import WithReason, shown
from app.web.render import render, saved

LIST = "platform/emails/inbound_list.html#rows"
LETTER = "platform/emails/inbound_letter.html#letter"
STATES = ("new", "handled", "ignored", "held", "unparsable")


async def show(request: Request) -> Response:
    """Letters by filter, newest first, and how the polling stands."""
    asked = forms.query(request, inbound_lists.Filter)
    found = await inbound_lists.latest(session.services_of(request), asked)
    return await shown(request, LIST, "Letters in", STATES, asked, found)


async def show_one(request: Request) -> Response:
    """One letter; opening it is written down. Raises NotFound, ServiceDown."""
    return await render(request, LETTER, **await one(request))


async def one(request: Request) -> dict[str, Any]:
    """The view of one letter."""
    who = session.admin(request)
    services = session.services_of(request)
    letter = await inbound_lists.one(services, who, request.path_params["id"])
    may_act = session.may(who, "manage_users")
    return {"letter": letter, "_title": f"Letter {letter.id}", "_may_act": may_act}


async def hand_over_again(request: Request) -> Response:
    """Give a held letter to its handler once more. Raises NotFound, Conflict."""
    who = session.admin(request)
    form = await forms.read(request, WithReason)
    inbound_id = request.path_params["id"]
    await inbound_lists.hand_over_again(session.services_of(request), who, inbound_id, form.reason)
    view = await one(request)
    return await saved(
        request, f"/admin/inbound-emails/{inbound_id}", LETTER, said="letter_retried", **view
    )
