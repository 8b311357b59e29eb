"""What of a visitor's homepage goes over to the member they became (chapter 20 rule 9): the member's value wins.

Limits cut the visitor's newest. What is not moved stays with the visitor's row, and goes with it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from app.domain.homepage import (
    links,
    news_filters,
    page_changes,
    pages,
    stock_watches,
    versions,
    weather_places,
)
from app.domain.homepage.page_rows import HOME, Item
from app.domain.homepage.template_merging import merged
from app.domain.platform.merges import MERGES, Merge
from app.domain.platform.readers import Reader
from app.errors import Conflict
from app.services import Services

TAB = "Before sign-in"

COUNT_PREFERENCES = "SELECT count(*) FROM preferences WHERE user_id = $1"
# One document is one choice: parts of two people's would make a third that nobody chose.
PREFERENCES = """
UPDATE preferences SET user_id = $2
WHERE user_id = $1 AND NOT EXISTS (SELECT FROM preferences WHERE user_id = $2)
"""


async def merge_preferences(tx: Services, from_id: int, to_id: int) -> None:
    """Theme, units and the like, for a member who has chosen nothing yet."""
    await tx.db.execute(PREFERENCES, from_id, to_id)
    await versions.bump(tx, to_id, "preferences")


COUNT_FEEDS = "SELECT count(*) FROM feed_subscriptions WHERE user_id = $1"
# A new member's default feeds are nobody's wish yet: what the visitor did with them earlier holds, a removal too.
FEEDS = """
WITH taken AS (
    INSERT INTO feed_subscriptions
        (user_id, feed_id, title, folder, pinned, latest_n, muted_until, origin, subscribed_at, unsubscribed_at)
    SELECT $2, feed_id, title, folder, pinned, latest_n, muted_until, origin, subscribed_at, unsubscribed_at
    FROM feed_subscriptions WHERE user_id = $1
    ON CONFLICT (user_id, feed_id) DO UPDATE
    SET title = EXCLUDED.title, folder = EXCLUDED.folder, pinned = EXCLUDED.pinned, latest_n = EXCLUDED.latest_n,
        muted_until = EXCLUDED.muted_until, unsubscribed_at = EXCLUDED.unsubscribed_at
    WHERE feed_subscriptions.origin = 'default' AND feed_subscriptions.title IS NULL
        AND feed_subscriptions.folder IS NULL AND NOT feed_subscriptions.pinned
        AND feed_subscriptions.latest_n IS NULL AND feed_subscriptions.muted_until IS NULL
        AND feed_subscriptions.unsubscribed_at IS NULL
        AND (SELECT m.created_at >= v.created_at FROM users m, users v WHERE m.id = $2 AND v.id = $1)
    RETURNING feed_id
)
DELETE FROM feed_subscriptions s USING taken WHERE s.user_id = $1 AND s.feed_id = taken.feed_id
"""


async def merge_feeds(tx: Services, from_id: int, to_id: int) -> None:
    """Feeds read, named, sorted into folders, or removed from the defaults."""
    await tx.db.execute(FEEDS, from_id, to_id)
    await versions.bump(tx, to_id, "news")


COUNT_MARKS = "SELECT count(*) FROM item_states WHERE user_id = $1"
# Marks are united; where both marked one item as read or unread, the member's word holds.
MARKS = """
WITH taken AS (
    INSERT INTO item_states (user_id, item_id, read_at, unread_at, saved_at, hidden_at)
    SELECT $2, item_id, read_at, unread_at, saved_at, hidden_at FROM item_states WHERE user_id = $1
    ON CONFLICT (user_id, item_id) DO UPDATE SET
        read_at = CASE WHEN item_states.unread_at IS NULL THEN coalesce(item_states.read_at, EXCLUDED.read_at) END,
        unread_at = CASE WHEN item_states.read_at IS NULL THEN coalesce(item_states.unread_at, EXCLUDED.unread_at) END,
        saved_at = coalesce(item_states.saved_at, EXCLUDED.saved_at),
        hidden_at = coalesce(item_states.hidden_at, EXCLUDED.hidden_at)
    RETURNING item_id
)
DELETE FROM item_states s USING taken WHERE s.user_id = $1 AND s.item_id = taken.item_id
"""


SPLITS = """
INSERT INTO story_splits (user_id, item_id, story_id) SELECT $2, item_id, story_id FROM story_splits WHERE user_id = $1
ON CONFLICT (user_id, item_id, story_id) DO NOTHING
"""


VERDICTS = """
INSERT INTO tag_verdicts (user_id, item_id, tag_id, verdict, created_at)
SELECT $2, item_id, tag_id, verdict, created_at FROM tag_verdicts WHERE user_id = $1
ON CONFLICT (user_id, item_id, tag_id) DO NOTHING
"""


async def merge_marks(tx: Services, from_id: int, to_id: int) -> None:
    """Stories read, saved and hidden, what was taken out of them, and verdicts on their tags."""
    await tx.db.execute(MARKS, from_id, to_id)
    await tx.db.execute(SPLITS, from_id, to_id)
    await tx.db.execute(VERDICTS, from_id, to_id)
    await versions.bump(tx, to_id, "news")


COUNT_WATERMARKS = "SELECT count(*) FROM news_watermarks WHERE user_id = $1"
WATERMARKS = """
WITH taken AS (
    INSERT INTO news_watermarks (user_id, feed_id, read_before)
    SELECT $2, feed_id, read_before FROM news_watermarks WHERE user_id = $1
    ON CONFLICT (user_id, feed_id) DO UPDATE
    SET read_before = greatest(news_watermarks.read_before, EXCLUDED.read_before)
    RETURNING feed_id
)
DELETE FROM news_watermarks w USING taken WHERE w.user_id = $1 AND w.feed_id = taken.feed_id
"""


async def merge_watermarks(tx: Services, from_id: int, to_id: int) -> None:
    """Up to when all was read, whoever of the two read further."""
    await tx.db.execute(WATERMARKS, from_id, to_id)
    await versions.bump(tx, to_id, "news")


COUNT_FILTERS = (
    "SELECT count(*) FROM news_filters WHERE user_id = $1 AND (until IS NULL OR until > now())"
)
FILTERS = """
UPDATE news_filters SET user_id = $2 WHERE id IN (
    SELECT v.id FROM news_filters v
    WHERE v.user_id = $1 AND (v.until IS NULL OR v.until > now()) AND NOT EXISTS (
        SELECT FROM news_filters m WHERE m.user_id = $2 AND m.kind = v.kind
            AND coalesce(m.feed_id, 0) = coalesce(v.feed_id, 0) AND lower(m.value) = lower(v.value))
    ORDER BY v.created_at, v.id
    LIMIT greatest(0, $3 - (SELECT count(*) FROM news_filters WHERE user_id = $2))
)
"""


async def merge_filters(tx: Services, from_id: int, to_id: int) -> None:
    """Words and tags to leave out."""
    await tx.db.execute(FILTERS, from_id, to_id, news_filters.CEILING)
    await versions.bump(tx, to_id, "news")


COUNT_PLACES = "SELECT count(*) FROM weather_places WHERE user_id = $1"
PLACES = """
UPDATE weather_places
SET user_id = $2, sort = sort + coalesce((SELECT max(sort) FROM weather_places WHERE user_id = $2), 0)
WHERE id IN (
    SELECT v.id FROM weather_places v
    WHERE v.user_id = $1 AND NOT EXISTS (
        SELECT FROM weather_places m WHERE m.user_id = $2 AND m.lat = v.lat AND m.lon = v.lon)
    ORDER BY v.created_at, v.id
    LIMIT greatest(0, $3 - (SELECT count(*) FROM weather_places WHERE user_id = $2))
)
"""


async def merge_places(tx: Services, from_id: int, to_id: int) -> None:
    """Places whose weather is watched, after the member's own."""
    await tx.db.execute(PLACES, from_id, to_id, weather_places.CEILING)
    await versions.bump(tx, to_id, "weather")


