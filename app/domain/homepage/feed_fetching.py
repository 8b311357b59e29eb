"""Fetching feeds: who is due, one attempt each, and what it makes of the feed (chapter 20 rules 18–24)."""

from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import asyncpg
import structlog
from prometheus_client import Counter, Histogram

from app.domain.homepage import (
    feed_errors,
    feed_items,
    feed_moves,
    feed_pace,
    news_index,
    tag_rules,
    tagging,
)
from app.domain.homepage.feed_attempts import Attempt, attempt
from app.domain.homepage.story_desks import Source
from app.services import Services

log = structlog.get_logger("feeds")

ERRORS = Counter("rss_fetch_errors_total", "Fetches of feeds that failed, by why.", ["error_type"])
for reason in ("timeout", "http_4xx", "http_5xx"):
    ERRORS.labels(reason)
DURATION = Histogram(
    "rss_fetch_duration",
    "Seconds that one attempt at a feed took, reading included.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15, 30, 60),
)
MOST_DUE = 500
MOST_OF_A_HOST = 55
PICTURES_AT_ONCE = 5

# A feed at rest wakes when somebody who reads it is seen again, or when a page that people begin with shows it.
WAKE = """
UPDATE feeds SET next_fetch_at = now()
WHERE next_fetch_at IS NULL AND state NOT IN ('gone', 'disabled') AND (EXISTS (
    SELECT 1 FROM feed_subscriptions s JOIN users u ON u.id = s.user_id
    WHERE s.feed_id = feeds.id AND s.unsubscribed_at IS NULL
      AND coalesce(u.last_seen_on, u.created_at::date) > current_date - 30)
  OR EXISTS (SELECT FROM template_feeds t WHERE t.feed_id = feeds.id::text))
"""
# Of one host, or of one person's private feeds, a minute's worth: a host is asked once a second.
CLAIM = """
WITH due AS (
    SELECT id, row_number() OVER (PARTITION BY coalesce(split_part(url, '/', 3), owner_id::text)
                                  ORDER BY next_fetch_at, id) AS place
    FROM feeds WHERE next_fetch_at <= now()
)
SELECT f.id, f.next_fetch_at, due.place::int AS place FROM feeds f JOIN due ON due.id = f.id
WHERE due.place <= $2
ORDER BY due.place, f.next_fetch_at LIMIT $1 FOR UPDATE OF f SKIP LOCKED
"""


async def dispatch(services: Services) -> int:
    """Write one job for each feed that is due, the longest waiting of each host first; answer how many."""
    async with services.tx() as tx:
        await tx.db.execute(WAKE)
        due = await tx.db.fetch(CLAIM, MOST_DUE, MOST_OF_A_HOST)
        for place, rows in groupby(due, lambda row: row["place"]):
            # The second feed of a host starts a second later, and so on.
            at = datetime.now(UTC) + timedelta(seconds=place - 1)
            calls = [(row["id"], row["next_fetch_at"].isoformat()) for row in rows]
            keys = [f"feed:{feed_id}:{since}" for feed_id, since in calls]
            await tx.enqueue_many(
                "refresh_feed", calls, keys=keys, run_at=at if place > 1 else None
            )
    return len(due)


COLUMNS = """
SELECT f.id, f.url, f.url_enc, f.url_key, f.owner_id, f.visibility, f.title, f.tag_id, f.pace, f.refresh_minutes,
       f.etag, f.last_modified, f.body_hash, f.ttl_minutes, f.moved_to, f.moved_times, f.next_fetch_at, f.last_ok_at,
       f.state, f.failures, f.failing_since, f.default_on, f.ai_critical, f.language,
       f.default_on OR EXISTS (
           SELECT 1 FROM feed_subscriptions s JOIN users u ON u.id = s.user_id
           WHERE s.feed_id = f.id AND s.unsubscribed_at IS NULL
             AND coalesce(u.last_seen_on, u.created_at::date) > current_date - 30)
       OR EXISTS (SELECT FROM template_feeds t WHERE t.feed_id = f.id::text) AS watched
FROM feeds f WHERE f.id = $1 AND f.next_fetch_at = $2::timestamptz
"""
IF_DUE = COLUMNS
LOCK_IF_DUE = COLUMNS + "FOR UPDATE OF f"


