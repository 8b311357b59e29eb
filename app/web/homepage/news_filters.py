"""Filters of news: the list of them, muting a word of a headline with one tap, and the way back from that."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import headline_words, news_filters, story_views
from app.domain.homepage.news_filters import FilterList, NewFilter
from app.errors import Invalid, NotFound
from app.web import session
from app.web.forms import query, read
from app.web.homepage.news import back
from app.web.render import invalid, render, saved

PAGE = "homepage/news/filters.html#filters"
HERE = "/news/filters"


class Headline(msgspec.Struct):
    """The story whose headline a word is to be muted of."""

    story: int | None = None
    item: int | None = None


class Picked(NewFilter, kw_only=True):
    """A rule to add; `back` is the page where a word of a headline was picked."""

    back: str | None = None


async def show(request: Request) -> Response:
    """The words and tags I do not want to read; with `story`, the words of its headline to choose from."""
    found = await news_filters.mine(session.services_of(request), session.reader(request))
    return await render(request, PAGE, list=found, **await frame(request))


async def frame(request: Request) -> dict[str, Any]:
    """What the page is given beside the list: a headline that is asked for, its words, and where its reader was."""
    view: dict[str, Any] = {"_title": "News filters", "_headline": "", "_picks": [], "_back": ""}
    asked = query(request, Headline)
    if request.method != "GET" or asked.story is None:
        return view
    services, who = session.services_of(request), session.reader(request)
    try:
        story = await story_views.of_story(services, who, asked.story, asked.item)
    except NotFound:
        return view
    words = headline_words.telling(story.title)
    return {**view, "_headline": story.title, "_picks": words, "_back": back(request, HERE)}


async def add(request: Request) -> Response:
    """Mute a word or a tag."""
    services, who = session.services_of(request), await session.saver(request)
    try:
        form = await read(request, Picked)
        found = await news_filters.add(services, who, form)
    except Invalid as problem:
        mine = await news_filters.mine(services, who)
        return await invalid(request, problem, PAGE, list=mine, **await frame(request))
    place = session.safe_next(form.back) if form.back else HERE
    said = f"word_muted.{number(found, form)}" if form.back else "saved"
    return await saved(request, place, PAGE, list=found, said=said, **await frame(request))


def number(found: FilterList, form: Picked) -> int:
    """The number of the rule that was added."""
    wanted = (form.kind, " ".join(form.value.split()).lower())
    return next(one.id for one in found.items if (one.kind, one.value.lower()) == wanted)


async def remove(request: Request) -> Response:
    """Take a filter away. Raises NotFound."""
    who = await session.saver(request)
    found = await news_filters.remove(session.services_of(request), who, request.path_params["id"])
    return await saved(
        request, back(request, HERE), PAGE, list=found, said="undone", **await frame(request)
    )
