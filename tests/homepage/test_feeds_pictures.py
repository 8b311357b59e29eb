"""Pictures of news and the end of news (chapter 20 rules 26 and 37)."""

import dataclasses
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from app.box import Box
from app.domain.homepage import news_purge, thumbnails
from app.domain.platform import objects
from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.pictures import Pictures
from app.outside.s3 import ObjectStore
from app.services import Services
from tests.homepage.publisher import HOST, Publisher, item, rss
from tests.homepage.test_feeds_fetching import added, refreshed
from tests.people import member

PICTURE = f'<enclosure url="https://{HOST}/big.png" type="image/png" length="1"/></item>'


@pytest.fixture
async def picturing(box: Box, reaching: Services) -> AsyncIterator[Services]:
    """Services with an object store and the picture child."""
    place = reaching.settings
    store = ObjectStore(
        place.s3_endpoint,
        place.s3_access_key,
        place.s3_secret_key,
        "-pictures",
        breaker=Breaker("s3"),
    )
    await store.ensure_buckets({objects.BUCKETS["news"][0]: False})
    pictures = Pictures()
    yield dataclasses.replace(
        reaching, outside={**reaching.outside, "s3": store, "pictures": pictures}
    )
    await pictures.close()
    await store.close()


def published(publisher: Publisher, hours: float = 1) -> None:
    """Let the publisher have one item with a picture."""
    drawn = BytesIO()
    Image.new("RGB", (800, 600), "teal").save(drawn, "PNG")
    publisher.put("/feed", rss([item("Bridge opens", hours).replace("</item>", PICTURE)]))
    publisher.put("/big.png", content_type="image/png")
    publisher.pages[f"{HOST}/big.png"].body = drawn.getvalue()


async def fetched_item(services: Services) -> Any:
    """The one item after a refresh of its feed."""
    feed = await refreshed(services, await added(services))
    return await services.db.fetchrow(
        "SELECT id, feed_id, image_url, image_key FROM feed_items WHERE feed_id = $1", feed["id"]
    )


async def test_a_new_item_gets_one_small_webp_kept_for_a_month(
    picturing: Services, publisher: Publisher
) -> None:
    published(publisher)
    found = await fetched_item(picturing)
    jobs = await picturing.db.fetch(
        "SELECT payload, queue, max_attempts FROM delayed_jobs WHERE job_type = 'make_thumbnail'"
    )
    assert [(job["payload"]["item_id"], job["queue"], job["max_attempts"]) for job in jobs] == [
        (found["id"], "BULK", 2)
    ]
    before = await picturing.db.fetchval(
        "SELECT version FROM feeds WHERE id = $1", found["feed_id"]
    )
    for _ in range(2):
        await thumbnails.make(picturing, found["id"])
    key = await picturing.db.fetchval("SELECT image_key FROM feed_items WHERE id = $1", found["id"])
    kept = await objects.public(picturing, "news", key)
    chunks = await objects.opened(picturing, kept)
    picture = Image.open(BytesIO(b"".join([chunk async for chunk in chunks.chunks])))
    assert (picture.format, picture.size, kept.content_type) == ("WEBP", (320, 180), "image/webp")
    assert (
        await picturing.db.fetchval("SELECT version FROM feeds WHERE id = $1", found["feed_id"])
        == before + 1
    )


async def test_without_an_object_store_no_picture_is_wanted(
    reaching: Services, publisher: Publisher
) -> None:
    published(publisher)
    await fetched_item(reaching)
    assert (
        await reaching.db.fetchval(
            "SELECT count(*) FROM delayed_jobs WHERE job_type = 'make_thumbnail'"
        )
        == 0
    )


async def test_what_is_no_picture_is_not_asked_for_again(
    picturing: Services, publisher: Publisher
) -> None:
    published(publisher)
    publisher.put("/big.png", "<html>no</html>")
    found = await fetched_item(picturing)
    await thumbnails.make(picturing, found["id"])
    assert (
        await picturing.db.fetchval("SELECT image_url FROM feed_items WHERE id = $1", found["id"])
        is None
    )