async def refresh(services: Services, feed_id: int, due: str) -> None:
    """Fetch a feed that is due since `due` and store what is new.

    Nothing is locked while the publisher takes its time. Whoever comes back second finds the feed not due any more.
    """
    at = datetime.fromisoformat(due)
    feed = await services.db.fetchrow(IF_DUE, feed_id, at)
    if feed is None:
        return
    made = await attempt(services, feed)
    try:
        await note_if_due(services, feed_id, at, made)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
        # A document that our own tables refuse is a fault of ours; the feed waits like any failing
        # one, or it would be due again every minute.
        log.exception("feed not stored", feed_id=feed_id)
        made.code, made.document = "not_stored", None
        await note_if_due(services, feed_id, at, made)


async def note_if_due(services: Services, feed_id: int, at: datetime, made: Attempt) -> None:
    """Write one attempt down, unless somebody else did meanwhile."""

    async def noted(tx: Services) -> Any:
        feed = await tx.db.fetchrow(LOCK_IF_DUE, feed_id, at)
        if feed is not None:
            await note(tx, feed, made)
        return feed

    # Not by another attempt at the job: the publisher would be asked once more.
    feed = await services.again(noted)
    if feed is not None and made.code is None:
        await follow(services, feed, made.permanent_url)


LOCK = "SELECT id FROM feeds WHERE id = $1 FOR UPDATE"


async def follow(services: Services, feed: Any, permanent_url: str | None) -> None:
    """Follow a permanent redirect, after the items are stored: who stores holds its languages, and must wait for no other feed."""

    async def followed(tx: Services) -> None:
        if await tx.db.fetchval(LOCK, feed["id"]) is not None:
            await feed_moves.follow(tx, feed, permanent_url)

    # Two feeds that move to each other's address wait for each other.
    await services.again(followed)


FETCHED = """
INSERT INTO feed_fetches (feed_id, status, ms, bytes, new_items, error_code) VALUES ($1, $2, $3, $4, $5, $6)
"""


async def note(tx: Services, feed: Any, made: Attempt) -> None:
    """Write down one attempt, in the transaction that holds the feed's row."""
    DURATION.observe(made.ms / 1000)
    stored = feed_items.Stored(0, 0, [])
    if made.code is not None:
        ERRORS.labels(feed_errors.kind(made.code)).inc()
        await failed(tx, feed, made)
    else:
        if made.document is not None:
            stored = await store(tx, feed, made)
        await succeeded(tx, feed, made, changed=bool(stored.new or stored.changed))
    if stored.new or stored.changed:
        await pass_on(tx, feed, stored)
    await tx.db.execute(FETCHED, feed["id"], made.status, made.ms, made.size, stored.new, made.code)
    if feed["watched"] and tx.outside.get("s3") is not None:
        await wish_pictures(tx, stored.pictured)


async def pass_on(tx: Services, feed: Any, stored: feed_items.Stored) -> None:
    """Let those know of new items who make something of them: keywords at once, index and model by jobs."""
    await news_index.changed(tx, feed["id"])
    if stored.new and feed["tag_id"] is None:
        await tag_rules.tag(tx, feed["id"])
    if stored.new and feed["owner_id"] is None:
        await tagging.soon(tx, critical=feed["ai_critical"])


async def wish_pictures(tx: Services, pictured: list[int]) -> None:
    """Write a job a picture, the newest first, no more at once than their host will answer."""
    for start in range(0, len(pictured), PICTURES_AT_ONCE):
        part = pictured[start : start + PICTURES_AT_ONCE]
        at = datetime.now(UTC) + timedelta(seconds=start)
        calls, keys = [(item_id,) for item_id in part], [f"item:{item_id}" for item_id in part]
        await tx.enqueue_many("make_thumbnail", calls, keys=keys, run_at=at if start else None)


