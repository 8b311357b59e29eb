"""Subscriptions: which feeds a person reads, and how — as rows, or for new visitors as computed defaults."""

from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from app.domain.homepage import feed_errors, feeds, versions
from app.domain.homepage.feed_addresses import host
from app.domain.homepage.feeds import Health
from app.domain.platform import sign_ins
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services

Quiet = Literal["no", "day", "monday", "week", "month"]

CEILING = 2_500


class Subscription(msgspec.Struct):
    """One feed in a person's list: the name they gave it or its own, and how they want to read it."""

    feed_id: int
    title: str
    own_title: str | None
    url: str
    site_url: str | None
    folder: str | None
    pinned: bool
    latest_n: int | None
    muted_until: datetime | None
    origin: str
    visibility: str
    tag: str | None
    last_ok_at: datetime | None
    health: Health


class Subscriptions(msgspec.Struct):
    """All feeds of one person, by folder and name."""

    items: list[Subscription]
    total: int
    next: str | None = None


# Whose feeds: what a person subscribes to, and for a visitor the defaults too, but for those that a row of theirs
# speaks of. All lists of a reader's feeds are made of it. $1 reader, $2 whether the defaults are theirs without rows.
READING = """
SELECT s.feed_id, s.title, s.folder, s.pinned, s.latest_n, s.muted_until, s.origin
FROM feed_subscriptions s JOIN feeds f ON f.id = s.feed_id
WHERE s.user_id = $1 AND s.unsubscribed_at IS NULL AND (f.owner_id IS NULL OR f.owner_id = $1)
UNION ALL
SELECT f.id, NULL, NULL, false, NULL, NULL, 'default' FROM feeds f
WHERE $2 AND f.default_on AND f.visibility = 'listed' AND f.state <> 'disabled'
  AND NOT EXISTS (SELECT FROM feed_subscriptions s WHERE s.user_id = $1 AND s.feed_id = f.id)
"""
READ_BY = f"""
SELECT f.id, f.title, f.url, f.url_enc, f.site_url, f.visibility, t.slug AS tag, f.state, f.failures, f.failing_since,
       f.error_code, f.last_ok_at, f.next_fetch_at, s.title AS own_title, s.folder, s.pinned, s.latest_n, s.muted_until,
       s.origin
FROM ({READING}) AS s JOIN feeds f ON f.id = s.feed_id LEFT JOIN tags t ON t.id = f.tag_id
"""  # noqa: S608 - joined from the literals above
READ = READ_BY + "ORDER BY s.folder NULLS FIRST, lower(coalesce(s.title, f.title)), f.id"


async def of(services: Services, who: Reader | None) -> Subscriptions:
    """All feeds that a person reads, by folder and name."""
    rows = await services.db.fetch(READ, *feeds.asker(who))
    return Subscriptions([as_subscription(services, row) for row in rows], len(rows))


ONE = READ_BY + "WHERE f.id = $3"


async def one(services: Services, who: Reader | None, feed_id: int) -> Subscription:
    """One feed that a person reads. Raises NotFound."""
    row = await services.db.fetchrow(ONE, *feeds.asker(who), feed_id)
    if row is None:
        raise NotFound("You do not read this feed.")
    return as_subscription(services, row)


def as_subscription(services: Services, row: Any) -> Subscription:
    """One row of READ_BY."""
    url = feeds.shown_url(services, row)
    return Subscription(
        feed_id=row["id"],
        title=row["own_title"] or row["title"] or host(url),
        own_title=row["own_title"],
        url=url,
        site_url=row["site_url"],
        folder=row["folder"],
        pinned=row["pinned"],
        latest_n=row["latest_n"],
        muted_until=row["muted_until"],
        origin=row["origin"],
        visibility=row["visibility"],
        tag=row["tag"],
        last_ok_at=row["last_ok_at"],
        health=feeds.health(row),
    )


LOCK = "SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE"
COUNT = "SELECT count(*) FROM feed_subscriptions WHERE user_id = $1 AND unsubscribed_at IS NULL"


async def room(tx: Services, user_id: int) -> int:
    """How many more feeds a person may read; nobody else adds any for them until the transaction ends."""
    await tx.db.execute(LOCK, user_id)
    return CEILING - int(await tx.db.fetchval(COUNT, user_id))


