"""Files for tests: services with a store of their own and the picture child, and pictures to bring."""

import dataclasses
import secrets
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image

from app.box import Box
from app.domain.platform import objects
from app.outside.breakers import Breaker
from app.outside.pictures import Pictures
from app.outside.s3 import ObjectStore
from app.services import Services


@pytest.fixture
async def storing(services: Services, box: Box) -> AsyncIterator[Services]:
    """Services with the run's object store, in buckets of this test alone."""
    env = box.env
    store = ObjectStore(
        env["S3_ENDPOINT"],
        env["S3_ACCESS_KEY"],
        env["S3_SECRET_KEY"],
        f"-{secrets.token_hex(4)}",
        breaker=Breaker("s3"),
        # How quick the box is on a busy machine is not the question here.
        timeout=30,
    )
    pictures = Pictures()
    yield dataclasses.replace(services, outside={"s3": store, "pictures": pictures})
    await pictures.close()
    await store.close()


def picture(size: tuple[int, int] = (2000, 1500), colour: str = "teal", kind: str = "PNG") -> bytes:
    """A picture of one colour."""
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


async def ensure(services: Services, *buckets: str) -> None:
    """Make these buckets now."""
    chosen = dict(objects.BUCKETS[label] for label in buckets)
    await objects.store_of(services).ensure_buckets(chosen)


async def keys_in(services: Services, bucket: str) -> list[str]:
    """What lies in a bucket now."""
    listed = objects.store_of(services).listed(objects.BUCKETS[bucket][0])
    return [one.key async for one in listed]


async def bytes_of(services: Services, bucket: str, key: str) -> bytes:
    """The bytes that readers are shown under a key."""
    opened = await objects.opened(services, await objects.public(services, bucket, key))
    return b"".join([chunk async for chunk in opened.chunks])
