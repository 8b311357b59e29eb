"""Undo, redo, reset and the history of a page."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import page_changes, pages, template_notices
from app.domain.homepage.page_changes import Outdated
from app.domain.homepage.pages import PageView
from app.domain.platform.readers import Reader
from app.services import Services
from app.web import forms, session
from app.web.homepage.page_answers import arranged, editor, outdated
from app.web.render import render, saved


class Seen(msgspec.Struct):
    """The version of the page that the caller sees; on another the step is refused. Left out, it holds for any."""

    version: int | None = None


async def undo(request: Request) -> Response:
    """Take back the last change of a page."""
    if session.reader(request) is None:
        raise page_changes.nothing_left(undone=True)
    return await stepped(request, page_changes.undo)


async def redo(request: Request) -> Response:
    """Make again what was taken back last."""
    if session.reader(request) is None:
        raise page_changes.nothing_left(undone=False)
    return await stepped(request, page_changes.redo)


Step = Callable[[Services, Reader, str, int | None], Awaitable[PageView]]


async def stepped(request: Request, step: Step) -> Response:
    """Go one step, and show the page as it stands then."""
    seen = await forms.read(request, Seen)
    who = await editor(request)
    try:
        view = await step(
            session.services_of(request), who, request.path_params["slug"], seen.version
        )
    except Outdated as problem:
        return await outdated(request, problem)
    return await arranged(request, view, done="undone")


async def reset(request: Request) -> Response:
    """Set Home back to how it came; this can be undone."""
    who = await editor(request)
    services = session.services_of(request)
    return await arranged(
        request, await page_changes.reset(services, who, request.path_params["slug"])
    )


async def acknowledge(request: Request) -> Response:
    """Say that the notice about the site's changes was read."""
    who = await editor(request)
    slug = request.path_params["slug"]
    view = await template_notices.acknowledge(session.services_of(request), who, slug)
    return await saved(request, "/" if slug == "home" else f"/pages/{slug}", page=view)


async def history(request: Request) -> Response:
    """What was changed on a page and can be undone."""
    slug = request.path_params["slug"]
    services, who = session.services_of(request), session.reader(request)
    return await render(
        request,
        "homepage/pages/history.html#history",
        history=await page_changes.history(services, who, slug),
        _view=await pages.shown(services, who, slug),
        _title="Changes",
    )
