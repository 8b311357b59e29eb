"""Adding a feed by its address: ask for a look, watch it, choose what it found."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import feed_checks
from app.errors import Invalid
from app.web import session
from app.web.forms import read
from app.web.homepage.feeds import my_feeds
from app.web.render import now, render, saved

CHECK = "homepage/feeds/check.html#check"


class AddressForm(msgspec.Struct):
    """An address to look at; with `private` what is found stays mine alone."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    private: bool = False


class ChoiceForm(msgspec.Struct):
    """Which of the feeds that were found, and where it goes."""

    choice: Annotated[int, Meta(ge=0, le=9)]
    folder: Annotated[str, Meta(max_length=80)] | None = None
    private: bool = False


async def add(request: Request) -> Response:
    """Begin to look at an address; the answer says where to watch."""
    services, who = session.services_of(request), session.member(request)
    given: dict[str, object] = {}
    try:
        form = await read(request, AddressForm)
        given = {"url": form.url}
        check = await feed_checks.add(services, who, form.url, private=form.private)
    except Invalid as problem:
        problem.given = problem.given or given
        return await my_feeds(request, problem)
    place = f"/feeds/checks/{check.token}"
    answer = await saved(request, place, CHECK, status=202, check=check, _now=now())
    answer.headers["Location"] = place
    return answer


async def show(request: Request) -> Response:
    """How far the look at an address has come, and what it found. Raises NotFound."""
    services, who = session.services_of(request), session.member(request)
    check = await feed_checks.by_token(services, who, request.path_params["token"])
    return await render(request, CHECK, check=check, _now=now(), _title="Add a feed")


async def choose(request: Request) -> Response:
    """Read one of the feeds that were found."""
    services, who = session.services_of(request), session.member(request)
    form = await read(request, ChoiceForm)
    feed = await feed_checks.choose(
        services,
        who,
        request.path_params["token"],
        form.choice,
        folder=form.folder,
        private=form.private,
    )
    return await saved(request, f"/feeds/{feed.id}", feed=feed, said="feed_added")
