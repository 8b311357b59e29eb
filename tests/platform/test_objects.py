"""Objects: a row, the object, the row again; served from our own address; swept when never finished."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from app.box import Box
from app.domain.platform import objects
from app.outside.breakers import Breaker
from app.outside.s3 import ObjectStore
from app.services import Services
from tests.conftest import client_on
from tests.people import Browser


@pytest.fixture
async def storing(services: Services, box: Box) -> AsyncIterator[Services]:
    """Services with this run's object store."""
    env = box.env
    store = ObjectStore(
        env["S3_ENDPOINT"], env["S3_ACCESS_KEY"], env["S3_SECRET_KEY"], breaker=Breaker("s3")
    )
    await store.ensure_buckets(dict(objects.BUCKETS.values()))
    yield dataclasses.replace(services, outside={"s3": store})
    await store.close()


async def test_a_stored_picture_is_served_for_a_year_by_its_version(storing: Services) -> None:
    await objects.put(storing, "news", "7.webp", b"picture", "image/webp", size=(320, 180))
    async with client_on(storing) as client:
        answer = await client.get("/media/news/7.webp?v=1")
        assert (answer.content, answer.headers["content-type"]) == (b"picture", "image/webp")
        assert "immutable" in answer.headers["cache-control"]
        assert (await client.get("/media/news/8.webp")).status_code == 404
        assert (await client.get("/media/gdpr-exports/7.webp")).status_code == 404


async def test_what_was_never_finished_or_has_expired_is_swept(storing: Services) -> None:
    await objects.put(storing, "news", "old.webp", b"x", "image/webp", days=-1)
    await objects.put(storing, "news", "half.webp", b"x", "image/webp")
    await objects.put(storing, "news", "good.webp", b"x", "image/webp")
    age = "UPDATE stored_objects SET state = 'uploading', created_at = now() - interval '25 hours' WHERE key = 'half.webp'"
    await storing.db.execute(age)
    assert await objects.sweep(storing) == 2
    assert [row["key"] for row in await storing.db.fetch("SELECT key FROM stored_objects")] == [
        "good.webp"
    ]


async def test_without_a_store_a_picture_is_a_kind_503(
    browser: Browser, services: Services
) -> None:
    await services.db.execute(
        "INSERT INTO stored_objects (bucket, key, content_type, sha256, state) VALUES ('news', '7.webp', 'image/webp', '\\x00', 'live')"
    )
    answer = await browser.json("GET", "/media/news/7.webp")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_configured")
