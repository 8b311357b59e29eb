"""Exposures: who saw which flag on or off on which day, written beside the requests (chapter 10 rule 24)."""

import asyncio
import contextlib
import hashlib
import secrets
from datetime import UTC, date, datetime
from typing import Any

import structlog

from app.domain.platform.flags import memory
from app.domain.platform.flags.memory import BATCH, Exposure, Flags
from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("flags")

WRITE_SECONDS = 5.0
FAREWELL_SECONDS = 2.0
KEPT_DAYS = 90
# Writers hold it together, a withdrawal alone: what is written before is deleted, what comes after is refused.
CONSENT_LOCK = 719


async def keep_writing(services: Services) -> None:
    """Write what waits each 5 s, or as soon as 500 rows do; ends, with a last writing, when cancelled."""
    flags = memory.of(services)
    try:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITE_SECONDS):
                    await flags.full.wait()
            flags.full.clear()
            await written(services)
    finally:
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await written(services)
        except TimeoutError:
            log.warning("exposures lost", many=len(flags.waiting))


async def written(services: Services) -> None:
    """Write what waits, and let no fault of it end the loop."""
    try:
        await write(services)
    except ServiceDown:
        log.debug("exposures wait", why="database away")
    except Exception:
        log.exception("exposures not written")


LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared($1)"
# Whoever withdrew since the exposure was noted is left out.
ADD = """
INSERT INTO feature_flag_evaluations
    (day, flag_key, subject_type, subject_id, result, reason, rollout_percentage_snapshot, consent_granted)
SELECT $1, flag_key, CASE WHEN person IS NULL THEN 'session' ELSE 'user' END, coalesce(person::text, hash),
    result, reason, percentage, person IS NOT NULL
FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::smallint[])
    AS seen (flag_key, person, hash, result, reason, percentage)
WHERE person IS NULL
    OR (SELECT analytics FROM user_consents WHERE user_id = person ORDER BY id DESC LIMIT 1)
ON CONFLICT DO NOTHING
"""
# Once an hour over all processes is enough to tell what has not been asked for in 30 days.
ASKED = """
UPDATE feature_flags SET asked_at = now()
WHERE key = ANY($1::text[]) AND (asked_at IS NULL OR asked_at < now() - interval '1 hour')
"""


async def write(services: Services) -> int:
    """Write the exposures that wait and which flags were asked for; return how many rows. Raises ServiceDown."""
    flags = memory.of(services)
    begin_day(flags, datetime.now(UTC).date())
    asked = flags.asked - flags.told
    batch, flags.waiting = flags.waiting, []
    if not batch and not asked:
        return 0
    try:
        async with services.tx() as tx:
            await tx.db.execute(ASKED, sorted(asked))
            written = await add(tx, batch)
    except BaseException:
        # What could not be written waits again; it is older than what came meanwhile.
        flags.waiting[:0] = batch
        raise
    flags.told |= asked
    return written


def begin_day(flags: Flags, day: date) -> None:
    """On a new day everybody is seen anew, and each flag that is asked for is told of once."""
    if flags.day != day:
        flags.day = day
        flags.seen.clear()
        flags.told.clear()


async def add(services: Services, batch: list[Exposure]) -> int:
    """Write a batch in the caller's transaction, 500 rows a statement; return how many were new."""
    if not batch:
        return 0
    await services.db.execute(LOCK_SHARED, CONSENT_LOCK)
    day, key = await today(services)
    written = 0
    for start in range(0, len(batch), BATCH):
        rows = [row_of(one, key) for one in batch[start : start + BATCH]]
        columns = [list(column) for column in zip(*rows, strict=True)]
        written += int((await services.db.execute(ADD, day, *columns)).split()[-1])
    return written


def row_of(exposure: Exposure, key: bytes) -> tuple[Any, ...]:
    """One row: the person who agreed, else a hash that only the day's key could lead back."""
    flag_key, subject, on, person, reason, percentage = exposure
    hashed = session_hash(key, subject) if person is None else None
    return flag_key, person, hashed, "on" if on else "off", reason, percentage


def session_hash(key: bytes, subject: str) -> str:
    """Return 32 hex digits that tell one subject from another on one day."""
    return hashlib.blake2b(subject.encode(), key=key, digest_size=16).hexdigest()


TODAY = "SELECT day, key FROM flag_day_keys WHERE day = current_date"
ADD_KEY = (
    "INSERT INTO flag_day_keys (day, key) VALUES (current_date, $1) ON CONFLICT (day) DO NOTHING"
)
DESTROY_KEYS = "DELETE FROM flag_day_keys WHERE day <= current_date - 2"


async def today(services: Services) -> tuple[date, bytes]:
    """Return the day by the database's clock, with its key; a new day's first writer makes it and destroys old ones."""
    row = await services.db.fetchrow(TODAY)
    if row is None:
        await services.db.execute(ADD_KEY, secrets.token_bytes(32))
        await services.db.execute(DESTROY_KEYS)
        row = await services.db.fetchrow(TODAY)
    return row["day"], row["key"]


LOCK_ALONE = "SELECT pg_advisory_xact_lock($1)"
FORGET = "DELETE FROM feature_flag_evaluations WHERE subject_type = 'user' AND subject_id = $1"


async def forget(services: Services, user_id: int) -> int:
    """Delete every evaluation of a person, in the transaction of the withdrawal or erasure; return how many.

    What other processes still hold of the person is refused when they come to write it.
    """
    flags = memory.of(services)
    flags.waiting = [one for one in flags.waiting if one[3] != user_id]
    flags.seen = {mark for mark in flags.seen if mark[3] != user_id}
    await services.db.execute(LOCK_ALONE, CONSENT_LOCK)
    return int((await services.db.execute(FORGET, str(user_id))).split()[-1])


PURGE = """
DELETE FROM feature_flag_evaluations WHERE (day, flag_key, subject_type, subject_id, result) IN (
    SELECT day, flag_key, subject_type, subject_id, result FROM feature_flag_evaluations
    WHERE day < current_date - $1::integer LIMIT 5000
)
"""


async def purge(services: Services) -> int:
    """Delete what is past 90 days in a month that is not yet, and destroy old keys; return how many rows."""
    await services.db.execute(DESTROY_KEYS)
    gone = 0
    while deleted := int((await services.db.execute(PURGE, KEPT_DAYS)).split()[-1]):
        gone += deleted
    log.info("evaluations purged", rows=gone)
    return gone


LATEST = """
SELECT flag_key, result, count(*) AS subjects FROM feature_flag_evaluations
WHERE day = current_date GROUP BY flag_key, result
"""


async def of_today(services: Services) -> dict[str, dict[str, int]]:
    """Return how many subjects met each flag today: {flag: {on: 12, off: 3}}."""
    found: dict[str, dict[str, int]] = {}
    for row in await services.db.fetch(LATEST):
        found.setdefault(row["flag_key"], {"on": 0, "off": 0})[row["result"]] = row["subjects"]
    return found
