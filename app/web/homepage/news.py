"""News: the list, one story, marks, filters, and what is saved."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import news, news_filters, news_marks, stories
from app.domain.homepage.news_filters import NewFilter
from app.domain.homepage.news_marks import ReadMark
from app.domain.homepage.news_rows import NewsQuery
from app.errors import Invalid
from app.web import session
from app.web.forms import query, read
from app.web.render import invalid, now, render, saved, wants

LIST = "homepage/news/page.html#list"
FILTERS = "homepage/news/filters.html#filters"


async def show(request: Request) -> Response:
    """The reader's news, newest first."""
    asked = query(request, NewsQuery)
    services, who = session.services_of(request), session.reader(request)
    found = await news.latest(services, who, asked)
    tags = await stories.tags(services) if wants(request) == "page" else []
    return await render(
        request, LIST, list=found, _asked=asked, _tags=tags, _now=now(), _title="News"
    )


async def story(request: Request) -> Response:
    """One story with its summary, its source and the way out. Raises NotFound."""
    found = await stories.by_id(
        session.services_of(request), session.reader(request), request.path_params["id"]
    )
    return await render(request, "homepage/news/story.html#story", story=found, _title=found.title)


async def saved_list(request: Request) -> Response:
    """What the reader saved, the last saved first."""
    found = await stories.saved(
        session.services_of(request), session.reader(request), query(request, NewsQuery)
    )
    return await render(
        request, "homepage/news/saved.html#list", list=found, _title="Saved stories"
    )


async def read_story(request: Request) -> Response:
    """Mark a story read (PUT) or unread (DELETE)."""
    who = await session.saver(request)
    story_id, on = request.path_params["id"], request.method == "PUT"
    await news_marks.mark_story(session.services_of(request), who, story_id, on=on)
    found = await stories.by_id(session.services_of(request), who, story_id)
    return await saved(request, back(request), "homepage/news/row.html#row", story=found)


async def save_item(request: Request) -> Response:
    """Save an item (PUT), or take that back (DELETE)."""
    return await marked(request, "saved")


async def hide_item(request: Request) -> Response:
    """Hide an item (PUT), or take that back (DELETE)."""
    return await marked(request, "hidden")


async def marked(request: Request, name: str) -> Response:
    """Set or take back one mark, and show what became of the row."""
    who = await session.saver(request)
    services, item_id, on = (
        session.services_of(request),
        request.path_params["id"],
        request.method == "PUT",
    )
    mark = await news_marks.mark(services, who, item_id, name, on=on)
    if wants(request) == "json":
        return await saved(request, back(request), mark=mark)
    found = await stories.by_item(services, who, item_id)
    block = "homepage/news/row.html#hidden" if mark.hidden else "homepage/news/row.html#row"
    return await saved(request, back(request), block, story=found)


class Marked(msgspec.Struct):
    """The watermark that was written, and the one before it."""

    before: str
    previous: str | None


async def mark_all(request: Request) -> Response:
    """Everything that had arrived by then is read."""
    who = await session.saver(request)
    form = await read(request, ReadMark)
    previous = await news_marks.mark_all(session.services_of(request), who, form)
    marked = Marked(form.before.isoformat(), previous.isoformat() if previous else None)
    return await saved(request, back(request), marked=marked, said="all_read")


async def filters(request: Request) -> Response:
    """The words and tags I do not want to read."""
    found = await news_filters.mine(session.services_of(request), session.reader(request))
    return await render(request, FILTERS, list=found, _title="News filters")


async def add_filter(request: Request) -> Response:
    """Mute a word or a tag."""
    who = await session.saver(request)
    try:
        form = await read(request, NewFilter)
        found = await news_filters.add(session.services_of(request), who, form)
    except Invalid as problem:
        mine = await news_filters.mine(session.services_of(request), who)
        return await invalid(request, problem, FILTERS, list=mine, _title="News filters")
    return await saved(
        request, "/news/filters", FILTERS, list=found, said="saved", _title="News filters"
    )


async def remove_filter(request: Request) -> Response:
    """Take a filter away. Raises NotFound."""
    who = await session.saver(request)
    found = await news_filters.remove(session.services_of(request), who, request.path_params["id"])
    return await saved(request, "/news/filters", FILTERS, list=found, _title="News filters")


def back(request: Request) -> str:
    """Where a plain form came from, when that was one of our pages."""
    referrer = request.headers.get("referer", "")
    base = str(request.base_url)
    return (
        session.safe_next("/" + referrer.removeprefix(base))
        if referrer.startswith(base)
        else "/news"
    )
