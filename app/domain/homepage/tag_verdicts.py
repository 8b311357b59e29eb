"""Verdicts of readers on tags: one counts for its person at once, three that agree for everybody (rule 41)."""

from typing import Literal

import msgspec

from app.domain.homepage import item_holds, versions
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

AGREE = 3


class Verdict(msgspec.Struct, forbid_unknown_fields=True):
    """What a reader holds of a tag on an item: it fits, it does not, or it should be there."""

    verdict: Literal["right", "wrong", "missing"]


# The tags of item i as its reader ($1) sees them: without what they called wrong, with what they said was missing.
SHOWN = """array(
    SELECT t.slug || '=' || t.name FROM (
        SELECT it.tag_id FROM item_tags it WHERE it.item_id = i.id
        UNION
        SELECT v.tag_id FROM tag_verdicts v WHERE v.user_id = $1 AND v.item_id = i.id AND v.verdict = 'missing'
    ) AS own JOIN tags t ON t.id = own.tag_id
    WHERE NOT EXISTS (
        SELECT FROM tag_verdicts v
        WHERE v.user_id = $1 AND v.item_id = i.id AND v.tag_id = own.tag_id AND v.verdict = 'wrong')
    ORDER BY t.sort)"""
# The same for all items of `told` together, each with its tags: item by item it costs as much as all else of a list.
TAGGED = """tagged AS MATERIALIZED (
    SELECT own.item_id, array_agg(t.slug || '=' || t.name ORDER BY t.sort) AS tags FROM (
        SELECT it.item_id, it.tag_id FROM item_tags it WHERE it.item_id = ANY(ARRAY(SELECT id FROM told))
        UNION
        SELECT v.item_id, v.tag_id FROM tag_verdicts v
        WHERE v.user_id = $1 AND v.item_id = ANY(ARRAY(SELECT id FROM told)) AND v.verdict = 'missing'
    ) AS own JOIN tags t ON t.id = own.tag_id
    WHERE NOT EXISTS (
        SELECT FROM tag_verdicts v
        WHERE v.user_id = $1 AND v.item_id = own.item_id AND v.tag_id = own.tag_id AND v.verdict = 'wrong')
    GROUP BY own.item_id
)"""
# The numbers of the same tags, for who knows how each is called: in half the time.
NUMBERS = """ARRAY(
    SELECT it.tag_id FROM item_tags it WHERE it.item_id = i.item_id AND NOT EXISTS (
        SELECT FROM tag_verdicts v WHERE v.user_id = $1 AND v.item_id = it.item_id AND v.tag_id = it.tag_id AND v.verdict = 'wrong')
    UNION ALL
    SELECT v.tag_id FROM tag_verdicts v WHERE v.user_id = $1 AND v.item_id = i.item_id AND v.verdict = 'missing')"""
# $1 reader: of a listed feed, or of one they read.
SEEN = """
SELECT t.id FROM feed_items i JOIN feeds f ON f.id = i.feed_id, tags t
WHERE i.id = $2 AND t.slug = $3 AND t.state = 'active' AND (f.visibility = 'listed' OR EXISTS (
    SELECT FROM feed_subscriptions s WHERE s.user_id = $1 AND s.feed_id = f.id AND s.unsubscribed_at IS NULL))
"""
PUT = """
INSERT INTO tag_verdicts (user_id, item_id, tag_id, verdict) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, item_id, tag_id) DO UPDATE SET verdict = EXCLUDED.verdict, created_at = now()
"""
AGREED = """
SELECT count(*) FROM tag_verdicts v JOIN users u ON u.id = v.user_id
WHERE v.item_id = $1 AND v.tag_id = $2 AND v.verdict = $3 AND u.kind = 'member'
"""
TAKE_OFF = "DELETE FROM item_tags WHERE item_id = $1 AND tag_id = $2"
PUT_ON = """
INSERT INTO item_tags (item_id, tag_id, origin, confidence) VALUES ($1, $2, 'person', 1)
ON CONFLICT (item_id, tag_id) DO UPDATE SET origin = 'person', confidence = 1
"""
SETTLED = "UPDATE feed_items SET tagged_by = 'person' WHERE id = $1"
TELL = "UPDATE feeds SET version = version + 1 WHERE id = (SELECT feed_id FROM feed_items WHERE id = $1)"


async def put(services: Services, who: Reader, item_id: int, slug: str, verdict: str) -> None:
    """Keep a reader's verdict; of members three that agree change the tag for all. Raises NotFound."""

    async def kept(tx: Services) -> None:
        tag_id = await tx.db.fetchval(SEEN, who.id, item_id, slug)
        if tag_id is None:
            raise NotFound("There is no such story or tag.")
        # Two who come at once are counted one after the other.
        if not await item_holds.held(tx, [item_id]):
            raise NotFound("There is no such story or tag.")
        await tx.db.execute(PUT, who.id, item_id, tag_id, verdict)
        await versions.bump(tx, who.id, "news")
        if verdict == "right" or await tx.db.fetchval(AGREED, item_id, tag_id, verdict) < AGREE:
            return
        await tx.db.execute(TAKE_OFF if verdict == "wrong" else PUT_ON, item_id, tag_id)
        await tx.db.execute(SETTLED, item_id)
        await tx.db.execute(TELL, item_id)

    await services.again(kept)
