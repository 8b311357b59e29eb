"""Marks on single stories: read, saved, hidden; all can be taken back."""

import msgspec

from app.domain.homepage import versions
from app.domain.platform.readers import Reader
from app.domain.profiles import clicks
from app.errors import Gone, NotFound
from app.services import Services

# An item that this reader may see: of a listed feed, of one they subscribe to, or one that they saved while they did.
# $1 reader, $2 item.
VISIBLE = """
SELECT i.id, i.url FROM feed_items i JOIN feeds f ON f.id = i.feed_id
WHERE i.id = $2 AND (f.visibility = 'listed' OR f.owner_id = $1 OR (f.visibility = 'member' AND (
    EXISTS (SELECT FROM feed_subscriptions s WHERE s.feed_id = f.id AND s.user_id = $1 AND s.unsubscribed_at IS NULL)
    OR EXISTS (SELECT FROM item_states st WHERE st.item_id = i.id AND st.user_id = $1 AND st.saved_at IS NOT NULL))))
"""


async def visible(services: Services, who: Reader | None, item_id: int) -> str | None:
    """The address of an item that this reader may see. Raises NotFound."""
    row = await services.db.fetchrow(VISIBLE, who.id if who else 0, item_id)
    if row is None:
        raise NotFound("This story is not here any more.")
    url: str | None = row["url"]
    return url


class Mark(msgspec.Struct):
    """What one person did with one item."""

    item_id: int
    read: bool
    saved: bool
    hidden: bool


# Which column a mark sets, and what taking it back does; `read` taken back lifts the item over a watermark.
READ = """
INSERT INTO item_states (user_id, item_id, read_at) VALUES ($1, $2, now())
ON CONFLICT (user_id, item_id) DO UPDATE SET read_at = coalesce(item_states.read_at, now()), unread_at = NULL
"""
UNREAD = """
INSERT INTO item_states (user_id, item_id, unread_at) VALUES ($1, $2, now())
ON CONFLICT (user_id, item_id) DO UPDATE SET read_at = NULL, unread_at = now()
"""
SAVE = """
INSERT INTO item_states (user_id, item_id, saved_at) VALUES ($1, $2, now())
ON CONFLICT (user_id, item_id) DO UPDATE SET saved_at = coalesce(item_states.saved_at, now())
"""
UNSAVE = "UPDATE item_states SET saved_at = NULL WHERE user_id = $1 AND item_id = $2"
HIDE = """
INSERT INTO item_states (user_id, item_id, hidden_at) VALUES ($1, $2, now())
ON CONFLICT (user_id, item_id) DO UPDATE SET hidden_at = coalesce(item_states.hidden_at, now())
"""
UNHIDE = "UPDATE item_states SET hidden_at = NULL WHERE user_id = $1 AND item_id = $2"
MARKS = {"read": (READ, UNREAD), "saved": (SAVE, UNSAVE), "hidden": (HIDE, UNHIDE)}

OF_ITEM = """
SELECT $2::bigint AS item_id, coalesce(bool_or(read_at IS NOT NULL), false) AS read,
       coalesce(bool_or(saved_at IS NOT NULL), false) AS saved, coalesce(bool_or(hidden_at IS NOT NULL), false) AS hidden
FROM item_states WHERE user_id = $1 AND item_id = $2
"""


async def mark(services: Services, who: Reader, item_id: int, name: str, *, on: bool) -> Mark:
    """Set or take back `read`, `saved` or `hidden` on one item. Raises NotFound."""
    async with services.tx() as tx:
        await visible(tx, who, item_id)
        await tx.db.execute(MARKS[name][0 if on else 1], who.id, item_id)
        await versions.bump(tx, who.id, "news")
        return Mark(**dict(await tx.db.fetchrow(OF_ITEM, who.id, item_id)))


# The items of a story that this reader may see and that they did not take out of it; or one item of it by itself.
OF_STORY = """
SELECT i.id FROM feed_items i JOIN feeds f ON f.id = i.feed_id
WHERE i.story_id = $2 AND ($3::bigint IS NULL OR i.id = $3)
  AND (f.visibility = 'listed' OR f.owner_id = $1
       OR EXISTS (SELECT FROM feed_subscriptions s WHERE s.feed_id = f.id AND s.user_id = $1 AND s.unsubscribed_at IS NULL)
       OR EXISTS (SELECT FROM item_states st WHERE st.item_id = i.id AND st.user_id = $1 AND st.saved_at IS NOT NULL))
  AND ($3 IS NOT NULL OR NOT EXISTS (
      SELECT FROM story_splits o WHERE o.user_id = $1 AND o.item_id = i.id AND o.story_id = $2))
ORDER BY i.id
"""


async def mark_story(
    services: Services, who: Reader, story_id: int, *, on: bool, item_id: int | None = None
) -> None:
    """Mark a story read or unread, or one item of it that stands by itself. Raises NotFound."""
    async with services.tx() as tx:
        items = await tx.db.fetch(OF_STORY, who.id, story_id, item_id)
        if not items:
            raise NotFound("This story is not here any more.")
        # All of them: one is enough for a story to be read, but that one may leave it, or go.
        for row in items:
            await tx.db.execute(MARKS["read"][0 if on else 1], who.id, row["id"])
        await versions.bump(tx, who.id, "news")


async def follow(services: Services, who: Reader | None, item_id: int) -> str:
    """The address of an item, marked read for a reader whom we know. Raises NotFound, Gone."""
    url = await visible(services, who, item_id)
    if url is None:
        raise Gone("This story has no page of its own any more. You can look for it in the search.")
    if who is not None:
        await mark(services, who, item_id, "read", on=True)
    return url


clicks.TARGETS["item"] = follow
