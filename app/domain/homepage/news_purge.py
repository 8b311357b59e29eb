"""The purge of news: what is too old goes, what somebody saved stays (chapter 20 rules 26 and 37)."""

import structlog

from app.domain.platform import objects
from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("feeds")

ROWS = 5_000

ITEMS = """
WITH old AS (
    SELECT i.id FROM feed_items i
    WHERE i.published_at < now() - $1::int * interval '1 day'
      AND NOT EXISTS (SELECT 1 FROM item_states s WHERE s.item_id = i.id AND s.saved_at IS NOT NULL)
    ORDER BY i.published_at LIMIT $2 FOR UPDATE SKIP LOCKED
), dead AS (
    DELETE FROM feed_items WHERE id IN (SELECT id FROM old)
    RETURNING id, image_key
)
SELECT count(*)::int AS gone, array_agg(image_key) FILTER (WHERE image_key IS NOT NULL) AS pictures FROM dead
"""
# Files of the store expire by themselves; here the items learn of it.
PICTURES = """
UPDATE feed_items SET image_key = NULL, image_url = NULL WHERE id IN (
    SELECT i.id FROM feed_items i
    WHERE i.image_key IS NOT NULL AND i.fetched_at < now() - interval '29 days' AND NOT EXISTS (
        SELECT 1 FROM stored_objects o
        WHERE o.bucket = 'news' AND o.key = i.image_key AND o.expires_at > now() + interval '1 day')
    LIMIT $1)
"""
FETCHES = """
DELETE FROM feed_fetches WHERE id IN (
    SELECT id FROM feed_fetches WHERE at < now() - interval '14 days' ORDER BY at LIMIT $1)
"""
# Words are looked for within days of an item; spans are of two days.
WORDS = """
DELETE FROM story_words WHERE key IN (
    SELECT key FROM story_words WHERE span < extract(epoch FROM now())::bigint / 172800 - 50 LIMIT $1)
"""
CHECKS = "DELETE FROM feed_checks WHERE created_at < now() - interval '24 hours'"
IMPORTS = "DELETE FROM opml_imports WHERE created_at < now() - interval '30 days'"


async def purge(services: Services) -> None:
    """Delete old items, attempts, checks and imports, 5,000 rows a statement."""
    items = await purge_items(services)
    pictures = await repeated(services, PICTURES)
    fetches = await repeated(services, FETCHES)
    await repeated(services, WORDS)
    await services.db.execute(CHECKS)
    await services.db.execute(IMPORTS)
    log.info("news purged", items=items, pictures=pictures, fetches=fetches)


async def purge_items(services: Services) -> int:
    """Delete items older than FEED_ITEM_DAYS that nobody saved, their stories and pictures; answer how many."""
    total = 0
    while True:
        row = await services.db.fetchrow(ITEMS, services.settings.feed_item_days, ROWS)
        gone: int = row["gone"]
        total += gone
        await drop_pictures(services, row["pictures"] or [])
        if gone < ROWS:
            return total


async def drop_pictures(services: Services, keys: list[str]) -> None:
    """Delete the files of items that are gone; while the store is away they wait for their expiry."""
    if not keys or services.outside.get("s3") is None:
        return
    try:
        await objects.remove(services, "news", keys)
    except ServiceDown:
        log.warning("pictures not deleted", why="object store away", pictures=len(keys))


async def repeated(services: Services, statement: str) -> int:
    """Run a statement of at most 5,000 rows until nothing is left; answer how many rows there were."""
    total = 0
    while True:
        done = int((await services.db.execute(statement, ROWS)).rpartition(" ")[2])
        total += done
        if done < ROWS:
            return total
