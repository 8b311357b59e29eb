"""Objects: a row, the object, the row again; served from our own address; swept when without a partner."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.platform import object_sweeps, objects
from app.services import Services
from tests.conftest import client_on
from tests.outside.test_s3 import counted
from tests.people import Browser
from tests.platform.stored import bytes_of, ensure, keys_in, storing

__all__ = ["storing"]


async def aged(services: Services, key: str, state: str = "live") -> None:
    """Let a row be of the day before yesterday."""
    await services.db.execute(
        "UPDATE stored_objects SET state = $2, created_at = now() - interval '2 days' WHERE key = $1",
        key,
        state,
    )


async def test_a_stored_picture_is_served_for_a_year_by_its_version(storing: Services) -> None:
    await objects.put(storing, "news", "7.webp", b"picture", "image/webp", size=(320, 180))
    async with client_on(storing) as client:
        answer = await client.get("/media/news/7.webp?v=1")
        assert (answer.content, answer.headers["content-type"]) == (b"picture", "image/webp")
        assert "immutable" in answer.headers["cache-control"]
        assert "immutable" not in (await client.get("/media/news/7.webp")).headers["cache-control"]
        assert (await client.get("/media/news/8.webp")).status_code == 404
        assert (await client.get("/media/gdpr-exports/7.webp")).status_code == 404
        known = {"if-none-match": answer.headers["etag"]}
        assert (await client.get("/media/news/7.webp?v=1", headers=known)).status_code == 304


@pytest.mark.parametrize(
    ("asked", "status", "content", "said"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-2", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
async def test_a_part_of_a_file_can_be_asked_for(
    storing: Services, asked: str, status: int, content: bytes, said: str | None
) -> None:
    await objects.put(storing, "news", "ten", b"0123456789", "image/webp")
    async with client_on(storing) as client:
        answer = await client.get("/media/news/ten", headers={"range": asked})
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("content-range") == said


async def test_bytes_are_counted_by_the_buckets_label(storing: Services) -> None:
    up, down = "storage_bytes_uploaded_total", "storage_bytes_downloaded_total"
    before = counted(up, bucket="listings"), counted(down, bucket="listings")
    await objects.put(storing, "listings", "listings/1.webp", b"12345", "image/webp")
    await bytes_of(storing, "listings", "listings/1.webp")
    after = counted(up, bucket="listings"), counted(down, bucket="listings")
    assert (after[0] - before[0], after[1] - before[1]) == (5, 5)


async def test_what_was_never_finished_or_has_expired_is_swept(storing: Services) -> None:
    await objects.put(storing, "news", "old.webp", b"x", "image/webp", days=-1)
    await objects.put(storing, "news", "half.webp", b"x", "image/webp")
    await objects.put(storing, "news", "good.webp", b"x", "image/webp")
    await aged(storing, "half.webp", "uploading")
    assert await object_sweeps.sweep_rows(storing) == 2
    assert await storing.db.fetchval("SELECT array_agg(key) FROM stored_objects") == ["good.webp"]
    assert await keys_in(storing, "news") == ["good.webp"]


async def test_after_the_sweep_nothing_is_without_its_partner(
    storing: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_sweeps, "BATCH", 2)
    store = objects.store_of(storing)
    for name in ("a", "b", "c/1", "c.1", "d", "e", "z"):
        await objects.put(storing, "listings", f"listings/{name}.webp", b"x", "image/webp")
        await aged(storing, f"listings/{name}.webp")
    for lost in ("a", "c/1", "z"):
        await store.delete("homepage-listings", f"listings/{lost}.webp")
    for orphan in ("0", "c0", "zz"):
        await store.put("homepage-listings", f"listings/{orphan}.webp", b"x", "image/webp")
    assert await object_sweeps.sweep_bucket(storing, "listings") == 3
    monkeypatch.setattr(object_sweeps, "GRACE", -timedelta(hours=1))
    assert await object_sweeps.sweep_bucket(storing, "listings") == 3
    rows = await storing.db.fetch("SELECT key FROM stored_objects WHERE state = 'live'")
    kept = sorted(f"listings/{name}.webp" for name in ("b", "c.1", "d", "e"))
    assert sorted(row["key"] for row in rows) == sorted(await keys_in(storing, "listings")) == kept


async def test_no_sweep_deletes_a_screenshot(
    storing: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("half", "old"):
        days = -1 if name == "old" else None
        await objects.put(storing, "screenshots", name, b"shot", "image/webp", days=days)
    await aged(storing, "half", "uploading")
    metadata = {"width": "1280", "height": "800"}
    store = objects.store_of(storing)
    await store.put("homepage-screenshots", "orphan", b"lone", "image/webp", metadata)
    monkeypatch.setattr(object_sweeps, "GRACE", -timedelta(hours=1))
    assert await object_sweeps.sweep(storing) == 0
    assert await keys_in(storing, "screenshots") == ["half", "old", "orphan"]
    assert await bytes_of(storing, "screenshots", "half") == b"shot"
    assert await bytes_of(storing, "screenshots", "orphan") == b"lone"
    row = await storing.db.fetchrow("SELECT width, bytes FROM stored_objects WHERE key = 'orphan'")
    assert (row["width"], row["bytes"]) == (1280, 4)


async def test_an_empty_store_beside_many_rows_is_left_alone(storing: Services) -> None:
    await ensure(storing, "news")
    await storing.db.execute(
        "INSERT INTO stored_objects (bucket, key, content_type, state, created_at)"
        " SELECT 'news', n || '.webp', 'image/webp', 'live', now() - interval '2 days' FROM generate_series(1, 11) n"
    )
    assert await object_sweeps.sweep_bucket(storing, "news") == 0
    assert await storing.db.fetchval("SELECT count(*) FROM stored_objects") == 11


async def test_versions_go_90_days_after_they_were_replaced(storing: Services) -> None:
    for content in (b"one", b"two", b"three"):
        await objects.put(storing, "listings", "listings/1.webp", content, "image/webp")
    await objects.put(storing, "listings", "listings/2.webp", b"gone", "image/webp")
    await objects.remove(storing, "listings", ["listings/2.webp"])
    past, ahead = (datetime.now(UTC) + timedelta(days=days) for days in (-90, 1))
    assert await object_sweeps.drop_versions(storing, "listings", past) == 0
    assert await object_sweeps.drop_versions(storing, "listings", ahead) == 4
    listed = objects.store_of(storing).listed("homepage-listings", versions=True)
    assert [one.key async for one in listed] == ["listings/1.webp"]
    assert await bytes_of(storing, "listings", "listings/1.webp") == b"three"


async def test_a_deleted_file_is_forgotten_after_90_days(storing: Services) -> None:
    await objects.put(storing, "listings", "listings/1.webp", b"x", "image/webp")
    await objects.remove(storing, "listings", ["listings/1.webp"])
    assert await object_sweeps.sweep_rows(storing) == 0
    await storing.db.execute("UPDATE stored_objects SET deleted_at = now() - interval '91 days'")
    assert await object_sweeps.sweep_rows(storing) == 1
    listed = objects.store_of(storing).listed("homepage-listings", versions=True)
    assert [one async for one in listed] == []


async def test_without_a_store_a_picture_is_a_kind_503(
    browser: Browser, services: Services
) -> None:
    await services.db.execute(
        "INSERT INTO stored_objects (bucket, key, content_type, sha256, state) VALUES ('news', '7.webp', 'image/webp', '\\x00', 'live')"
    )
    answer = await browser.json("GET", "/media/news/7.webp")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_configured")