# What a person may take up: what is listed, and what they had once (an undo brings it back).
PUT = """
INSERT INTO feed_subscriptions (user_id, feed_id, origin)
SELECT $1, f.id, CASE WHEN f.default_on THEN 'default' ELSE 'own' END
FROM feeds f LEFT JOIN feed_subscriptions s ON s.feed_id = f.id AND s.user_id = $1
WHERE f.id = $2 AND ((f.visibility = 'listed' AND f.state <> 'disabled') OR s.user_id IS NOT NULL)
  AND (f.owner_id IS NULL OR f.owner_id = $1)
ON CONFLICT (user_id, feed_id) DO UPDATE SET unsubscribed_at = NULL
RETURNING feed_id
"""
# A feed that rested, or was asked once a day only, is asked soon when somebody new reads it.
SOON = """
UPDATE feeds SET next_fetch_at = least(coalesce(next_fetch_at, now()),
                                       greatest(now(), coalesce(last_try_at, now()) + interval '15 minutes'))
WHERE id = ANY($1) AND state NOT IN ('gone', 'disabled') AND failures = 0
  AND (next_fetch_at IS NULL OR next_fetch_at > now() + interval '15 minutes')
"""


async def put(services: Services, who: Reader, feed_id: int) -> Subscription:
    """Read a feed from now on; said twice it is the same wish. Raises NotFound, and Conflict over 2,500."""
    async with services.tx() as tx:
        if (
            await room(tx, who.id) <= 0
            and await tx.db.fetchrow(ONE, *feeds.asker(who), feed_id) is None
        ):
            raise Conflict(feed_errors.sentence("too_many_feeds"), code="too_many_feeds")
        if await tx.db.fetchval(PUT, who.id, feed_id) is None:
            raise NotFound("There is no such feed.")
        await tx.db.execute(SOON, [feed_id])
        await versions.bump(tx, who.id, "news")
        return await one(tx, who, feed_id)


class Change(msgspec.Struct):
    """What to change of a subscription; what is not given stays."""

    title: str | None | msgspec.UnsetType = msgspec.UNSET
    folder: str | None | msgspec.UnsetType = msgspec.UNSET
    pinned: bool | msgspec.UnsetType = msgspec.UNSET
    latest_n: int | None | msgspec.UnsetType = msgspec.UNSET
    muted_until: datetime | None | msgspec.UnsetType = msgspec.UNSET


CHANGE = """
INSERT INTO feed_subscriptions (user_id, feed_id, title, folder, pinned, latest_n, muted_until, origin)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (user_id, feed_id) DO UPDATE
SET title = EXCLUDED.title, folder = EXCLUDED.folder, pinned = EXCLUDED.pinned, latest_n = EXCLUDED.latest_n,
    muted_until = EXCLUDED.muted_until
"""


async def change(services: Services, who: Reader, feed_id: int, wish: Change) -> Subscription:
    """Change how a person reads a feed. Raises NotFound when they do not read it."""
    async with services.tx() as tx:
        now = await one(tx, who, feed_id)
        await tx.db.execute(
            CHANGE,
            who.id,
            feed_id,
            given(wish.title, now.own_title),
            given(wish.folder, now.folder),
            given(wish.pinned, now.pinned),
            given(wish.latest_n, now.latest_n),
            given(wish.muted_until, now.muted_until),
            now.origin,
        )
        await versions.bump(tx, who.id, "news")
        return await one(tx, who, feed_id)


def given(value: Any, otherwise: Any) -> Any:
    """What was wished for, or what stands."""
    return otherwise if value is msgspec.UNSET else value


# The row stays: it keeps a default away, and an undo finds folder and name again.
REMOVE = """
INSERT INTO feed_subscriptions (user_id, feed_id, origin, unsubscribed_at) VALUES ($1, $2, $3, now())
ON CONFLICT (user_id, feed_id) DO UPDATE SET unsubscribed_at = now()
"""


async def remove(services: Services, who: Reader, feed_id: int) -> None:
    """Stop reading a feed. Raises NotFound when the person does not read it."""
    async with services.tx() as tx:
        now = await one(tx, who, feed_id)
        await tx.db.execute(REMOVE, who.id, feed_id, now.origin)
        await versions.bump(tx, who.id, "news")


START = """
INSERT INTO feed_subscriptions (user_id, feed_id, origin)
SELECT $1, id, 'default' FROM feeds WHERE default_on AND visibility = 'listed' AND state <> 'disabled'
ON CONFLICT (user_id, feed_id) DO NOTHING
"""


async def start(tx: Services, user_id: int) -> None:
    """Give a new member the default feeds as rows of their own."""
    await tx.db.execute(START, user_id)
    await versions.bump(tx, user_id, "news")


sign_ins.WELCOMES.append(start)


def quiet_until(quiet: Quiet, now: datetime, zone_name: str | None) -> datetime | None:
    """When "quiet until Monday", "for a day" and the like ends, at midnight where the reader is."""
    try:
        zone = ZoneInfo(zone_name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = now.astimezone(zone)
    days = {"no": 0, "day": 1, "monday": 7 - local.weekday(), "week": 7, "month": 30}[quiet]
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=days) if days else None
