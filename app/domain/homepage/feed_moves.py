"""Feeds that move: the third permanent redirect in a row changes the address (chapter 20 rule 20)."""

from typing import Any

from app.domain.homepage.feed_addresses import looks_private
from app.domain.homepage.feed_documents import url_key
from app.domain.platform import secrets
from app.services import Services

TIMES = 3
MOVED = "UPDATE feeds SET moved_to = $2, moved_times = $3 WHERE id = $1"


async def follow(tx: Services, feed: Any, permanent_url: str | None) -> None:
    """Count a permanent redirect of a feed whose row the caller holds; after three to one place, move there."""
    if permanent_url is None or not may_move(feed, permanent_url):
        if feed["moved_to"] is not None:
            await tx.db.execute(MOVED, feed["id"], None, 0)
        return
    mark = url_key(permanent_url)
    # A mark and no address: where a private feed leads is as secret as where it is.
    seen = feed["moved_times"] + 1 if feed["moved_to"] == mark.hex() else 1
    if seen < TIMES:
        await tx.db.execute(MOVED, feed["id"], mark.hex(), seen)
    else:
        await move(tx, feed, permanent_url, mark)


def may_move(feed: Any, url: str) -> bool:
    """Whether the new address may stand in place of the old: what others see never takes on a key-like one."""
    return feed["owner_id"] is not None or not looks_private(url)


THERE = """
SELECT id FROM feeds WHERE url_key = $1 AND owner_id IS NOT DISTINCT FROM $2 AND id <> $3 FOR UPDATE
"""
MOVE = """
UPDATE feeds SET url = $2, url_enc = $3, url_key = $4, moved_to = NULL, moved_times = 0 WHERE id = $1
"""


async def move(tx: Services, feed: Any, url: str, key: bytes) -> None:
    """Give a feed its new address, or let it join the feed that has it."""
    other = await tx.db.fetchval(THERE, key, feed["owner_id"], feed["id"])
    if other is not None:
        await join(tx, feed["id"], other)
        return
    if feed["owner_id"] is None:
        await tx.db.execute(MOVE, feed["id"], url, None, key)
    else:
        sealed = secrets.seal(tx.settings, "feeds", "url_enc", feed["id"], url)
        await tx.db.execute(MOVE, feed["id"], None, sealed, key)


