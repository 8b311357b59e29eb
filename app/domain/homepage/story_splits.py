"""Not the same story: what one person takes out of a story, and what two of them, or one admin, take out for everybody."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.domain.homepage import story_assignment, story_unions, versions
from app.domain.homepage.news_marks import visible
from app.domain.homepage.story_matching import MOST_ITEMS
from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services

# So many members have to say the same before it holds for all. Visitors speak for themselves only: they cost nothing.
ENOUGH = 2
CURATES = "manage_content"


class Split(msgspec.Struct):
    """One item that is no part of a story: for this person, or by now for everybody."""

    story_id: int
    item_id: int
    for_all: bool


# Two who come at once are heard one after the other. First what items are assigned under, so that no worker is in the
# midst of it, then the item, then the stories: this one and where the item stands.
HOLD_ITEM = "SELECT id FROM feed_items WHERE id = $1 FOR NO KEY UPDATE"
HOLD_STORIES = """
SELECT id FROM stories WHERE id IN ($1, (SELECT story_id FROM feed_items WHERE id = $2)) ORDER BY id FOR UPDATE
"""


async def held(tx: Services, story_id: int, item_id: int) -> None:
    """Hold an item and its stories to the end of the caller's transaction."""
    await story_assignment.locked_around(tx, story_id, item_id)
    await tx.db.execute(HOLD_ITEM, item_id)
    await tx.db.execute(HOLD_STORIES, story_id, item_id)


THERE = """
SELECT i.story_id = $1 AND EXISTS (SELECT FROM feed_items o WHERE o.story_id = $1 AND o.id <> i.id) AS is_part,
       EXISTS (SELECT FROM story_splits s WHERE s.item_id = i.id AND s.story_id = $1 AND s.user_id = $3) AS is_apart
FROM feed_items i WHERE i.id = $2
"""
ADD = """
INSERT INTO story_splits (user_id, item_id, story_id) VALUES ($1, $2, $3)
ON CONFLICT (user_id, item_id, story_id) DO NOTHING
"""


async def add(services: Services, who: Reader, story_id: int, item_id: int) -> Split:
    """Take one item out of a story: for this person at once, for all when they are the second or an admin.

    Raises NotFound for an item that they may not see or that is no part of the story; said twice it is one wish.
    """

    async def added(tx: Services) -> Split:
        await visible(tx, who, item_id)
        await held(tx, story_id, item_id)
        row = await tx.db.fetchrow(THERE, story_id, item_id, who.id)
        if row is None or not (row["is_apart"] or row["is_part"]):
            raise NotFound("This item is no part of that story.")
        if not row["is_apart"]:
            await tx.db.execute(ADD, who.id, item_id, story_id)
        await versions.bump(tx, who.id, "news")
        return Split(story_id, item_id, await for_all(tx, who, story_id, item_id))

    return await services.again(added)


VOICES = """
SELECT count(*)::int FROM story_splits s JOIN users u ON u.id = s.user_id
WHERE s.item_id = $1 AND s.story_id = $2 AND u.kind = 'member'
"""
RULE = """
INSERT INTO story_rules (item_id, story_id, origin) VALUES ($1, $2, $3)
ON CONFLICT (item_id, story_id) DO UPDATE SET origin = CASE WHEN story_rules.origin = 'admin' THEN 'admin' ELSE EXCLUDED.origin END
RETURNING (xmax = 0) AS is_new
"""


async def for_all(tx: Services, who: Reader, story_id: int, item_id: int) -> bool:
    """Make it a rule where enough say so; answer whether there is one now."""
    curates = CURATES in who.permissions
    if not curates and await tx.db.fetchval(VOICES, item_id, story_id) < ENOUGH:
        return False
    origin = "admin" if curates else "readers"
    if await tx.db.fetchval(RULE, item_id, story_id, origin):
        await take_out(tx, story_id, item_id)
        if curates:
            await audit.add(tx, who, "story.split", ("item", item_id), after={"story": story_id})
    return True


