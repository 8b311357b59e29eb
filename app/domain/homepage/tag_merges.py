"""Merging tags: one goes into another, with a dry run before and 7 days to undo (chapter 20 §3)."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

DAYS = 7
ROWS = 5_000


class MergeWish(msgspec.Struct, forbid_unknown_fields=True):
    """Which tag takes this one in; a dry run counts and changes nothing."""

    into: Annotated[str, Meta(max_length=40)]
    dry_run: bool = False
    reason: Annotated[str, Meta(max_length=500)] = ""


class Merge(msgspec.Struct):
    """What a merge moves, or moved: `id` and `until` (when the undo ends) are null for a dry run."""

    tag: str
    into: str
    items: int
    feeds: int
    filters: int
    id: int | None = None
    until: datetime | None = None


PAIR = """
SELECT id, slug FROM tags WHERE slug = ANY($1) AND state = 'active' ORDER BY id FOR NO KEY UPDATE
"""
COUNTS = """
-- What members brought moves with the rest, and is counted for nobody else.
SELECT (SELECT count(*) FROM item_tags it JOIN feed_items i ON i.id = it.item_id
        JOIN feeds f ON f.id = i.feed_id AND f.visibility = 'listed' WHERE it.tag_id = $1) AS items,
       (SELECT count(*) FROM feeds WHERE tag_id = $1 AND visibility = 'listed') AS feeds,
       (SELECT count(*) FROM news_filters WHERE kind = 'mute_tag' AND lower(value) = $2) AS filters
"""
MERGE = """
WITH moved AS (UPDATE feeds SET tag_id = $2 WHERE tag_id = $1 RETURNING id),
     gone AS (UPDATE tags SET state = 'merged', merged_into = $2 WHERE id = $1)
INSERT INTO tag_merges (tag_id, into_id, feeds, merged_by)
SELECT $1, $2, coalesce((SELECT array_agg(id) FROM moved), '{}'), $3
RETURNING id, created_at + $4 * interval '1 day' AS until
"""


async def merge(services: Services, who: Reader, slug: str, wish: MergeWish) -> Merge:
    """Let one tag go into another; a job moves the items. Raises Invalid, NotFound."""
    async with services.tx() as tx:
        ids = {row["slug"]: row["id"] for row in await tx.db.fetch(PAIR, [slug, wish.into])}
        if slug not in ids:
            raise NotFound("There is no such tag in use.")
        if wish.into not in ids or wish.into == slug:
            sentence = "Please choose another tag that is in use."
            raise Invalid(sentence, errors={"into": sentence})
        counts = await tx.db.fetchrow(COUNTS, ids[slug], slug)
        found = Merge(slug, wish.into, **dict(counts))
        if wish.dry_run:
            return found
        row = await tx.db.fetchrow(MERGE, ids[slug], ids[wish.into], who.id, DAYS)
        found.id, found.until = row["id"], row["until"]
        await tx.enqueue("merge_tags", found.id, key=f"merge:{found.id}")
        after = {"into": wish.into, "items": found.items, "feeds": found.feeds}
        await audit.add(tx, who, "tag.merged", ("tag", slug), wish.reason, after=after)
        return found


STANDING = """
SELECT tag_id, into_id FROM tag_merges WHERE id = $1 AND undone_at IS NULL FOR UPDATE
"""
# An item has the other tag once, however it came by it; what it takes to undo this is written beside.
MOVE = """
WITH part AS (
    DELETE FROM item_tags WHERE (item_id, tag_id) IN (
        SELECT item_id, tag_id FROM item_tags WHERE tag_id = $2 ORDER BY item_id LIMIT $4)
    RETURNING item_id, origin, confidence
), added AS (
    INSERT INTO item_tags (item_id, tag_id, origin, confidence)
    SELECT item_id, $3, origin, confidence FROM part ON CONFLICT (item_id, tag_id) DO NOTHING RETURNING item_id
), told AS (
    INSERT INTO tag_merge_items (merge_id, item_id, origin, confidence, added)
    SELECT $1, item_id, origin, confidence, item_id IN (SELECT item_id FROM added) FROM part
    ON CONFLICT (merge_id, item_id) DO NOTHING
), changed AS (
    UPDATE feeds SET version = version + 1 WHERE id IN (
        SELECT f.id FROM feeds f WHERE f.id IN (SELECT i.feed_id FROM part p JOIN feed_items i ON i.id = p.item_id)
        ORDER BY f.id FOR NO KEY UPDATE)
)
SELECT count(*) FROM part
"""


async def move(services: Services, merge_id: int) -> None:
    """Move the items of a merge, 5,000 a transaction; one that was undone meanwhile is left alone."""
    moved = ROWS
    while moved == ROWS:
        async with services.tx() as tx:
            row = await tx.db.fetchrow(STANDING, merge_id)
            if row is None:
                return
            moved = await tx.db.fetchval(MOVE, merge_id, row["tag_id"], row["into_id"], ROWS)


LAST = """
SELECT m.id, m.tag_id, m.into_id, m.feeds, m.created_at > now() - $2 * interval '1 day' AS is_open
FROM tag_merges m JOIN tags t ON t.id = m.tag_id
WHERE t.slug = $1 AND t.state = 'merged' AND m.undone_at IS NULL ORDER BY m.id DESC LIMIT 1 FOR UPDATE OF m
"""
UNDO = """
WITH back AS (UPDATE tags SET state = 'active', merged_into = NULL WHERE id = $2),
     feeds_back AS (UPDATE feeds SET tag_id = $2 WHERE id = ANY($4) AND tag_id = $3)