# In this order: what hangs on the old feed ($1) goes over to the one that stays ($2).
GO_OVER = (
    """
INSERT INTO feed_subscriptions (user_id, feed_id, title, folder, pinned, latest_n, muted_until, origin,
                                subscribed_at, unsubscribed_at)
SELECT user_id, $2, title, folder, pinned, latest_n, muted_until, origin, subscribed_at, unsubscribed_at
FROM feed_subscriptions WHERE feed_id = $1
ON CONFLICT (user_id, feed_id) DO UPDATE
SET unsubscribed_at = CASE WHEN EXCLUDED.unsubscribed_at IS NULL THEN NULL
                           ELSE feed_subscriptions.unsubscribed_at END
""",
    """
INSERT INTO item_states (user_id, item_id, read_at, unread_at, saved_at, hidden_at)
SELECT s.user_id, kept.id, s.read_at, s.unread_at, s.saved_at, s.hidden_at
FROM item_states s JOIN feed_items old ON old.id = s.item_id AND old.feed_id = $1
JOIN feed_items kept ON kept.feed_id = $2 AND kept.guid_hash = old.guid_hash
ON CONFLICT (user_id, item_id) DO UPDATE
SET read_at = coalesce(item_states.read_at, EXCLUDED.read_at),
    saved_at = coalesce(item_states.saved_at, EXCLUDED.saved_at),
    hidden_at = coalesce(item_states.hidden_at, EXCLUDED.hidden_at)
""",
    # What the feed that stays tells in the same story keeps its place there; the other's item gets a story of its own.
    """
WITH doubled AS (
    SELECT old.id, old.story_id, old.published_at, old.language, nextval('stories_id_seq') AS alone
    FROM feed_items old
    WHERE old.feed_id = $1 AND EXISTS (
        SELECT 1 FROM feed_items kept WHERE kept.feed_id = $2 AND kept.story_id = old.story_id)
), made AS (
    INSERT INTO stories (id, first_at, last_at, language) OVERRIDING SYSTEM VALUE
    SELECT alone, published_at, published_at, language FROM doubled
)
UPDATE feed_items i SET story_id = d.alone FROM doubled d WHERE i.id = d.id
""",
    # Where a feed leads is its publisher's word alone: items of one that nobody vouched for do not reach the readers of
    # another. A listed feed brings them, and a private one, which only its owner reads.
    """
UPDATE feed_items old SET feed_id = $2
WHERE old.feed_id = $1 AND EXISTS (
    SELECT 1 FROM feeds f WHERE f.id = $1 AND (f.visibility = 'listed' OR f.owner_id IS NOT NULL)
) AND NOT EXISTS (
    SELECT 1 FROM feed_items kept WHERE kept.feed_id = $2 AND kept.guid_hash = old.guid_hash)
""",
    """
INSERT INTO news_watermarks (user_id, feed_id, read_before)
SELECT user_id, $2, read_before FROM news_watermarks WHERE feed_id = $1
ON CONFLICT (user_id, feed_id) DO UPDATE SET read_before = greatest(news_watermarks.read_before, EXCLUDED.read_before)
""",
    """
UPDATE news_filters f SET feed_id = $2 WHERE f.feed_id = $1 AND NOT EXISTS (
    SELECT 1 FROM news_filters k
    WHERE k.user_id = f.user_id AND k.kind = f.kind AND k.feed_id = $2 AND lower(k.value) = lower(f.value))
""",
    """
UPDATE page_widgets SET settings = jsonb_set(settings, '{feed_id}', to_jsonb($2::bigint))
WHERE type = 'rss_feed' AND settings -> 'feed_id' = to_jsonb($1::bigint)
""",
    # What the operator listed stays listed, under its new address.
    """
UPDATE feeds kept
SET visibility = CASE WHEN 'listed' IN (old.visibility, kept.visibility) THEN 'listed' ELSE kept.visibility END,
    title = CASE WHEN old.visibility = 'listed' THEN old.title ELSE kept.title END,
    tag_id = coalesce(kept.tag_id, old.tag_id), default_on = kept.default_on OR old.default_on,
    next_fetch_at = CASE WHEN kept.state IN ('gone', 'disabled') THEN NULL ELSE now() END,
    version = kept.version + old.version + 1
FROM feeds old WHERE old.id = $1 AND kept.id = $2
""",
)
TELL_READERS = """
INSERT INTO reader_versions (user_id, area) SELECT user_id, 'news' FROM feed_subscriptions WHERE feed_id = $1
ON CONFLICT (user_id, area) DO UPDATE SET version = reader_versions.version + 1
"""
# Figures of the stories that items went out of or came over to.
COUNT_AGAIN = """
SELECT recount_stories(array(SELECT DISTINCT story_id FROM feed_items WHERE feed_id = $1 AND story_id IS NOT NULL))
"""
CLEAR_AWAY = (
    "DELETE FROM feed_items WHERE feed_id = $1",
    "DELETE FROM news_watermarks WHERE feed_id = $1",
    "DELETE FROM feeds WHERE id = $1",
)


async def join(tx: Services, old: int, kept: int) -> None:
    """Let one feed go up in another: its readers and marks come along, and the items of one that can be trusted."""
    for statement in GO_OVER:
        await tx.db.execute(statement, old, kept)
    await tx.db.execute(TELL_READERS, kept)
    for statement in CLEAR_AWAY:
        await tx.db.execute(statement, old)
    await tx.db.execute(COUNT_AGAIN, kept)
