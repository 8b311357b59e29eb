"""My activity: what admins did to my account."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import activity
from app.domain.platform.users import LARGEST_ID
from app.web import forms, session
from app.web.platform.impersonations import Cursor
from app.web.render import render


async def show(request: Request) -> Response:
    """What admins did to my account, the latest first."""
    asked = forms.query(request, Cursor)
    found = await activity.latest(
        session.services_of(request),
        session.member(request),
        asked.cursor or LARGEST_ID,
        asked.limit,
    )
    return await render(
        request,
        "platform/activity/page.html#acts",
        acts=found,
        _title="Activity",
        _next=f"/settings/activity?cursor={found.next}" if found.next else None,
    )
