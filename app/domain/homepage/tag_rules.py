"""Tags by keywords: what an item has at once, before any model has seen it (chapter 20 rule 38)."""

from app.services import Services

# The tags whose keywords are told most often, as whole words, also with an s at their end; at most three.
# $1 the feed, whose items of this very transaction have no tag yet.
TAG = """
WITH untagged AS (
    SELECT id, ' ' || words || ' ' AS words FROM feed_items
    WHERE feed_id = $1 AND tagged_by = 'none' AND fetched_at >= now()
), hits AS (
    SELECT u.id AS item_id, t.id AS tag_id,
           row_number() OVER (PARTITION BY u.id ORDER BY count(*) DESC, t.sort, t.id) AS place
    FROM untagged u CROSS JOIN tags t CROSS JOIN unnest(t.keywords) AS keyword
    WHERE t.state = 'active'
      AND (strpos(u.words, ' ' || keyword || ' ') > 0 OR strpos(u.words, ' ' || keyword || 's ') > 0)
    GROUP BY u.id, t.id, t.sort
), given AS (
    INSERT INTO item_tags (item_id, tag_id, origin)
    SELECT item_id, tag_id, 'rules' FROM hits WHERE place <= 3 ON CONFLICT (item_id, tag_id) DO NOTHING
)
UPDATE feed_items SET tagged_by = 'rules' WHERE id IN (SELECT item_id FROM hits)
"""


async def tag(tx: Services, feed_id: int) -> None:
    """Tag by keywords what a feed without a tag of its own just told, in the transaction that stored it."""
    await tx.db.execute(TAG, feed_id)
