"""The operators' desk of feeds: what is listed, how each does, and what members suggest."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import feed_suggestions, feed_triggers, feeds, listed_feeds
from app.domain.homepage.feed_suggestions import Decision
from app.domain.homepage.listed_feeds import FeedChange, FeedQuery, NewFeed
from app.errors import Invalid
from app.web import session
from app.web.forms import query, read
from app.web.homepage import waiting_lists
from app.web.homepage.waiting_lists import Desk
from app.web.render import invalid, render, saved

PAGE = "homepage/listed_feeds/page.html#feeds"
FEED = "homepage/listed_feeds/feed.html#feed"


class WithReason(msgspec.Struct):
    """Why something is done."""

    reason: Annotated[str, Meta(max_length=500)] = ""


async def show(request: Request) -> Response:
    """The listed feeds, by state, tag and words."""
    return await render(request, PAGE, **await found(request, query(request, FeedQuery)))


async def found(request: Request, asked: FeedQuery) -> dict[str, Any]:
    """The view of the list."""
    services, who = session.services_of(request), session.admin(request)
    return {
        "list": await listed_feeds.page(services, asked),
        "_asked": asked,
        "_tags": await feeds.tags(services),
        "_may_change": session.may(who, "manage_settings"),
        "_title": "Feeds",
    }


async def add(request: Request) -> Response:
    """List a feed for everybody. Raises Conflict."""
    services, who = session.services_of(request), session.admin(request)
    try:
        feed = await listed_feeds.add(services, who, await read(request, NewFeed))
    except Invalid as problem:
        return await invalid(request, problem, PAGE, **await found(request, FeedQuery()))
    return await saved(
        request,
        f"/admin/feeds/{feed.id}",
        FEED,
        status=201,
        said="saved",
        **await about(request, feed),
    )


async def one(request: Request) -> Response:
    """One listed feed: how it does, its last attempts, and what the operators decide about it. Raises NotFound."""
    services = session.services_of(request)
    feed = await listed_feeds.by_id(services, request.path_params["id"])
    return await render(request, FEED, **await about(request, feed))


async def about(request: Request, feed: listed_feeds.ListedFeed) -> dict[str, Any]:
    """The view of one feed."""
    services, who = session.services_of(request), session.admin(request)
    return {
        "feed": feed,
        "_attempts": await listed_feeds.attempts(services, feed.id),
        "_tags": await feeds.tags(services),
        "_may_change": session.may(who, "manage_settings"),
        "_title": feed.title or feed.url,
    }


async def change(request: Request) -> Response:
    """Change a listed feed, or switch it off and on. Raises NotFound, Conflict."""
    services, who = session.services_of(request), session.admin(request)
    feed_id = request.path_params["id"]
    try:
        feed = await listed_feeds.change(services, who, feed_id, await read(request, FeedChange))
    except Invalid as problem:
        feed = await listed_feeds.by_id(services, feed_id)
        return await invalid(request, problem, FEED, **await about(request, feed))
    return await answered(request, feed)


async def answered(request: Request, feed: listed_feeds.ListedFeed) -> Response:
    """The feed as it now stands."""
    view = await about(request, feed)
    return await saved(request, f"/admin/feeds/{feed.id}", FEED, said="saved", **view)


async def remove(request: Request) -> Response:
    """Take a feed out of every list. Raises NotFound, Conflict."""
    services, who = session.services_of(request), session.admin(request)
    form = await read(request, WithReason)
    await listed_feeds.remove(services, who, request.path_params["id"], form.reason)
    view = await found(request, FeedQuery())
    return await saved(request, "/admin/feeds", PAGE, said="saved", **view)


async def refresh(request: Request) -> Response:
    """Fetch a feed at once. Raises NotFound."""
    services, who = session.services_of(request), session.admin(request)
    feed = await listed_feeds.by_id(services, request.path_params["id"])
    await feed_triggers.refresh(services, who, feed.id)
    return await answered(request, await listed_feeds.by_id(services, feed.id))


async def clear_failures(request: Request) -> Response:
    """Forget a feed's failures and ask it again. Raises NotFound."""
    services, who = session.services_of(request), session.admin(request)
    feed = await listed_feeds.clear_failures(services, who, request.path_params["id"])
    return await answered(request, feed)


async def beside_suggestions(request: Request) -> dict[str, Any]:
    """What the page of suggestions needs beside them."""
    return {
        "_tags": await feeds.tags(session.services_of(request)),
        "_reasons": feed_suggestions.REASONS,
        "_may_decide": session.may(session.admin(request), "manage_settings"),
        "_title": "Suggested feeds",
    }


SUGGESTIONS = Desk(
    "/admin/feeds/suggestions",
    "homepage/listed_feeds/suggestions.html#suggestions",
    Decision,
    feed_suggestions.waiting,
    feed_suggestions.decide,
    beside_suggestions,
)


async def suggestions(request: Request) -> Response:
    """What members suggest for everybody."""
    return await waiting_lists.show(request, SUGGESTIONS)


async def decide(request: Request) -> Response:
    """Accept or reject a suggestion. Raises NotFound."""
    return await waiting_lists.decide(request, SUGGESTIONS)
