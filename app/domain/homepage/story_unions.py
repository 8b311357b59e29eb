"""Stories that turn out to be one, items that come to stand in another, and the readers who are told."""

from collections.abc import Mapping, Sequence

from app.services import Services

# Whoever needs several items takes them in the order of their numbers, and items before stories. A guest whose feed is
# there already stays behind with a story of its own.
MOVE = (
    """
SELECT id FROM feed_items WHERE story_id IN ($1, $2) ORDER BY id FOR NO KEY UPDATE
""",
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
# An item that was taken elsewhere since it was looked at, by a rule of readers, stays there. $3: where each stood.
PUT = """
WITH held AS MATERIALIZED (
    SELECT i.id FROM feed_items i JOIN unnest($2::bigint[], $3::bigint[]) AS was (id, story_id)
        ON was.id = i.id AND was.story_id = i.story_id
    ORDER BY i.id FOR NO KEY UPDATE OF i
)
UPDATE feed_items i SET story_id = $1 FROM held WHERE i.id = held.id
"""


async def begin(services: Services, language: str) -> int:
    """A story without items yet; its figures come with them."""
    story_id: int = await services.db.fetchval(NEW_STORY, language or None)
    return story_id


async def put(services: Services, story_id: int, stood: Mapping[int, int]) -> None:
    """Let items stand in this story, by item the story that each stood in; what has left that meanwhile stays away."""
    await services.db.execute(PUT, story_id, list(stood), list(stood.values()))


# What one person took out of a story stays apart for them from what else of it comes to stand beside it. $2 the items of
# a group, $3 where each stood.
KEEP_APART = """
INSERT INTO story_splits (user_id, item_id, story_id)
SELECT DISTINCT s.user_id, s.item_id, $1::bigint
FROM story_splits s JOIN unnest($2::bigint[], $3::bigint[]) AS other (item_id, story_id)
    ON other.story_id = s.story_id AND other.item_id <> s.item_id
WHERE s.item_id = ANY($2) AND s.story_id <> $1
ON CONFLICT (user_id, item_id, story_id) DO NOTHING
"""


async def keep_apart(services: Services, story_id: int, stood: Mapping[int, int]) -> None:
    """Let what readers took out be apart in the story that a group stands in now; `stood` is where it stood before."""
    await services.db.execute(KEEP_APART, story_id, list(stood), list(stood.values()))


# One of a feed, none that is told by that feed already, none that readers took out, and none that went elsewhere.
INVITE = """
WITH guests AS (
    SELECT DISTINCT ON (i.feed_id) i.id, i.story_id FROM feed_items i
    WHERE i.id = ANY($2) AND i.story_id <> $1
        AND NOT EXISTS (SELECT FROM story_rules r WHERE r.item_id = i.id AND r.story_id = $1)
        AND NOT EXISTS (SELECT FROM feed_items there WHERE there.story_id = $1 AND there.feed_id = i.feed_id)
    ORDER BY i.feed_id, i.id
), held AS MATERIALIZED (
    SELECT i.id, g.story_id FROM feed_items i JOIN guests g ON g.id = i.id AND g.story_id = i.story_id
    ORDER BY i.id FOR NO KEY UPDATE OF i
)
UPDATE feed_items i SET story_id = $1 FROM held WHERE i.id = held.id RETURNING held.story_id
"""
RECOUNT = "SELECT recount_stories($1::bigint[])"


async def invite(services: Services, story_id: int, guests: Sequence[int]) -> None:
    """Let items that stood alone stand in this story."""
    left = await services.db.fetch(INVITE, story_id, guests)
    await recount(services, [story_id, *(row["story_id"] for row in left)])


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


TELL_OF_FEED = """
UPDATE feeds SET version = version + 1 WHERE id IN (SELECT id FROM feeds WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)
"""


async def tell_of_feed(services: Services, feed_id: int) -> None:
    """Let one feed alone count a change."""
    await services.db.execute(TELL_OF_FEED, feed_id)
