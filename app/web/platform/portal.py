"""The front page of the admin portal."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import portal
from app.web import admin_navigation, session
from app.web.render import render


async def show(request: Request) -> Response:
    """What the reader may look after, each panel with a figure where one is cheap."""
    groups = admin_navigation.open_to(session.admin(request))
    mine = [(group, panel.label, panel.href) for group, found in groups.items() for panel in found]
    found = await portal.panels(session.services_of(request), mine)
    return await render(request, "platform/admin/page.html#panels", panels=found, _title="Admin")