UPDATE tag_merges SET undone_at = now() WHERE id = $1
"""


async def undo(services: Services, who: Reader, slug: str) -> None:
    """Bring a merged tag back as it was. Raises NotFound, Conflict after seven days."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(LAST, slug, DAYS)
        if row is None:
            raise NotFound("This tag did not go into another.")
        if not row["is_open"]:
            raise Conflict(f"This was more than {DAYS} days ago and cannot be undone any more.")
        await tx.db.execute(UNDO, row["id"], row["tag_id"], row["into_id"], row["feeds"])
        await tx.enqueue("undo_tag_merge", row["id"], key=f"undo:{row['id']}")
        await audit.add(tx, who, "tag.unmerged", ("tag", slug))


BACK = """
WITH part AS (
    DELETE FROM tag_merge_items WHERE (merge_id, item_id) IN (
        SELECT merge_id, item_id FROM tag_merge_items WHERE merge_id = $1 ORDER BY item_id LIMIT $4)
    RETURNING item_id, origin, confidence, added
), taken AS (
    DELETE FROM item_tags it USING part p WHERE p.added AND it.item_id = p.item_id AND it.tag_id = $3
), given AS (
    INSERT INTO item_tags (item_id, tag_id, origin, confidence)
    SELECT item_id, $2, origin, confidence FROM part ON CONFLICT (item_id, tag_id) DO NOTHING
), told AS (
    UPDATE feeds SET version = version + 1 WHERE id IN (
        SELECT f.id FROM feeds f WHERE f.id IN (SELECT i.feed_id FROM part p JOIN feed_items i ON i.id = p.item_id)
        ORDER BY f.id FOR NO KEY UPDATE)
)
SELECT count(*) FROM part
"""
UNDONE = "SELECT tag_id, into_id FROM tag_merges WHERE id = $1 AND undone_at IS NOT NULL FOR UPDATE"


async def move_back(services: Services, merge_id: int) -> None:
    """Give the items of an undone merge their tags again, 5,000 a transaction."""
    moved = ROWS
    while moved == ROWS:
        async with services.tx() as tx:
            row = await tx.db.fetchrow(UNDONE, merge_id)
            if row is None:
                return
            moved = await tx.db.fetchval(BACK, merge_id, row["tag_id"], row["into_id"], ROWS)


FORGET = """
DELETE FROM tag_merge_items WHERE (merge_id, item_id) IN (
    SELECT i.merge_id, i.item_id FROM tag_merge_items i JOIN tag_merges m ON m.id = i.merge_id
    WHERE m.undone_at IS NULL AND m.created_at < now() - ($1 + 1) * interval '1 day' LIMIT $2)
"""


async def purge(services: Services) -> None:
    """Forget what it takes to undo merges that cannot be undone any more."""
    while int((await services.db.execute(FORGET, DAYS, ROWS)).split()[-1]) == ROWS:
        pass
