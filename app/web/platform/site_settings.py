"""Settings that are changed while the site runs."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import site_settings
from app.domain.platform.site_settings import SettingList, SettingsChange
from app.errors import Invalid
from app.web import forms, session
from app.web.render import invalid, render, saved

PAGE = "platform/admin/settings.html#settings"


async def show(request: Request) -> Response:
    """Every setting as it stands."""
    return await render(request, PAGE, **view(await listed(request)))


async def listed(request: Request) -> SettingList:
    """All settings."""
    return await site_settings.listed(session.services_of(request))


def view(found: SettingList) -> dict[str, Any]:
    """What the page shows: each setting by its key."""
    return {
        "settings": found,
        "_by_key": {one.key: one for one in found.items},
        "_title": "Settings",
    }


async def change(request: Request) -> Response:
    """Change settings with a reason. Raises Invalid."""
    who = session.admin(request)
    try:
        wish = await forms.read(request, SettingsChange)
        found = await site_settings.change(session.services_of(request), who, wish)
    except Invalid as problem:
        return await invalid(request, problem, PAGE, **view(await listed(request)))
    return await saved(request, "/admin/settings", PAGE, said="saved", **view(found))
