"""Items of feeds: what one fetch brought is stored in one statement, each item once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import lxml.html
import msgspec
from lxml import etree
from prometheus_client import Counter

from app.domain.homepage import story_assignment
from app.domain.homepage.feed_documents import FeedEntry, sighted
from app.domain.homepage.folding import folded
from app.domain.homepage.story_desks import Assigned, Source
from app.services import Services

ITEMS = Counter("rss_fetch_items_total", "Items that fetched feeds held, by outcome.", ["status"])
for outcome in ("new", "changed", "known"):
    ITEMS.labels(outcome)


class Stored(NamedTuple):
    """What storing one document did; `pictured` are new items with a picture of their publisher."""

    new: int
    changed: int
    pictured: list[int]


# Stories and items are made with ids drawn beforehand, so that each can name the other; an item that joins a story brings
# its number. The feed's row is locked by the caller: no other worker stores items of this feed meanwhile.
STORE = """
WITH entries AS MATERIALIZED (
    SELECT e.guid_hash, e.url, e.url_key, e.title, e.summary_html, e.body_text, e.author, e.image_url, e.language,
           e.published_at, e.content_hash, e.words, e.story_id, e.story_keys, e.place
    FROM unnest($2::bytea[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                $10::text[], $11::timestamptz[], $12::bytea[], $13::text[], $14::bigint[], $15::text[])
        WITH ORDINALITY AS e (guid_hash, url, url_key, title, summary_html, body_text, author, image_url, language,
                              published_at, content_hash, words, story_id, story_keys, place)
), known AS MATERIALIZED (
    SELECT i.id, i.guid_hash, i.content_hash, i.url_key
    FROM feed_items i JOIN entries e ON e.guid_hash = i.guid_hash WHERE i.feed_id = $1
), fresh AS MATERIALIZED (
    SELECT nextval('feed_items_id_seq') AS id, coalesce(e.story_id, nextval('stories_id_seq')) AS in_story, e.*
    FROM (SELECT e.* FROM entries e WHERE NOT EXISTS (SELECT 1 FROM known k WHERE k.guid_hash = e.guid_hash)
          -- The later id is the newer item: a document lists its newest first.
          ORDER BY e.published_at, e.place DESC) AS e
), told AS (
    INSERT INTO stories (id, lead_item_id, first_at, last_at, items, language) OVERRIDING SYSTEM VALUE
    SELECT f.in_story, CASE WHEN $17 THEN f.id END, f.published_at, f.published_at, 1, f.language
    FROM fresh f WHERE f.story_id IS NULL
), added AS (
    INSERT INTO feed_items (id, feed_id, guid_hash, url, url_key, title, summary_html, body_text, author, image_url,
                            language, published_at, content_hash, story_id, tagged_by, words, story_keys)
        OVERRIDING SYSTEM VALUE
    SELECT f.id, $1, f.guid_hash, f.url, f.url_key, f.title, f.summary_html, f.body_text, f.author, f.image_url,
           f.language, f.published_at, f.content_hash, f.in_story,
           CASE WHEN $16::bigint IS NULL THEN 'none' ELSE 'feed' END, f.words, f.story_keys::integer[]
    FROM fresh f
), tagged AS (
    INSERT INTO item_tags (item_id, tag_id, origin)
    SELECT f.id, $16::bigint, 'feed' FROM fresh f WHERE $16::bigint IS NOT NULL
), altered AS (
    UPDATE feed_items i
    SET url = e.url, url_key = e.url_key, title = e.title, summary_html = e.summary_html, body_text = e.body_text,
        author = e.author, image_url = coalesce(i.image_url, e.image_url), content_hash = e.content_hash,
        words = e.words, story_keys = coalesce(e.story_keys::integer[], i.story_keys)
    FROM entries e JOIN known k ON k.guid_hash = e.guid_hash
    WHERE i.id = k.id AND (k.content_hash <> e.content_hash OR k.url_key IS DISTINCT FROM e.url_key)
    RETURNING i.id
)
SELECT (SELECT count(*) FROM fresh)::int AS new, (SELECT count(*) FROM altered)::int AS changed,
       array(SELECT id FROM fresh WHERE image_url IS NOT NULL AND published_at > $18 ORDER BY id DESC) AS pictured,
       (SELECT array_agg(guid_hash) FROM fresh) AS hashes, (SELECT array_agg(in_story) FROM fresh) AS stories
"""


async def store(
    services: Services,
    source: Source,
    entries: Sequence[FeedEntry],
    *,
    tag_id: int | None,
    most: int,
    now: datetime,
) -> Stored:
    """Store the newest `most` entries that are young enough, each in its story; what has changed is updated.

    The caller's transaction holds the feed's row. An item without a time of its own keeps the time of first sight.
    """
    oldest = now - timedelta(days=services.settings.feed_item_days)
    kept = newest(entries, most, oldest, now)
    if not kept:
        return Stored(0, 0, [])
    places = await story_assignment.assigned(services, source, kept)
    columns = [list(column) for column in zip(*map(as_row, kept, places), strict=True)]
    listed, young = source.visibility == "listed", now - timedelta(days=30)
    row = await services.db.fetchrow(STORE, source.feed_id, *columns, tag_id, listed, young)
    placed = dict(zip(row["hashes"] or [], row["stories"] or [], strict=True))
    await story_assignment.settle(
        services,
        source,
        [
            (placed[entry.guid_hash], place)
            for entry, place in zip(kept, places, strict=True)
            if entry.guid_hash in placed
        ],
    )
    stored = Stored(row["new"], row["changed"], row["pictured"])
    ITEMS.labels("new").inc(stored.new)
    ITEMS.labels("changed").inc(stored.changed)
    ITEMS.labels("known").inc(len(kept) - stored.new - stored.changed)
    return stored


def newest(
    entries: Sequence[FeedEntry], most: int, oldest: datetime, now: datetime
) -> list[FeedEntry]:
    """The entries to keep, each once and with a time, the newest first; ties stay in the document's order."""
    once = {entry.guid_hash: entry for entry in reversed(entries)}
    timed = [
        msgspec.structs.replace(entry, published_at=sighted(entry.published_at, now))
        for entry in reversed(once.values())
    ]
    young = [
        entry for entry in timed if entry.published_at is not None and entry.published_at > oldest
    ]
    young.sort(key=lambda entry: entry.published_at or now, reverse=True)
    return young[:most]


def as_row(entry: FeedEntry, place: Assigned) -> tuple[object, ...]:
    """The columns of one entry in the order of STORE; its keys are written as an array is, for there is one array a row."""
    return (
        entry.guid_hash,
        entry.url,
        entry.url_key,
        entry.title,
        entry.summary_html,
        entry.body_text,
        entry.author,
        entry.image_url,
        entry.language,
        entry.published_at,
        entry.content_hash,
        folded(f"{entry.title} {plain(entry.summary_html)}"),
        place.story_id,
        None if place.keys is None else f"{{{','.join(map(str, place.keys))}}}",
    )


def plain(html: str) -> str:
    """The text of a cleaned summary, its parts held apart by blanks."""
    if "<" not in html and "&" not in html:
        return html
    try:
        return " ".join(lxml.html.fromstring(html).itertext())
    except (etree.ParserError, ValueError):
        return ""


LATEST = """
SELECT id, story_id, title, url, author, published_at, image_key FROM feed_items
WHERE feed_id = $1 ORDER BY published_at DESC, id DESC LIMIT $2
"""


class Headline(msgspec.Struct):
    """One item of a feed's own page."""

    id: int
    story_id: int | None
    title: str
    url: str | None
    author: str
    published_at: datetime
    image_key: str | None


async def latest(services: Services, feed_id: int, most: int = 20) -> list[Headline]:
    """The newest items of a feed that the caller may read."""
    rows = await services.db.fetch(LATEST, feed_id, most)
    return [Headline(**dict(row)) for row in rows]


PUBLISHED = "SELECT published_at FROM feed_items WHERE feed_id = $1 ORDER BY published_at DESC, id DESC LIMIT 20"


async def published(services: Services, feed_id: int) -> list[datetime]:
    """When the last 20 items of a feed were published."""
    return [row["published_at"] for row in await services.db.fetch(PUBLISHED, feed_id)]