async def test_a_picture_that_is_away_is_tried_once_more(
    picturing: Services, publisher: Publisher
) -> None:
    published(publisher)
    publisher.put("/big.png", "", 429)
    found = await fetched_item(picturing)
    first = dataclasses.replace(picturing, job=Attempt(1))
    with pytest.raises(ServiceDown):
        await thumbnails.make(first, found["id"])
    await thumbnails.make(dataclasses.replace(picturing, job=Attempt(2)), found["id"])
    assert (
        await picturing.db.fetchval("SELECT image_url FROM feed_items WHERE id = $1", found["id"])
        is None
    )


@dataclasses.dataclass
class Attempt:
    """What a job knows of its attempts."""

    attempt: int

    @property
    def kind(self) -> Any:
        """The type of the job, with its number of attempts."""
        return dataclasses.make_dataclass("Kind", ["attempts"])(2)


async def test_old_news_dies_with_story_and_picture_unless_somebody_saved_it(
    picturing: Services, publisher: Publisher
) -> None:
    published(publisher)
    found = await fetched_item(picturing)
    await thumbnails.make(picturing, found["id"])
    publisher.put("/feed", rss([item("Saved", 1), item("Forgotten", 2), item("Young", 3)]))
    await refreshed(picturing, found["feed_id"])
    old = "UPDATE feed_items SET published_at = now() - interval '91 days' WHERE title <> 'Young'"
    await picturing.db.execute(old)
    who = await member(picturing, "grace@example.org")
    save = "INSERT INTO item_states (user_id, item_id, saved_at) SELECT $1, id, now() FROM feed_items WHERE title = 'Saved'"
    await picturing.db.execute(save, who.id)
    await news_purge.purge(picturing)
    rows = await picturing.db.fetch("SELECT title, story_id FROM feed_items ORDER BY title")
    assert [row["title"] for row in rows] == ["Saved", "Young"]
    stories = await picturing.db.fetch("SELECT id FROM stories ORDER BY id")
    assert [row["id"] for row in stories] == sorted(row["story_id"] for row in rows)
    assert (
        await picturing.db.fetchval("SELECT count(*) FROM stored_objects WHERE bucket = 'news'")
        == 0
    )


async def test_a_picture_that_expired_is_forgotten_by_its_item(
    picturing: Services, publisher: Publisher
) -> None:
    published(publisher)
    found = await fetched_item(picturing)
    await thumbnails.make(picturing, found["id"])
    await picturing.db.execute("UPDATE feed_items SET fetched_at = now() - interval '31 days'")
    await picturing.db.execute("UPDATE stored_objects SET expires_at = now() - interval '1 hour'")
    await news_purge.purge(picturing)
    row = await picturing.db.fetchrow(
        "SELECT image_key, image_url FROM feed_items WHERE id = $1", found["id"]
    )
    assert (row["image_key"], row["image_url"]) == (None, None)


async def test_attempts_checks_and_imports_are_forgotten_in_time(services: Services) -> None:
    who = await member(services)
    feed_id = await added(services, email="grace@example.org")
    fetch = "INSERT INTO feed_fetches (feed_id, at, status) VALUES ($1, now() - $2 * interval '1 day', 200)"
    for days in (1, 15):
        await services.db.execute(fetch, feed_id, days)
    check = "INSERT INTO feed_checks (token_hash, user_id, input, created_at) VALUES ($1, $2, '', now() - $3 * interval '1 hour')"
    for hours in (1, 25):
        await services.db.execute(check, bytes([hours]), who.id, hours)
    await news_purge.purge(services)
    counts = [
        await services.db.fetchval(f"SELECT count(*) FROM {name}")
        for name in ("feed_fetches", "feed_checks")
    ]
    assert counts == [1, 1]