async def store(tx: Services, feed: Any, made: Attempt) -> feed_items.Stored:
    """Store the items of a document: fewer of the first than of later ones."""
    assert made.document is not None
    settings = tx.settings
    first = feed["last_ok_at"] is None
    language = feed["language"] or made.document.language
    return await feed_items.store(
        tx,
        Source(feed["id"], feed["visibility"], language),
        made.document.items,
        tag_id=feed["tag_id"],
        most=settings.feed_first_items if first else settings.feed_later_items,
        now=datetime.now(UTC),
    )


# A listed feed keeps the name that the operator gave it.
SUCCEEDED = """
UPDATE feeds
SET etag = $2, last_modified = $3, body_hash = coalesce($4, body_hash), next_fetch_at = now() + $5::interval,
    last_try_at = now(), last_ok_at = now(), failures = 0, failing_since = NULL, error_code = NULL, state = 'active',
    title = CASE WHEN $6::text <> '' AND (visibility <> 'listed' OR title = '') THEN $6 ELSE title END,
    site_url = CASE WHEN visibility = 'listed' THEN coalesce(site_url, $7) ELSE coalesce($7, site_url) END,
    description = CASE WHEN $8::text <> '' THEN $8 ELSE description END,
    language = coalesce($9, language), ttl_minutes = $10, repairs = coalesce($11::text[], repairs),
    version = version + CASE WHEN $12 OR state <> 'active' OR last_ok_at IS NULL THEN 1 ELSE 0 END
WHERE id = $1
"""


async def succeeded(tx: Services, feed: Any, made: Attempt, *, changed: bool) -> None:
    """Note a success: validators, what the feed says of itself, when to come again, no failures any more."""
    document = made.document
    ttl = document.ttl_minutes if document else feed["ttl_minutes"]
    wait = await next_wait(tx, feed, feed_pace.asked_for(made.headers, ttl))
    await tx.db.execute(
        SUCCEEDED,
        feed["id"],
        made.headers.get("etag", feed["etag"] if made.status == 304 else None),
        made.headers.get("last-modified", feed["last_modified"] if made.status == 304 else None),
        made.body_hash,
        wait,
        document.title if document else "",
        document.site_url if document else None,
        document.description if document else "",
        document.language if document else None,
        ttl,
        document.repairs if document else None,
        changed,
    )


async def next_wait(tx: Services, feed: Any, asked: timedelta) -> timedelta | None:
    """How long until the next fetch; None for a feed that nobody needs: it rests."""
    if not needed(feed):
        return None
    rhythm = feed_pace.interval(
        await feed_items.published(tx, feed["id"]), feed["pace"], feed["refresh_minutes"]
    )
    return feed_pace.after_success(rhythm, asked, watched=feed["watched"])


def needed(feed: Any) -> bool:
    """Whether the feed is fetched at all: one that is not listed rests while nobody is there to read it."""
    return bool(feed["watched"]) or feed["visibility"] == "listed"


FAILED = """
UPDATE feeds
SET failures = $2, failing_since = $3, error_code = $4, state = $5, last_try_at = now(),
    next_fetch_at = now() + $6::interval,
    version = version + CASE WHEN state <> $5 THEN 1 ELSE 0 END
WHERE id = $1
"""


async def failed(tx: Services, feed: Any, made: Attempt) -> None:
    """Note a failure: one more in the row, the wait of the ladder, and what the feed is now."""
    now = datetime.now(UTC)
    rhythm = feed_pace.interval(
        await feed_items.published(tx, feed["id"]), feed["pace"], feed["refresh_minutes"]
    )
    failures, since, state = feed["failures"] + 1, feed["failing_since"] or now, "gone"
    if made.status == 429:
        # Coming too often is our mistake, not the feed's.
        failures, since, state = feed["failures"], feed["failing_since"], feed["state"]
    elif made.status != 410:
        state = feed_pace.state_after(failures, since, now)
    wait: timedelta | None = feed_pace.after_failure(rhythm, failures, made.retry_after)
    if not needed(feed) or state == "gone":
        wait = None
    elif state == "suspended":
        wait = feed_pace.WEEK
    await tx.db.execute(FAILED, feed["id"], failures, since, made.code, state, wait)
