"""Stories that turn out to be one, items that come to stand in another, and the readers who are told."""

from collections.abc import Sequence

from app.services import Services

# A guest whose feed is there already stays behind with a story of its own.
MOVE = (
    """
UPDATE feed_items i SET story_id = $1 FROM feeds f
WHERE i.story_id = $2 AND f.id = i.feed_id AND (f.visibility = 'listed' OR NOT EXISTS (
    SELECT FROM feed_items there WHERE there.story_id = $1 AND there.feed_id = i.feed_id))
""",
    """
INSERT INTO story_rules (item_id, story_id, origin) SELECT item_id, $1, origin FROM story_rules WHERE story_id = $2
ON CONFLICT (item_id, story_id) DO NOTHING
""",
    """
INSERT INTO story_splits (user_id, item_id, story_id) SELECT user_id, item_id, $1 FROM story_splits WHERE story_id = $2
ON CONFLICT (user_id, item_id, story_id) DO NOTHING
""",
    "SELECT recount_stories(ARRAY[$1::bigint, $2::bigint])",
)


async def unite(services: Services, into: int, other: int) -> None:
    """Move all of one story into another, in the caller's transaction."""
    for statement in MOVE:
        await services.db.execute(statement, into, other)


NEW_STORY = (
    "INSERT INTO stories (first_at, last_at, language) VALUES (now(), now(), $1) RETURNING id"
)
PUT = "UPDATE feed_items SET story_id = $1 WHERE id = ANY($2)"


async def begin(services: Services, language: str) -> int:
    """A story without items yet; its figures come with them."""
    story_id: int = await services.db.fetchval(NEW_STORY, language or None)
    return story_id


async def put(services: Services, story_id: int, items: Sequence[int]) -> None:
    """Let these items stand in this story."""
    await services.db.execute(PUT, story_id, items)


INVITE = """
WITH guests AS (
    SELECT id, story_id FROM feed_items i WHERE id = ANY($2)
        AND NOT EXISTS (SELECT FROM story_rules r WHERE r.item_id = i.id AND r.story_id = $1)
), moved AS (
    UPDATE feed_items i SET story_id = $1 FROM guests g WHERE i.id = g.id
)
SELECT array_agg(story_id) FROM guests
"""
RECOUNT = "SELECT recount_stories($1::bigint[])"


async def invite(services: Services, story_id: int, guests: Sequence[int]) -> None:
    """Let items that stood alone stand in this story."""
    left = await services.db.fetchval(INVITE, story_id, guests)
    await recount(services, [story_id, *(left or [])])


async def recount(services: Services, story_ids: Sequence[int]) -> None:
    """Set the figures of these stories by their items; a story without any ends."""
    await services.db.execute(RECOUNT, story_ids)


# Who holds the row of such a feed writes it just now, and tells its readers by that.
TELL = """
UPDATE feeds SET version = version + 1 WHERE id IN (
    SELECT f.id FROM feeds f
    WHERE f.id <> $2 AND EXISTS (SELECT FROM feed_items i WHERE i.feed_id = f.id AND i.story_id = ANY($1))
    ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED)
"""


async def tell(services: Services, story_ids: Sequence[int], but_feed: int) -> None:
    """Let the other feeds of these stories count a change, so that kept lists are made anew."""
    await services.db.execute(TELL, story_ids, but_feed)
