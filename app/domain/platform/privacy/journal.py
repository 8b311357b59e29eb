"""The journal of erasures: a number and a time, in a table and in a bucket, so that a restore brings nobody back."""

from datetime import datetime

import msgspec
import structlog

from app.domain.platform import objects
from app.services import Services

log = structlog.get_logger("privacy")

BUCKET = "gdpr-journal"
FOLDER = "erased/"


class Entry(msgspec.Struct):
    """One line of the journal."""

    user_id: int
    erased_at: datetime


KNOWN = "SELECT user_id FROM erasure_journal"
ADD = """
INSERT INTO erasure_journal (user_id, erased_at) VALUES ($1, coalesce($2::timestamptz, now())) ON CONFLICT DO NOTHING
"""
STORED = "UPDATE erasure_journal SET stored_at = now() WHERE user_id = $1"
UNSTORED = """
SELECT user_id, erased_at FROM erasure_journal
WHERE stored_at IS NULL AND (user_id = $1 OR $1::bigint IS NULL) ORDER BY user_id
"""


async def add(tx: Services, user_id: int) -> None:
    """Write a number down in the transaction that erases it."""
    await tx.db.execute(ADD, user_id, None)


async def store(services: Services, user_id: int | None = None) -> None:
    """Put into the bucket, where there is one, what it lacks: one number, or all. Raises ServiceDown."""
    if services.outside.get("s3") is not None:
        for row in await services.db.fetch(UNSTORED, user_id):
            await store_entry(services, Entry(**dict(row)))


async def store_entry(services: Services, entry: Entry) -> None:
    """Put one line in the bucket; its key is the number, so that twice is once."""
    body = msgspec.json.encode(entry)
    store = objects.store_of(services)
    await store.ensure_bucket(BUCKET, versioned=objects.BUCKETS[BUCKET][1])
    await store.put(BUCKET, f"{FOLDER}{entry.user_id:012}.json", body, "application/json")
    await services.db.execute(STORED, entry.user_id)


async def read_bucket(services: Services) -> list[str]:
    """Write into the table what the bucket knows and the restored table does not; return the keys that are no lines."""
    bucket = services.outside.get("s3")
    if bucket is None:
        return []
    known = {row["user_id"] for row in await services.db.fetch(KNOWN)}
    strange = []
    async for found in bucket.listed(BUCKET, FOLDER):
        if number_of(found.key) in known:
            continue
        entry = read_entry(found.key, await bucket.get(BUCKET, found.key))
        if entry is None:
            log.warning("not a line of the journal", key=found.key)
            strange.append(found.key)
            continue
        await services.db.execute(ADD, entry.user_id, entry.erased_at)
        await services.db.execute(STORED, entry.user_id)
    return strange


def number_of(key: str) -> int | None:
    """The number that a line's key names; None for a key of somebody else's."""
    name = key.removeprefix(FOLDER).removesuffix(".json")
    is_number = name.isascii() and name.isdigit() and len(name) < 19
    return int(name) if is_number and key.endswith(".json") else None


def read_entry(key: str, body: bytes) -> Entry | None:
    """The line under a key, or None where something else lies there."""
    try:
        entry = msgspec.json.decode(body, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return entry if entry.user_id == number_of(key) else None
