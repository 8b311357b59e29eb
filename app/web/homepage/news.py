"""News: the list, one story, marks, and what is saved."""

from datetime import UTC, datetime, timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.domain.homepage import news, news_marks, read_marks, stories, story_views
from app.domain.homepage.news_rows import NewsQuery
from app.domain.homepage.read_marks import ReadMark
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.web import session
from app.web.forms import query, read
from app.web.render import now, render, saved, wants

LIST = "homepage/news/page.html#list"
STORY = "homepage/news/story.html#story"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


async def show(request: Request) -> Response:
    """The reader's news, newest first."""
    asked = query(request, NewsQuery)
    services, who = session.services_of(request), session.reader(request)
    found = await news.latest(services, who, asked)
    tags = await stories.tags(services) if wants(request) == "page" else []
    order = news.order_of(who, asked)
    return await render(
        request, LIST, list=found, _asked=asked, _order=order, _tags=tags, _now=now(), _title="News"
    )


class ItemQuery(msgspec.Struct):
    """One item of a story by itself, as one who took it out of the story sees it."""

    item: int | None = None


async def story(request: Request) -> Response:
    """One story with its summary, its sources and the way out. Raises NotFound."""
    services, who, story_id = (
        session.services_of(request),
        session.reader(request),
        request.path_params["id"],
    )
    try:
        found = await story_views.of_story(services, who, story_id, query(request, ItemQuery).item)
    except NotFound:
        return await moved(request, who)
    return await render(request, STORY, story=found, _title=found.title)


async def moved(request: Request, who: Reader | None) -> Response:
    """Lead on to the story that one which is gone has become part of. Raises NotFound where there is none."""
    old = request.path_params["id"]
    new = await story_views.moved_to(session.services_of(request), who, old)
    if new is None:
        raise NotFound("This story is not here any more.")
    twin = "/api" if request.scope.get("twin") else ""
    path = twin + request.url.path.replace(f"/stories/{old}", f"/stories/{new}", 1)
    asked = f"?{request.url.query}" if request.url.query else ""
    # The method stays the same. Asked again each time: that story may go up in yet another.
    return RedirectResponse(path + asked, 308, headers={"Cache-Control": "private, no-cache"})


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
    services, item = session.services_of(request), query(request, ItemQuery).item
    story_id, on = request.path_params["id"], request.method == "PUT"
    try:
        await news_marks.mark_story(services, who, story_id, on=on, item_id=item)
    except NotFound:
        return await moved(request, who)
    found = await story_views.of_story(services, who, story_id, item)
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
    try:
        found = await stories.by_item(services, who, item_id)
    except NotFound:
        # It was theirs only because they had saved it; their feed they left before.
        return await saved(request, back(request), "homepage/news/row.html#gone")
    block = "homepage/news/row.html#hidden" if mark.hidden else "homepage/news/row.html#row"
    return await saved(request, back(request), block, story=found)


class Marked(msgspec.Struct):
    """The mark that was written, the watermark before it, and where both can be undone."""

    before: str
    previous: str | None
    undo: str
    items: int = 0


async def mark_all(request: Request) -> Response:
    """Everything that had arrived in a view by then is read."""
    who = await session.saver(request)
    done = await read_marks.mark(session.services_of(request), who, await read(request, ReadMark))
    number = (done.before - BEGINNING) // timedelta(microseconds=1)
    marked = Marked(
        done.before.isoformat(),
        done.previous.isoformat() if done.previous else None,
        f"/news/read-marks/{number}/undos",
        done.items,
    )
    return await saved(request, back(request), marked=marked, said=f"all_read.{number}")


class Undone(msgspec.Struct):
    """The mark that was taken back."""

    before: str


async def undo_mark(request: Request) -> Response:
    """Take a mark back: what it marked is unread again. Raises NotFound."""
    who = await session.saver(request)
    try:
        before = BEGINNING + timedelta(microseconds=request.path_params["id"])
    except OverflowError:
        raise NotFound("There is no such mark.") from None
    await read_marks.undo(session.services_of(request), who, before)
    return await saved(request, back(request), undone=Undone(before.isoformat()), said="undone")


def back(request: Request, otherwise: str = "/news") -> str:
    """Where a plain form came from, when that was one of our pages."""
    referrer = request.headers.get("referer", "")
    base = str(request.base_url)
    return (
        session.safe_next("/" + referrer.removeprefix(base))
        if referrer.startswith(base)
        else otherwise
    )
