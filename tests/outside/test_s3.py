"""The object store keeps, versions, signs and forgets objects; it fails with one family."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from typing import Any
from urllib.error import HTTPError

import pytest
from prometheus_client import REGISTRY

from app.errors import NotFound, ServiceDown
from app.outside.breakers import Breaker
from app.outside.s3 import ObjectStore
from tests.outside.servers import always, answer, serving

BUCKETS = {"homepage-screenshots": True, "homepage-news": False}


@pytest.fixture
async def store(box: Any) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(
        box.env["S3_ENDPOINT"],
        box.env["S3_ACCESS_KEY"],
        box.env["S3_SECRET_KEY"],
        "-s3test",
        breaker=Breaker("s3"),
        # How quick the box is on a busy machine is not the question here.
        timeout=30,
    )
    await store.ensure_buckets(BUCKETS)
    yield store
    await store.close()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_an_object_comes_back_as_it_was(store: ObjectStore) -> None:
    before = counted("storage_bytes_uploaded_total", bucket="news")
    await store.put("homepage-news", "news/1.webp", b"picture", "image/webp")
    stored = await store.stream("homepage-news", "news/1.webp")
    assert (stored.content_type, stored.length) == ("image/webp", 7)
    assert b"".join([chunk async for chunk in stored.chunks]) == b"picture"
    assert counted("storage_bytes_uploaded_total", bucket="news") == before + 7


async def test_the_store_says_whether_it_answers(store: ObjectStore) -> None:
    assert await store.answers()
    nobody = ObjectStore("http://127.0.0.1:9", "key", "secret", breaker=Breaker("s3"))
    with pytest.raises(ServiceDown):
        await nobody.answers()
    await nobody.close()


async def test_versions_come_back_and_can_be_removed_for_good(store: ObjectStore) -> None:
    first = await store.put("homepage-screenshots", "a.webp", b"old", "image/webp")
    second = await store.put("homepage-screenshots", "a.webp", b"new", "image/webp")
    assert first != second and first is not None
    await store.delete("homepage-screenshots", "a.webp")
    with pytest.raises(NotFound):
        await store.get("homepage-screenshots", "a.webp")
    assert await store.get("homepage-screenshots", "a.webp", version_id=first) == b"old"
    versions = [v async for v in store.listed("homepage-screenshots", "a", versions=True)]
    for version in versions:
        await store.delete("homepage-screenshots", "a.webp", version_id=version.version_id)
    assert [v async for v in store.listed("homepage-screenshots", "a", versions=True)] == []
    assert len(versions) == 3 and sum(version.is_marker for version in versions) == 1


async def test_a_listing_names_keys_and_sizes(store: ObjectStore) -> None:
    for name in ("list/b", "list/a", "other"):
        await store.put("homepage-news", name, b"123", "text/plain")
    found = [item async for item in store.listed("homepage-news", "list/")]
    assert [(item.key, item.size) for item in found] == [("list/a", 3), ("list/b", 3)]
    assert found[0].modified is not None


async def test_what_is_missing_is_not_found_and_removing_it_is_no_error(store: ObjectStore) -> None:
    with pytest.raises(NotFound):
        await store.get("homepage-news", "nowhere")
    with pytest.raises(NotFound):
        await store.get("homepage-nowhere", "nowhere")
    await store.delete("homepage-news", "nowhere")


async def test_making_buckets_twice_changes_nothing(store: ObjectStore) -> None:
    await store.put("homepage-news", "kept", b"1", "text/plain")
    await asyncio.gather(store.ensure_buckets(BUCKETS), store.ensure_buckets(BUCKETS))
    assert await store.get("homepage-news", "kept") == b"1"


async def test_a_signed_address_opens_one_object_only(store: ObjectStore) -> None:
    await store.put("homepage-news", "signed", b"for you", "text/plain")
    url = await store.presigned("homepage-news", "signed", 60)
    assert await asyncio.to_thread(_read, url) == b"for you"
    with pytest.raises(HTTPError):
        await asyncio.to_thread(_read, url.replace("signed?", "kept?"))


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as page:
        content: bytes = page.read()
        return content


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (answer(b"oops", status="500 Broken"), "unreachable"),
        (answer(b"<junk", "Content-Type: application/xml", status="500 Broken"), "unreachable"),
        (b"gibberish\r\n\r\n", "unreachable"),
        (b"", "unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "cut_off"),
    ],
)
async def test_a_store_in_trouble_is_down(said: bytes, code: str) -> None:
    async with serving(always(said)) as server:
        store = ObjectStore(f"http://127.0.0.1:{server.port}", "k", "s", breaker=Breaker("s3"))
        with pytest.raises(ServiceDown) as down:
            await store.get("homepage-news", "x")
        await store.close()
    assert down.value.code == code


async def test_a_store_that_never_answers_is_left_alone_after_a_while() -> None:
    async with serving(always(b"", pause=30)) as server:
        place = f"http://127.0.0.1:{server.port}"
        store = ObjectStore(place, "k", "s", breaker=Breaker("s3", limit=2), timeout=0.05)
        codes = []
        for _ in range(4):
            with pytest.raises(ServiceDown) as down:
                await store.get("homepage-news", "x")
            codes.append(down.value.code)
        await store.close()
    assert codes == ["timeout", "timeout", "breaker_open", "breaker_open"]
    assert len(server.visits) <= 2
