"""A desk where what others would have waits for a decision: suggested feeds, words that models want as tags."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services
from app.web import session
from app.web.forms import read
from app.web.render import invalid, render, saved


class Desk(NamedTuple):
    """One such list: its address and page, what waits, what decides on one, and what the page needs beside the list."""

    address: str
    page: str
    form: type[Any]
    waiting: Callable[[Services], Awaitable[Any]]
    decide: Callable[[Services, Reader, int, Any], Awaitable[Any]]
    beside: Callable[[Request], Awaitable[dict[str, Any]]]


async def show(request: Request, desk: Desk) -> Response:
    """What waits."""
    waiting = await desk.waiting(session.services_of(request))
    return await render(request, desk.page, list=waiting, **await desk.beside(request))


async def decide(request: Request, desk: Desk) -> Response:
    """Decide on one, and show what waits still. Raises NotFound, Conflict."""
    services, who = session.services_of(request), session.admin(request)
    try:
        wish = await read(request, desk.form)
        left = await desk.decide(services, who, request.path_params["id"], wish)
    except Invalid as problem:
        waiting, beside = await desk.waiting(services), await desk.beside(request)
        return await invalid(request, problem, desk.page, list=waiting, **beside)
    beside = await desk.beside(request)
    return await saved(request, desk.address, desk.page, said="saved", list=left, **beside)
