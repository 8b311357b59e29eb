"""What the tests of privacy share: a store, and time that has passed."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from app.box import Box
from app.domain.platform import objects
from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.s3 import ObjectStore
from app.services import Services


@pytest.fixture
async def storing(services: Services, box: Box) -> AsyncIterator[Services]:
    """Services with this run's object store."""
    env = box.env
    store = ObjectStore(
        env["S3_ENDPOINT"], env["S3_ACCESS_KEY"], env["S3_SECRET_KEY"], breaker=Breaker("s3")
    )
    await store.ensure_buckets(dict(objects.BUCKETS.values()))
    for bucket in ("gdpr-exports", "gdpr-journal"):
        await warm(store, bucket)
    # What an earlier run left in the journal would be replayed in this one.
    async for line in store.listed("gdpr-journal", "erased/"):
        await store.delete_versions("gdpr-journal", line.key)
    yield dataclasses.replace(services, outside={"s3": store})
    await store.close()


async def warm(store: ObjectStore, bucket: str) -> None:
    """Let a fresh store make room for a bucket, which may take it longer than we wait for an upload."""
    for _ in range(5):
        try:
            await store.put(bucket, "warm", b"", "text/plain")
        except ServiceDown:
            continue
        return


@pytest.fixture
def hurried(storing: Services) -> Services:
    """Services whose deletions wait for nothing."""
    settings = dataclasses.replace(storing.settings, gdpr_deletion_delay_hours=0)
    return dataclasses.replace(storing, settings=settings)