COUNT_WATCHES = "SELECT count(*) FROM stock_watches WHERE user_id = $1"
WATCHES = """
UPDATE stock_watches
SET user_id = $2, sort = sort + coalesce((SELECT max(sort) FROM stock_watches WHERE user_id = $2), 0)
WHERE user_id = $1 AND symbol IN (
    SELECT v.symbol FROM stock_watches v
    WHERE v.user_id = $1 AND NOT EXISTS (
        SELECT FROM stock_watches m WHERE m.user_id = $2 AND m.symbol = v.symbol)
    ORDER BY v.created_at, v.sort
    LIMIT greatest(0, $3 - (SELECT count(*) FROM stock_watches WHERE user_id = $2))
)
"""


async def merge_watches(tx: Services, from_id: int, to_id: int) -> None:
    """Symbols that are watched, after the member's own."""
    await tx.db.execute(WATCHES, from_id, to_id, stock_watches.CEILING)
    await versions.bump(tx, to_id, "stocks")


COUNT_LINKS = "SELECT count(*) FROM quick_links WHERE user_id = $1 AND deleted_at IS NULL"
LINKS = """
UPDATE quick_links
SET user_id = $2, sort = sort + coalesce((
    SELECT max(m.sort) FROM quick_links m WHERE m.user_id = $2 AND m.list = quick_links.list), 0)
WHERE id IN (
    SELECT v.id FROM quick_links v
    WHERE v.user_id = $1 AND v.deleted_at IS NULL AND NOT EXISTS (
        SELECT FROM quick_links m
        WHERE m.user_id = $2 AND m.deleted_at IS NULL AND m.list = v.list AND m.url = v.url)
    ORDER BY v.created_at, v.id
    LIMIT greatest(0, $3 - (SELECT count(*) FROM quick_links WHERE user_id = $2 AND deleted_at IS NULL))
)
"""


