"""Not the same story: an item taken out of a story, and put back."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import story_splits, story_views
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.web import session
from app.web.forms import query, read
from app.web.homepage.news import STORY, moved
from app.web.render import saved, wants


class SplitForm(msgspec.Struct):
    """The item that tells another event."""

    item_id: int


async def add(request: Request) -> Response:
    """Take an item out of a story. Raises NotFound."""
    who, form = await session.saver(request), await read(request, SplitForm)
    story_id = request.path_params["id"]
    try:
        split = await story_splits.add(session.services_of(request), who, story_id, form.item_id)
    except NotFound as error:
        return await elsewhere(request, who, error)
    return await answered(request, split)


async def remove(request: Request) -> Response:
    """Put it back. Raises NotFound, Conflict."""
    who = await session.saver(request)
    # A script may delete with a body; HTMX writes what it deletes into the address.
    form = query(request, SplitForm) if request.query_params else await read(request, SplitForm)
    story_id = request.path_params["id"]
    try:
        split = await story_splits.remove(session.services_of(request), who, story_id, form.item_id)
    except NotFound as error:
        return await elsewhere(request, who, error)
    return await answered(request, split)


async def elsewhere(request: Request, who: Reader, error: NotFound) -> Response:
    """Lead on where the whole story has become part of another. Raises the first error where it has not."""
    try:
        return await moved(request, who)
    except NotFound:
        raise error from None


async def answered(request: Request, split: story_splits.Split) -> Response:
    """What was done for a script; the story as it now stands for a reader."""
    page = f"/news/stories/{split.story_id}"
    if wants(request) == "json":
        return await saved(request, page, split=split)
    services, who = session.services_of(request), session.reader(request)
    found = await story_views.of_story(services, who, split.story_id)
    return await saved(request, page, STORY, story=found, _title=found.title)
