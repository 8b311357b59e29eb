"""Welcome: a member who set things up here before they signed in keeps them, or starts fresh (chapter 10 rule 18)."""

from typing import Annotated
from urllib.parse import urlencode

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

# The chapters whose nouns go over say so when they are read.
from app.domain.homepage import merging as _merging  # noqa: F401
from app.domain.platform import merges
from app.domain.platform.merges import Answer
from app.errors import Conflict
from app.web import session
from app.web.forms import read
from app.web.render import finish, render, saved, wants

PAGE = "platform/sign_in/welcome.html#welcome"


class Wish(msgspec.Struct):
    """Whether to keep what was set up, and where to go on."""

    keep: bool
    next: Annotated[str, Meta(max_length=500)] | None = None


class Welcome(msgspec.Struct):
    """Whether the question is open, what there is to keep, or what became of it; and where to go on."""

    asks: bool
    there: dict[str, int]
    answer: Answer | None
    next: str


class Visitor(msgspec.Struct):
    """A visitor with a row: what they save is kept for so many days after their last visit."""

    kind: str = "visitor"
    days: int = 30


async def show(request: Request) -> Response:
    """Two buttons of one size; after a yes what was kept and what was not. With nothing to say it goes on."""
    target = session.safe_next(request.query_params.get("next"))
    view = await asked(request, target)
    if not view.asks and wants(request) == "page" and not (view.answer and view.answer.keep):
        return finish(request, RedirectResponse(target, 303))
    return await shown(request, view)


async def asked(request: Request, target: str) -> Welcome:
    """The question as it stands for this member in this browser."""
    services, who = session.services_of(request), session.member(request)
    visitor_id = await merges.question(services, who, token_of(request))
    if visitor_id is not None:
        return Welcome(True, await merges.there(services, visitor_id), None, target)
    return Welcome(False, {}, await merges.latest(services, who), target)


def token_of(request: Request) -> str:
    """The visitor's cookie of this browser; "" without one."""
    return request.cookies.get(session.VISITOR, "")[:64]


async def shown(request: Request, view: Welcome) -> Response:
    """The page, which nobody keeps."""
    response = await render(request, PAGE, welcome=view, _title="Welcome")
    response.headers["Cache-Control"] = "no-store"
    return response


async def answer(request: Request) -> Response:
    """Keep it, or start fresh. Raises Conflict for another answer than the first, NotFound without a question."""
    services, who = session.services_of(request), session.member(request)
    form = await read(request, Wish)
    target = session.safe_next(form.next)
    found = await merges.answer(services, who, token_of(request), keep=form.keep)
    view = Welcome(False, {}, found, target)
    location = f"/welcome?{urlencode({'next': target})}" if found.keep else target
    said = "" if found.keep else "started_fresh"
    response = await saved(request, location, said=said, welcome=view)
    if found.keep:
        session.clear_cookie(response, services.settings, session.VISITOR)
    return response


async def become_visitor(request: Request) -> Response:
    """Give this browser a visitor's row and cookie before anything is saved. Raises Conflict for members."""
    who = session.reader(request)
    if who is not None and who.kind != "visitor":
        raise Conflict("You are signed in.", code="signed_in")
    await session.saver(request)
    status = 201 if who is None else 200
    return await saved(request, "/", status=status, said="saved_visitor", visitor=Visitor())