async def merge_links(tx: Services, from_id: int, to_id: int) -> None:
    """Links, each after the member's own of its list."""
    await tx.db.execute(LINKS, from_id, to_id, links.CEILING)
    await versions.bump(tx, to_id, "links")


COUNT_PAGES = """
SELECT count(*) FROM pages p
WHERE p.user_id = $1 AND EXISTS (SELECT FROM page_widgets w WHERE w.page_id = p.id)
"""
# A visitor as flags know one: their template may go by it.
ANON = "SELECT coalesce(left(encode(anon_hash, 'hex'), 16), '') FROM users WHERE id = $1"
FORGET_PAGES = "DELETE FROM pages WHERE user_id = $1"


async def merge_page(tx: Services, from_id: int, to_id: int) -> None:
    """The front page: it takes the place of one that the member never touched, else it becomes a tab of theirs.

    Either is one change of the member's page, which can be undone. With ten tabs already it stays.
    """
    anon = await tx.db.fetchval(ANON, from_id)
    visitor, who = Reader(id=from_id, kind="visitor", anon=anon), Reader(id=to_id, kind="member")
    theirs = await page_changes.locked(tx, visitor, HOME)
    # With those that a flag hides: they come back to the member when it is on.
    items = await at_places(tx, from_id, to_id, merged(theirs.base, theirs.rows))
    page = await page_changes.locked(tx, who, HOME)
    if page.rows:
        try:
            slug = (await pages.add(tx, who, TAB)).slug
        except Conflict:
            return
        page = await page_changes.locked(tx, who, slug)
    await page_changes.make(tx, who, page, "merge", lambda now: taken_over(items, now))
    await tx.db.execute(FORGET_PAGES, from_id)


def taken_over(items: Iterable[Item], now: Iterable[Item]) -> list[Item]:
    """The visitor's widgets on the member's page: what the site's template locks there stays as it is, what it wants
    there is there, and the rest is as the visitor had it."""
    kept = {item.key: item for item in now if item.lock != "free"}
    found = [with_lock(item, kept.pop(item.key, None)) for item in items]
    return [*found, *kept.values()]


def with_lock(item: Item, mine: Item | None) -> Item:
    """The visitor's widget under the lock that it has on the member's page, if any."""
    if mine is None:
        return msgspec.structs.replace(item, lock="free")
    if mine.lock == "locked" or mine.type != item.type:
        return mine
    return msgspec.structs.replace(item, lock=mine.lock, phone_hidden=mine.phone_hidden)


# Places that did not go over: the member has the same spot under another number, or there was no room for it.
LEFT_PLACES = """
SELECT v.id, m.id AS becomes FROM weather_places v
LEFT JOIN weather_places m ON m.user_id = $2 AND m.lat = v.lat AND m.lon = v.lon
WHERE v.user_id = $1
"""


async def at_places(
    tx: Services, from_id: int, to_id: int, items: Sequence[Item]
) -> Sequence[Item]:
    """The widgets, those of the weather at the places that the member has."""
    rows = await tx.db.fetch(LEFT_PLACES, from_id, to_id)
    becomes = {row["id"]: row["becomes"] for row in rows}
    return [
        msgspec.structs.replace(
            item, settings=item.settings | {"place_id": becomes[item.settings["place_id"]]}
        )
        if item.settings.get("place_id") in becomes
        else item
        for item in items
    ]


# The page comes last: its weather goes by places that went over before it.
MERGES += [
    Merge("preferences", ("preferences",), COUNT_PREFERENCES, merge_preferences),
    Merge("feeds", ("feed_subscriptions",), COUNT_FEEDS, merge_feeds),
    Merge("stories", ("item_states", "story_splits", "tag_verdicts"), COUNT_MARKS, merge_marks),
    Merge("read_marks", ("news_watermarks",), COUNT_WATERMARKS, merge_watermarks),
    Merge("filters", ("news_filters",), COUNT_FILTERS, merge_filters),
    Merge("places", ("weather_places",), COUNT_PLACES, merge_places),
    Merge("stocks", ("stock_watches",), COUNT_WATCHES, merge_watches),
    Merge("links", ("quick_links",), COUNT_LINKS, merge_links),
    # What is undone on a page is told by its own changes; the merge is one of them.
    Merge("pages", ("pages", "page_widgets", "page_changes"), COUNT_PAGES, merge_page),
]
