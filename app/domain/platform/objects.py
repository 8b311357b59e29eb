"""Objects: files we keep. A row says `uploading`, the object is stored, the row says `live`; a sweep mends the rest."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from app.errors import NotConfigured, NotFound
from app.services import Services

# Chapter 10 rule 43: label → whether versions are kept. Pictures of news can be made again.
BUCKETS: Mapping[str, tuple[str, bool]] = {"news": ("homepage-news", False)}


class StoredObject(msgspec.Struct):
    """One live file."""

    bucket: str
    key: str
    content_type: str
    size: int
    sha256: bytes


def store_of(services: Services) -> Any:
    """The object store. Raises NotConfigured."""
    store = services.outside.get("s3")
    if store is None:
        raise NotConfigured("Pictures are not set up on this site.")
    return store


BEGIN = """
INSERT INTO stored_objects (bucket, key, subject, variant, content_type, bytes, sha256, width, height, expires_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::int * interval '1 day', 'uploading')
ON CONFLICT (bucket, key) DO UPDATE SET content_type = EXCLUDED.content_type, bytes = EXCLUDED.bytes,
    sha256 = EXCLUDED.sha256, width = EXCLUDED.width, height = EXCLUDED.height, expires_at = EXCLUDED.expires_at,
    state = 'uploading', created_at = now()
"""
LIVE = "UPDATE stored_objects SET state = 'live', version_id = $3 WHERE bucket = $1 AND key = $2"


async def put(
    services: Services,
    bucket: str,
    key: str,
    content: bytes,
    content_type: str,
    *,
    subject: str | None = None,
    variant: str | None = None,
    size: tuple[int, int] | None = None,
    days: int | None = None,
) -> None:
    """Keep one file under `bucket` (a label of BUCKETS) and `key`. Raises NotConfigured, ServiceDown."""
    store = store_of(services)
    width, height = size or (None, None)
    sha256 = hashlib.sha256(content).digest()
    await services.db.execute(
        BEGIN,
        bucket,
        key,
        subject,
        variant,
        content_type,
        len(content),
        sha256,
        width,
        height,
        days,
    )
    version = await store.put(BUCKETS[bucket][0], key, content, content_type)
    await services.db.execute(LIVE, bucket, key, version)


BY_KEY = """
SELECT bucket, key, content_type, bytes AS size, sha256 FROM stored_objects
WHERE bucket = $1 AND key = $2 AND state = 'live' AND visibility = 'public'
"""


async def public(services: Services, bucket: str, key: str) -> tuple[StoredObject, Any]:
    """One public file and its bytes in chunks. Raises NotFound, NotConfigured, ServiceDown."""
    row = await services.db.fetchrow(BY_KEY, bucket, key)
    if row is None:
        raise NotFound("There is no such file.")
    found = StoredObject(**dict(row))
    return found, await store_of(services).stream(BUCKETS[bucket][0], key)


MARK = "UPDATE stored_objects SET state = 'deleting' WHERE bucket = $1 AND key = ANY($2)"
FORGET = "DELETE FROM stored_objects WHERE bucket = $1 AND key = $2 AND state = 'deleting'"


async def remove(services: Services, bucket: str, keys: list[str]) -> None:
    """Delete files: the row says so first, so that a crash between leaves nothing lost. Raises ServiceDown."""
    await services.db.execute(MARK, bucket, keys)
    for key in keys:
        await store_of(services).delete(BUCKETS[bucket][0], key)
        await services.db.execute(FORGET, bucket, key)


UNFINISHED = """
SELECT bucket, key FROM stored_objects
WHERE (state <> 'live' AND created_at < now() - interval '24 hours') OR expires_at < now() LIMIT 1000
"""


async def sweep(services: Services) -> int:
    """Remove what was never finished after 24 hours, and what has expired; answer how many there were."""
    rows = await services.db.fetch(UNFINISHED)
    for row in rows:
        await remove(services, row["bucket"], [row["key"]])
    return len(rows)
