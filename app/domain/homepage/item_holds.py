"""Holding items that are about to change: whoever holds several rows takes them in one order, so that no two wait for each other.

The order is: feeds, then what stories are assigned under (story_assignment.locked), then items, then stories; of each the
lower number first. A feed that is only to be told of a change is passed over while somebody else holds it
(story_unions.tell): who comes from a later place in the order does not wait for an earlier one.
"""

from collections.abc import Sequence

from app.services import Services

HOLD_FEEDS = """
SELECT id FROM feeds WHERE id IN (SELECT feed_id FROM feed_items WHERE id = ANY($1)) ORDER BY id FOR NO KEY UPDATE
"""
HOLD_ITEMS = "SELECT id FROM feed_items WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"


async def held(tx: Services, ids: Sequence[int]) -> set[int]:
    """Hold items and their feeds to the end of the caller's transaction; answer those that are there."""
    await tx.db.execute(HOLD_FEEDS, ids)
    return {row["id"] for row in await tx.db.fetch(HOLD_ITEMS, ids)}
