"""Undo, redo, reset and the history of a page."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import page_changes, pages
from app.domain.homepage.pages import PageView
from app.domain.platform.readers import Reader
from app.services import Services
from app.web import session
from app.web.homepage.page_answers import arranged, editor
from app.web.render import render


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


async def reset(request: Request) -> Response:
    """Set Home back to how it came; this can be undone."""
    return await stepped(request, page_changes.reset)


Step = Callable[[Services, Reader, str], Awaitable[PageView]]


async def stepped(request: Request, step: Step) -> Response:
    """Go one step, and show the page as it stands then."""
    who = await editor(request)
    view = await step(session.services_of(request), who, request.path_params["slug"])
    return await arranged(request, view)


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
