"""Thumbnails: one small picture an item, made by us, so that no reader loads from a publisher (chapter 20 rule 26)."""

from typing import Any

from app.domain.homepage.feed_attempts import wait_for_turn
from app.domain.platform import objects, pictures
from app.errors import OutsideFailed, ServiceDown
from app.services import Services

[VARIANT] = pictures.VARIANTS["news"][1]
DAYS = 30
MOST_BYTES = 10 * 2**20
# What may be gone in a minute; anything else says that there is no picture.
PASSING = frozenset({"timeout", "too_slow", "connect", "dns", "cut_off", "http_429"})

WANTED = """
SELECT i.id, i.feed_id, i.image_url FROM feed_items i JOIN feeds f ON f.id = i.feed_id
WHERE i.id = $1 AND i.image_url IS NOT NULL AND i.image_key IS NULL
  AND (f.visibility = 'listed' OR EXISTS (
      SELECT 1 FROM feed_subscriptions s WHERE s.feed_id = f.id AND s.unsubscribed_at IS NULL))
"""


async def make(services: Services, item_id: int) -> None:
    """Make the picture of an item that somebody can see. Raises ServiceDown while another try may help, and Defer."""
    item = await services.db.fetchrow(WANTED, item_id)
    if item is None or services.outside.get("s3") is None:
        return
    wait_for_turn(services, item["image_url"])
    try:
        content = await small(services, item["image_url"])
    except OutsideFailed as failed:
        if failed.code in PASSING and not is_last(services):
            raise ServiceDown("The picture cannot be fetched now.", code=failed.code) from failed
        await services.db.execute(NONE, item_id)
        return
    key = f"{item_id}.webp"
    await objects.put(
        services,
        "news",
        key,
        content,
        "image/webp",
        subject=f"item:{item_id}",
        variant=VARIANT[0],
        size=VARIANT[1:3],
        days=DAYS,
    )
    await keep(services, item, key)


async def small(services: Services, url: str) -> bytes:
    """The picture at an address as a WebP of our size. Raises OutsideFailed."""
    fetched = await services.outside["guarded"].fetch(url, accept="image/*", max_bytes=MOST_BYTES)
    [picture] = await services.outside["pictures"].webp(fetched.content, [VARIANT])
    content: bytes = picture.content
    return content


def is_last(services: Services) -> bool:
    """Whether the job that runs has no further attempt."""
    return services.job is None or services.job.attempt >= services.job.kind.attempts


NONE = "UPDATE feed_items SET image_url = NULL WHERE id = $1 AND image_key IS NULL"
KEEP = "UPDATE feed_items SET image_key = $2 WHERE id = $1 RETURNING id"
# The last picture of a batch tells the open pages, so that a hundred pictures are one change.
TELL = """
UPDATE feeds SET version = version + 1 WHERE id = $1 AND NOT EXISTS (
    SELECT 1 FROM feed_items i
    WHERE i.feed_id = $1 AND i.image_url IS NOT NULL AND i.image_key IS NULL
      AND i.fetched_at > now() - interval '10 minutes' AND i.published_at > now() - interval '30 days')
"""


async def keep(services: Services, item: Any, key: str) -> None:
    """Note the picture with its item; of an item that died meanwhile the picture goes too."""
    if await services.db.fetchval(KEEP, item["id"], key) is None:
        await objects.remove(services, "news", [key])
        return
    await services.db.execute(TELL, item["feed_id"])
