"""Sweeps of the object store: rows without an object, objects without a row, and what is past its day (rule 45)."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from app.domain.platform import objects
from app.domain.platform.objects import BUCKETS, store_of
from app.services import Services

log = structlog.get_logger("objects")

GRACE = timedelta(hours=24)
VERSIONS_KEPT = timedelta(days=90)
BATCH = 1000
# The journal and the backups are written by others, and nothing of them is ever an orphan.
SWEPT = tuple(label for label in BUCKETS if label not in ("gdpr-journal", "backups"))
# No job deletes a screenshot (rule 46): there what has no partner is given one.
KEPT = "screenshots"


async def sweep(services: Services) -> int:
    """Mend everything; answer how many files were removed. Raises ServiceDown."""
    gone = await sweep_rows(services)
    if services.outside.get("s3") is not None:
        for bucket in SWEPT:
            gone += await sweep_bucket(services, bucket)
            if BUCKETS[bucket][1] and bucket != KEPT:
                await drop_versions(services, bucket, datetime.now(UTC) - VERSIONS_KEPT)
    return gone


# A file whose first upload never ended has no version; one that was replaced or brought back has.
DUE = """
SELECT id, bucket, key, state, version_id, deleted_at FROM stored_objects
WHERE id > $1 AND (
    (state <> 'live' AND deleted_at IS NULL AND created_at < now() - interval '24 hours')
    OR (deleted_at < now() - interval '90 days' AND bucket <> 'screenshots')
    OR (expires_at < now() AND deleted_at IS NULL AND bucket <> 'screenshots'))
ORDER BY id LIMIT 1000
"""


async def sweep_rows(services: Services) -> int:
    """Remove what was never finished after 24 hours, what has expired, and what was deleted 90 days ago."""
    below, gone = 0, 0
    while rows := await services.db.fetch(DUE, below):
        for row in rows:
            gone += await remove_due(services, row)
        below = rows[-1]["id"]
    return gone


async def remove_due(services: Services, row: Any) -> int:
    """Remove one file whose time has come; answer 1, or 0 for a screenshot that was kept."""
    bucket, keys = row["bucket"], [row["key"]]
    unfinished = bucket == KEPT and row["state"] == "uploading"
    if unfinished and await store_of(services).has(BUCKETS[bucket][0], row["key"]):
        await adopt(services, bucket, row["key"])
        return 0
    if row["deleted_at"] is not None or row["version_id"] is None:
        await objects.remove_for_good(services, bucket, keys)
    else:
        await objects.remove(services, bucket, keys)
    return 1


ADOPT = """
INSERT INTO stored_objects (bucket, key, content_type, bytes, sha256, width, height, version_id, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'live')
ON CONFLICT (bucket, key) DO UPDATE SET bytes = EXCLUDED.bytes, sha256 = EXCLUDED.sha256, width = EXCLUDED.width,
    height = EXCLUDED.height, version_id = EXCLUDED.version_id, state = 'live', deleted_at = NULL
