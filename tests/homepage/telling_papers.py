"""Papers that tell of events, for the tests of stories: entries stored as a fetch stores them."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app.domain.homepage import feed_items
from app.domain.homepage.feed_documents import FeedEntry
from app.domain.homepage.story_desks import Source
from app.services import Services
from tests.homepage.newsroom import NOW, feed

QUAKE = (
    ("Strong quake shakes Mindanao, no tsunami alert", "Residents of Davao ran into the streets after an earthquake of magnitude 6.4 off Mindanao, authorities said."),
    ("Magnitude 6.4 earthquake strikes off Mindanao in southern Philippines", "An earthquake of magnitude 6.4 shook buildings in Davao, but authorities gave no tsunami alert."),
    ("Philippines: Davao shaken by magnitude 6.4 quake off Mindanao", "Residents ran into the streets of Davao after the earthquake. There was no tsunami alert."),
)  # fmt: skip
MERGER = (
    ("Court blocks FreshCo purchase of grocer Allman", "A judge in Oregon sided with regulators who argued that the supermarket merger of FreshCo and Allman hurts shoppers."),
    ("Judge in Oregon halts supermarket merger of FreshCo and Allman", "The merger would hurt shoppers, regulators argued in court, and the judge agreed with them."),
)  # fmt: skip


def entry(
    title: str,
    summary: str = "",
    *,
    hours: float = 1,
    url: str | None = None,
    image: str | None = None,
    language: str | None = "en",
    key: str = "",
) -> FeedEntry:
    """One entry published that many hours ago."""
    digest = hashlib.sha256(f"{title}{summary}{key}".encode()).digest()
    return FeedEntry(
        guid_hash=digest, url=url, url_key=hashlib.sha256(url.encode()).digest() if url else None, title=title,
        summary_html=f"<p>{summary}</p>" if summary else "", body_text=summary, author="", image_url=image,
        language=language, published_at=NOW - timedelta(hours=hours), content_hash=digest,
    )  # fmt: skip


VISIBILITY = "SELECT visibility FROM feeds WHERE id = $1"


async def bring(
    services: Services, feed_id: int, *entries: FeedEntry, now: datetime = NOW
) -> list[int]:
    """Store what a feed brought; answer the items, in the order given."""
    async with services.tx() as tx:
        source = Source(feed_id, await tx.db.fetchval(VISIBILITY + " FOR UPDATE", feed_id))
        await feed_items.store(tx, source, entries, tag_id=None, most=500, now=now)
        rows = await tx.db.fetch("SELECT id, guid_hash FROM feed_items WHERE feed_id = $1", feed_id)
    ids = {row["guid_hash"]: row["id"] for row in rows}
    return [ids[one.guid_hash] for one in entries]


async def stories_of(services: Services, items: Sequence[int]) -> list[int]:
    """The stories of these items, in their order."""
    rows = await services.db.fetch(
        "SELECT id, story_id FROM feed_items WHERE id = ANY($1)", list(items)
    )
    found = {row["id"]: row["story_id"] for row in rows}
    return [found[item] for item in items]


async def figures(services: Services, story_id: int) -> Any:
    """One story's row, None when it is gone."""
    return await services.db.fetchrow("SELECT * FROM stories WHERE id = $1", story_id)


async def quake(services: Services) -> tuple[int, list[int]]:
    """A story that three feeds tell, and its items."""
    items = []
    for name, told in zip(("courier", "gazette", "herald"), QUAKE, strict=True):
        items += await bring(services, await feed(services, name), entry(*told))
    [story] = set(await stories_of(services, items))
    return story, items
