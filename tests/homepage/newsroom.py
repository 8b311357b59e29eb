"""Feeds and items for tests, written as the fetching writes them."""

import hashlib
from datetime import UTC, datetime, timedelta

from app.domain.homepage import versions
from app.domain.homepage.folding import folded
from app.domain.platform.readers import Reader
from app.services import Services

NOW = datetime.now(UTC).replace(microsecond=0)

ADD_FEED = """
INSERT INTO feeds (url, url_key, visibility, title, default_on, last_ok_at, state)
VALUES ($1, $2, $3, $4, $5, now(), 'active') RETURNING id
"""
ADD_ITEM = """
WITH story AS (INSERT INTO stories (first_at, last_at) VALUES ($4, $4) RETURNING id)
INSERT INTO feed_items (feed_id, guid_hash, url, title, published_at, summary_html, body_text, content_hash, story_id, words)
SELECT $1, $2, $3, $5, $4, $6, $6, $2, id, $7 FROM story RETURNING id
"""


async def feed(
    services: Services, name: str, *, default_on: bool = True, visibility: str = "listed"
) -> int:
    """A feed that was fetched just now."""
    url = f"https://{name}.example/feed"
    key = hashlib.sha256(url.encode()).digest()
    found: int = await services.db.fetchval(
        ADD_FEED, url, key, visibility, name.title(), default_on
    )
    return found


async def item(
    services: Services,
    feed_id: int,
    title: str,
    *,
    minutes: int = 0,
    text: str = "",
    url: str | None = "",
) -> int:
    """An item published that many minutes ago."""
    address = f"https://paper.example/{title.replace(' ', '-')}" if url == "" else url
    digest = hashlib.sha256(f"{feed_id}:{title}".encode()).digest()
    at = NOW - timedelta(minutes=minutes)
    words = folded(f"{title} {text}")
    found: int = await services.db.fetchval(
        ADD_ITEM, feed_id, digest, address, at, title, text, words
    )
    return found


async def tagged(services: Services, item_id: int, slug: str) -> None:
    """Put a tag on an item."""
    tag_id = await services.db.fetchval(
        "INSERT INTO tags (slug, name) VALUES ($1, initcap($1)) ON CONFLICT (slug) DO UPDATE SET name = tags.name RETURNING id",
        slug,
    )
    await services.db.execute(
        "INSERT INTO item_tags (item_id, tag_id, origin) VALUES ($1, $2, 'feed')", item_id, tag_id
    )


async def subscribed(services: Services, who: Reader, feed_id: int, **columns: object) -> None:
    """Subscribe a member, with some columns of the subscription set."""
    await services.db.execute(
        "INSERT INTO feed_subscriptions (user_id, feed_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        who.id,
        feed_id,
    )
    for name, value in columns.items():
        await services.db.execute(
            f"UPDATE feed_subscriptions SET {name} = $3 WHERE user_id = $1 AND feed_id = $2",
            who.id,
            feed_id,
            value,
        )
    await versions.bump(services, who.id, "news")
