"""Feeds: my list, the catalogue, one feed, how I read it, and who our fetcher is."""

from datetime import datetime
from itertools import groupby
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import feed_items, feeds, opml_imports, subscriptions
from app.domain.homepage.subscriptions import Change, Subscription
from app.domain.platform import site_settings
from app.errors import Invalid
from app.web import session
from app.web.forms import query, read
from app.web.render import clock_of, invalid, now, render, saved

LIST = "homepage/feeds/page.html#list"
CATALOGUE = "homepage/feeds/catalogue.html#catalogue"
FEED = "homepage/feeds/feed.html#feed"
ROW = "homepage/feeds/row.html#row"


class CatalogueQuery(msgspec.Struct):
    """What of the catalogue is asked for."""

    tag: Annotated[str, Meta(max_length=40)] | None = None
    q: Annotated[str, Meta(max_length=200)] | None = None
    cursor: Annotated[int, Meta(ge=1, le=2**62)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class SubscriptionForm(msgspec.Struct):
    """How to read a feed; what is not given stays. `quiet` is said in words, `muted_until` as a time."""

    title: Annotated[str, Meta(max_length=300)] | None | UnsetType = UNSET
    folder: Annotated[str, Meta(max_length=80)] | None | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    latest_n: Annotated[int, Meta(ge=1, le=20)] | None | UnsetType = UNSET
    muted_until: datetime | None | UnsetType = UNSET
    quiet: Literal["keep", "no", "day", "monday", "week", "month"] = "keep"


async def show(request: Request) -> Response:
    """My feeds by folder, each with its health."""
    return await my_feeds(request)


async def my_feeds(request: Request, problem: Invalid | None = None) -> Response:
    """The page of my feeds; with a problem, the form that it belongs to says so."""
    services, who = session.services_of(request), session.reader(request)
    found = await subscriptions.of(services, who)
    folders = [
        (folder, list(group)) for folder, group in groupby(found.items, lambda one: one.folder)
    ]
    view: dict[str, Any] = {"feeds": found, "_folders": folders, "_now": now(), "_title": "Feeds"}
    if problem is not None:
        return await invalid(request, problem, LIST, **view)
    return await render(request, LIST, **view)


async def catalogue(request: Request) -> Response:
    """The feeds that everybody may add, by tag and words."""
    asked = query(request, CatalogueQuery)
    services, who = session.services_of(request), session.reader(request)
    found = await feeds.catalogue(
        services, who, tag=asked.tag, words=asked.q, after=asked.cursor, limit=asked.limit
    )
    tags = await feeds.tags(services)
    return await render(
        request, CATALOGUE, feeds=found, _tags=tags, _asked=asked, _title="Find feeds"
    )


async def one(request: Request) -> Response:
    """One feed: what it is, how it is, its newest items, and how I read it. Raises NotFound."""
    return await one_feed(request)


async def one_feed(request: Request, problem: Invalid | None = None) -> Response:
    """The page of one feed; with a problem, its form says so."""
    services, who = session.services_of(request), session.reader(request)
    async with services.held() as held:
        feed = await feeds.by_id(held, who, request.path_params["id"])
        items = await feed_items.latest(held, feed.id)
        mine = await subscriptions.one(held, who, feed.id) if feed.subscribed else None
    view: dict[str, Any] = {
        "feed": feed,
        "_items": items,
        "_mine": mine,
        "_now": now(),
        "_title": feed.title,
    }
    if problem is not None:
        return await invalid(request, problem, FEED, **view)
    return await render(request, FEED, **view)


async def subscribe(request: Request) -> Response:
    """Read a feed from now on."""
    services, who = session.services_of(request), await session.saver(request)
    mine = await subscriptions.put(services, who, request.path_params["id"])
    return await answered(request, mine, "feed_added")


async def change(request: Request) -> Response:
    """Change name, folder, pin, latest and quiet of a feed that I read."""
    services, who = session.services_of(request), await session.saver(request)
    try:
        form = await read(request, SubscriptionForm)
    except Invalid as problem:
        return await one_feed(request, problem)
    wish = Change(form.title, form.folder, form.pinned, form.latest_n, form.muted_until)
    if form.quiet != "keep":
        wish.muted_until = subscriptions.quiet_until(form.quiet, now(), clock_of(who).zone)
    mine = await subscriptions.change(services, who, request.path_params["id"], wish)
    return await answered(request, mine, "saved")


async def answered(request: Request, mine: Subscription, said: str) -> Response:
    """The subscription as it now stands; HTMX gets the feed's row."""
    services, who = session.services_of(request), session.reader(request)
    feed = await feeds.by_id(services, who, mine.feed_id)
    return await saved(
        request, f"/feeds/{mine.feed_id}", ROW, subscription=mine, _feed=feed, said=said
    )


async def unsubscribe(request: Request) -> Response:
    """Stop reading a feed; the notice offers the way back."""
    services, who = session.services_of(request), await session.saver(request)
    feed_id = request.path_params["id"]
    feed = await feeds.by_id(services, who, feed_id)
    await subscriptions.remove(services, who, feed_id)
    feed.subscribed = False
    return await saved(request, "/feeds", ROW, feed=feed, said=f"feed_removed.{feed_id}")


async def suggest(request: Request) -> Response:
    """Propose one of my feeds for everybody's catalogue."""
    services, who = session.services_of(request), session.member(request)
    feed = await feeds.suggest(services, who, request.path_params["id"])
    return await saved(request, f"/feeds/{feed.id}", ROW, feed=feed, said="feed_suggested")


async def export(request: Request) -> Response:
    """My feeds as an OPML file; `?private=yes` takes the secret addresses along."""
    services, who = session.services_of(request), session.reader(request)
    private = request.query_params.get("private") == "yes" and who is not None
    text = await opml_imports.export(services, who, private=private)
    headers = {
        "Content-Disposition": 'attachment; filename="feeds.opml"',
        "Cache-Control": "private, no-store",
    }
    return Response(text, media_type="text/x-opml; charset=utf-8", headers=headers)


async def bot(request: Request) -> Response:
    """Who our fetcher is, and how a publisher can slow it down or stop it."""
    services = session.services_of(request)
    settings = services.settings
    return await render(
        request,
        "homepage/feeds/bot.html#bot",
        _agent=f"VillageBot/1.0 (+{settings.public_url.rstrip('/')}/bot)",
        _contact=site_settings.of(services).contact_address,
        _title="Our fetcher",
    )