"""


async def adopt(services: Services, bucket: str, key: str) -> None:
    """Make a row for an object that has none, or end its upload."""
    stored = await store_of(services).stream(BUCKETS[bucket][0], key)
    size, sha256 = await objects.measured(stored.chunks)
    row = (bucket, key, stored.content_type, size, sha256, *objects.pixels(stored.metadata))
    await services.db.execute(ADOPT, *row, stored.version_id)


async def sweep_bucket(services: Services, bucket: str) -> int:
    """Go through a bucket and its rows side by side, a page at a time; answer how many were removed. Raises ServiceDown."""
    before, above, gone, seen = datetime.now(UTC) - GRACE, "", 0, 0
    name, versioned = BUCKETS[bucket]
    await store_of(services).ensure_bucket(name, versioned=versioned)
    async for page in in_pages(store_of(services).listed(name)):
        keys = [one.key for one in page]
        below = max(above, *keys)
        old = [one.key for one in page if one.modified is not None and one.modified < before]
        gone += await mend_orphans(services, bucket, old)
        gone += await drop_rows(services, bucket, above, below, keys)
        above, seen = below, seen + len(page)
    if seen == 0 and await services.db.fetchval(MANY, bucket):
        # A store that was set up anew, or the wrong one: the rows are all that is left of the files.
        log.error("a bucket with many files is empty, so nothing was swept", bucket=bucket)
        return gone
    return gone + await drop_rows(services, bucket, above, None, [])


async def in_pages(listed: AsyncIterator[Any]) -> AsyncIterator[list[Any]]:
    """A listing in pages, so that no bucket has to fit into memory."""
    page: list[Any] = []
    async for one in listed:
        page.append(one)
        if len(page) == BATCH:
            yield page
            page = []
    if page:
        yield page


ORPHANS = """
SELECT listed.key FROM unnest($2::text[]) AS listed (key)
WHERE NOT EXISTS (SELECT 1 FROM stored_objects o WHERE o.bucket = $1 AND o.key = listed.key)
"""


async def mend_orphans(services: Services, bucket: str, keys: Sequence[str]) -> int:
    """Remove objects that no row knows; answer how many. Where versions are kept they can still be brought back."""
    found = [row["key"] for row in await services.db.fetch(ORPHANS, bucket, keys)]
    for key in found:
        if bucket == KEPT:
            await adopt(services, bucket, key)
        else:
            await store_of(services).delete(BUCKETS[bucket][0], key)
    return 0 if bucket == KEPT else len(found)


# In the order of bytes, which is the store's own; the index stored_objects_walk has it.
UNSEEN = """
SELECT key FROM stored_objects
WHERE bucket = $1 AND key COLLATE "C" > $2 AND ($3::text IS NULL OR key COLLATE "C" <= $3)
  AND state = 'live' AND created_at < now() - interval '24 hours' AND NOT key = ANY($4::text[])
ORDER BY key COLLATE "C"
"""
LOST = """
UPDATE stored_objects SET state = 'deleting', deleted_at = now() WHERE bucket = $1 AND key = $2 AND state = 'live'
"""
MANY = "SELECT count(*) > 10 FROM stored_objects WHERE bucket = $1 AND state = 'live'"


async def drop_rows(
    services: Services, bucket: str, above: str, below: str | None, keys: Sequence[str]
) -> int:
    """Take rows between two keys out of use whose object is gone; answer how many."""
    name, versioned = BUCKETS[bucket]
    gone = 0
    for row in await services.db.fetch(UNSEEN, bucket, above, below, keys):
        # The listing may be in another order than ours, or older than the row: the store decides.
        if await store_of(services).has(name, row["key"]):
            continue
        await services.db.execute(LOST, bucket, row["key"])
        if not versioned:
            await services.db.execute(objects.FORGET, bucket, row["key"])
        gone += 1
    if gone:
        log.warning("files were gone from the store", bucket=bucket, files=gone)
    return gone


async def drop_versions(services: Services, bucket: str, before: datetime) -> int:
    """Remove for good what was replaced or deleted before that time; answer how many versions. Raises ServiceDown."""
    gone = 0
    async for page in in_pages(store_of(services).listed(BUCKETS[bucket][0], versions=True)):
        for key in sorted({one.key for one in page if may_be_past(one, before)}):
            gone += await drop_versions_of(services, bucket, key, before)
    return gone


def may_be_past(one: Any, before: datetime) -> bool:
    """Whether a version of a listing may have been replaced before that time; its key's history tells."""
    is_old = one.modified is not None and one.modified < before
    return is_old and (one.is_marker or not one.is_latest)


SHOWN = """
SELECT version_id FROM stored_objects WHERE bucket = $1 AND key = $2 AND state = 'live'
"""


async def drop_versions_of(services: Services, bucket: str, key: str, before: datetime) -> int:
    """The same for one key. What its row shows stays, whatever else is newer."""
    shown = await services.db.fetchval(SHOWN, bucket, key)
    newer, gone = None, 0
    for one in await objects.history(services, bucket, key):
        # A version ends when the next one is stored, a mark that stands for a deletion by itself.
        ended = one.modified if one.is_marker else newer
        if ended is not None and ended < before and (one.is_marker or one.version_id != shown):
            await store_of(services).delete(BUCKETS[bucket][0], key, version_id=one.version_id)
            gone += 1
        newer = one.modified
    return gone
