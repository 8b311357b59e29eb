"""The curators' desk of tags: the closed list, what models would add to it, and how one goes into another."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import feeds, tag_merges, tag_proposals, tags
from app.domain.homepage.tag_merges import MergeWish
from app.domain.homepage.tag_proposals import ProposalDecision
from app.domain.homepage.tags import NewTag, TagChange
from app.errors import Invalid
from app.web import session
from app.web.forms import read
from app.web.homepage import waiting_lists
from app.web.homepage.waiting_lists import Desk
from app.web.render import invalid, render, saved

PAGE = "homepage/tags/page.html#tags"
TAG = "homepage/tags/tag.html#tag"


async def show(request: Request) -> Response:
    """The list, with how often readers call each tag right."""
    return await render(request, PAGE, **await found(request))


async def found(request: Request) -> dict[str, Any]:
    """The view of the list."""
    return {"list": await tags.every(session.services_of(request)), "_title": "Tags"}


async def add(request: Request) -> Response:
    """Put a word on the list. Raises Conflict."""
    services, who = session.services_of(request), session.admin(request)
    try:
        tag = await tags.add(services, who, await read(request, NewTag))
    except Invalid as problem:
        return await invalid(request, problem, PAGE, **await found(request))
    view = await about(request, tag)
    return await saved(request, f"/admin/tags/{tag.slug}", TAG, status=201, said="saved", **view)


async def one(request: Request) -> Response:
    """One tag. Raises NotFound."""
    services = session.services_of(request)
    tag = await tags.by_slug(services, request.path_params["slug"])
    return await render(request, TAG, **await about(request, tag))


async def about(
    request: Request, tag: tags.Tag, tried: tag_merges.Merge | None = None
) -> dict[str, Any]:
    """The view of one tag; `tried` is a merge that was only counted."""
    others = await feeds.tags(session.services_of(request))
    return {
        "tag": tag,
        "_others": [one for one in others if one.slug != tag.slug],
        "_tried": tried,
        "_title": tag.name,
    }


async def change(request: Request) -> Response:
    """Change a tag, retire it or take it back. Raises NotFound."""
    services, who = session.services_of(request), session.admin(request)
    slug = request.path_params["slug"]
    try:
        tag = await tags.change(services, who, slug, await read(request, TagChange))
    except Invalid as problem:
        view = await about(request, await tags.by_slug(services, slug))
        return await invalid(request, problem, TAG, **view)
    return await saved(
        request, f"/admin/tags/{slug}", TAG, said="saved", **await about(request, tag)
    )


async def merge(request: Request) -> Response:
    """Let a tag go into another, or count what that would move. Raises NotFound."""
    services, who = session.services_of(request), session.admin(request)
    slug = request.path_params["slug"]
    try:
        made = await tag_merges.merge(services, who, slug, await read(request, MergeWish))
    except Invalid as problem:
        view = await about(request, await tags.by_slug(services, slug))
        return await invalid(request, problem, TAG, **view)
    if request.scope.get("twin"):
        return await render(request, TAG, merge=made)
    view = await about(request, await tags.by_slug(services, slug), made)
    if made.id is None:
        return await render(request, TAG, **view)
    return await saved(request, f"/admin/tags/{slug}", TAG, said="saved", **view)


async def undo_merge(request: Request) -> Response:
    """Bring a merged tag back. Raises NotFound, Conflict after seven days."""
    services, who = session.services_of(request), session.admin(request)
    slug = request.path_params["slug"]
    await tag_merges.undo(services, who, slug)
    view = await about(request, await tags.by_slug(services, slug))
    return await saved(request, f"/admin/tags/{slug}", TAG, said="saved", **view)


async def beside_proposals(request: Request) -> dict[str, Any]:
    """What the page of proposals needs beside them."""
    return {"_tags": await feeds.tags(session.services_of(request)), "_title": "Proposed tags"}


PROPOSALS = Desk(
    "/admin/tags/proposals",
    "homepage/tags/proposals.html#proposals",
    ProposalDecision,
    tag_proposals.waiting,
    tag_proposals.decide,
    beside_proposals,
)


async def proposals(request: Request) -> Response:
    """Words that models would have as tags."""
    return await waiting_lists.show(request, PROPOSALS)


async def decide(request: Request) -> Response:
    """Make a word a tag, a keyword of one, or nothing. Raises NotFound, Conflict."""
    return await waiting_lists.decide(request, PROPOSALS)