PLACE = """
SELECT i.feed_id, i.story_id, i.language, f.visibility FROM feed_items i JOIN feeds f ON f.id = i.feed_id
WHERE i.id = $1 FOR NO KEY UPDATE OF i
"""


async def take_out(tx: Services, story_id: int, item_id: int) -> None:
    """Give an item that stands in this story one of its own."""
    item = await tx.db.fetchrow(PLACE, item_id)
    if item["story_id"] == story_id:
        alone = await story_unions.begin(tx, item["language"])
        await story_unions.put(tx, alone, {item_id: story_id})
        await story_unions.recount(tx, [story_id, alone])
        await tell(tx, item, [story_id, alone])


async def tell(tx: Services, item: Any, story_ids: Sequence[int]) -> None:
    """Tell the readers of the stories' feeds; where a guest comes or goes, those of its own feed alone."""
    if item["visibility"] == "listed":
        await story_unions.tell(tx, story_ids, 0)
    else:
        await story_unions.tell_of_feed(tx, item["feed_id"])


REMOVE = "DELETE FROM story_splits WHERE user_id = $1 AND item_id = $2 AND story_id = $3"
RULED = "SELECT origin FROM story_rules WHERE item_id = $1 AND story_id = $2 FOR UPDATE"


async def remove(services: Services, who: Reader, story_id: int, item_id: int) -> Split:
    """Take that back; a rule that has too few voices left falls with it. Raises NotFound, and Conflict when others said it too."""
    return await services.again(lambda tx: taken_back(tx, who, story_id, item_id))


async def taken_back(tx: Services, who: Reader, story_id: int, item_id: int) -> Split:
    """The same, in the transaction that does it."""
    await visible(tx, who, item_id)
    await held(tx, story_id, item_id)
    gone = await tx.db.execute(REMOVE, who.id, item_id, story_id)
    origin = await tx.db.fetchval(RULED, item_id, story_id)
    if gone == "DELETE 0" and not (origin and CURATES in who.permissions):
        raise NotFound("You did not take this item out of that story.")
    await versions.bump(tx, who.id, "news")
    if origin and await still_holds(tx, who, origin, story_id, item_id):
        if gone == "DELETE 0":
            raise Conflict("Others took this item out as well.")
        return Split(story_id, item_id, True)
    if origin:
        await put_back(tx, who, origin, story_id, item_id)
    return Split(story_id, item_id, False)


async def still_holds(tx: Services, who: Reader, origin: str, story_id: int, item_id: int) -> bool:
    """Whether a rule stands without this person's voice."""
    if origin == "admin" and CURATES not in who.permissions:
        return True
    return int(await tx.db.fetchval(VOICES, item_id, story_id)) >= ENOUGH


UNRULE = "DELETE FROM story_rules WHERE item_id = $1 AND story_id = $2"
# Meanwhile its feed may tell the story by another item, or there may be no room.
FITS = """
SELECT count(*) FILTER (WHERE f.visibility = 'listed') < $3 AND count(*) FILTER (WHERE i.feed_id = $2) = 0 AND count(*) > 0
FROM feed_items i JOIN feeds f ON f.id = i.feed_id WHERE i.story_id = $1
"""


async def put_back(tx: Services, who: Reader, origin: str, story_id: int, item_id: int) -> None:
    """Let a rule fall, and its item back into the story where it still fits."""
    await tx.db.execute(UNRULE, item_id, story_id)
    item: Any = await tx.db.fetchrow(PLACE, item_id)
    if item["story_id"] != story_id and await tx.db.fetchval(
        FITS, story_id, item["feed_id"], MOST_ITEMS
    ):
        await story_unions.put(tx, story_id, {item_id: item["story_id"]})
        await story_unions.recount(tx, [story_id, item["story_id"]])
        await tell(tx, item, [story_id])
    if origin == "admin":
        await audit.add(tx, who, "story.split_undone", ("item", item_id), after={"story": story_id})
