"""Verdicts on tags: the reader's word on whether a tag fits a story."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import stories, tag_verdicts
from app.domain.homepage.tag_verdicts import Verdict
from app.web import session
from app.web.forms import read
from app.web.homepage.news import back
from app.web.render import saved


async def put(request: Request) -> Response:
    """Keep the reader's verdict; the story's row is shown without the tag, or with it. Raises NotFound."""
    services, who = session.services_of(request), await session.saver(request)
    wish = await read(request, Verdict)
    item_id, slug = request.path_params["id"], request.path_params["slug"]
    await tag_verdicts.put(services, who, item_id, slug, wish.verdict)
    found = await stories.by_item(services, who, item_id)
    return await saved(
        request, back(request), "homepage/news/row.html#row", said="saved", story=found
    )
