"""Seals of the audit log: one a day, each chained to the day before, so that no byte changes unseen."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import structlog

from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("audit")

SEAL_LOCK = 715
START = b"village audit log"
# How long rows stay, by the registry of privacy; their seals stay for good.
KEPT = timedelta(days=3 * 365)


class Seal(msgspec.Struct):
    """One sealed day (UTC): its rows, the last id, and the seal as hex digits."""

    day: date
    rows: int
    last_id: int
    sha256: str


class SealList(msgspec.Struct):
    """Sealed days, the latest first."""

    items: list[Seal]
    total: int | None
    next: str | None


LAST = "SELECT day, last_id, sha256 FROM audit_seals ORDER BY day DESC LIMIT 1"
FIRST_DAY = "SELECT min(timestamp) FROM audit_log"
# A row of that day may still be under way in a transaction that began before the day's end.
UNDER_WAY = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND backend_xid IS NOT NULL AND xact_start < $1 AND pid <> pg_backend_pid()
)
"""
DAY = """
SELECT count(*) AS rows, coalesce(max(id), $3) AS last_id,
    sha256(coalesce(string_agg(print, ''::bytea ORDER BY id), ''::bytea)) AS rows_sha256
FROM audit_prints WHERE timestamp >= $1 AND timestamp < $2
"""
SEAL = (
    "INSERT INTO audit_seals (day, rows, last_id, rows_sha256, sha256) VALUES ($1, $2, $3, $4, $5)"
)


async def seal(services: Services) -> int:
    """Seal every day that has ended and has no seal; return how many. Raises ServiceDown while a day is still written to."""
    sealed = 0
    async with services.tx() as tx:
        await tx.db.execute("SELECT pg_advisory_xact_lock($1)", SEAL_LOCK)
        last = await tx.db.fetchrow(LAST)
        today = datetime.now(UTC).date()
        day = last["day"] + timedelta(days=1) if last else await first_day(tx) or today
        before, last_id = (last["sha256"], last["last_id"]) if last else (START, 0)
        while day < today:
            before, last_id = await seal_day(tx, day, before, last_id)
            sealed += 1
            day += timedelta(days=1)
    return sealed


async def first_day(services: Services) -> date | None:
    """The day of the log's first row."""
    first: datetime | None = await services.db.fetchval(FIRST_DAY)
    return first.date() if first else None


async def seal_day(services: Services, day: date, before: bytes, last_id: int) -> tuple[bytes, int]:
    """Seal one day; answer its seal and last id. Raises ServiceDown."""
    starts, ends = bounds(day)
    if await services.db.fetchval(UNDER_WAY, ends):
        raise ServiceDown("A transaction of the day to be sealed still runs.")
    row = await services.db.fetchrow(DAY, starts, ends, last_id)
    made = chained(before, day, row)
    await services.db.execute(SEAL, day, row["rows"], row["last_id"], row["rows_sha256"], made)
    # The line keeps the seal in a second place, which who changes the database does not reach.
    log.info("audit log sealed", day=day.isoformat(), rows=row["rows"], sha256=made.hex())
    return made, row["last_id"]


def bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of a day (UTC), and of the next."""
    starts = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return starts, starts + timedelta(days=1)


def chained(before: bytes, day: date, row: Any) -> bytes:
    """The seal of one day: SHA-256 of the seal before, the day, its count, its last id and its rows' print."""
    facts = f"{day.isoformat()} {row['rows']} {row['last_id']} ".encode()
    return hashlib.sha256(before + facts + row["rows_sha256"]).digest()


class Verdict(msgspec.Struct):
    """What a look through all seals found: the first day that does not fit, and why; None when all do."""

    days: int
    rows: int
    broken: date | None = None
    why: str = ""


SEALS = "SELECT day, rows, last_id, rows_sha256, sha256 FROM audit_seals ORDER BY day"
MISFITS = "SELECT count(*) FROM audit_prints WHERE timestamp >= $1 AND timestamp < $2 AND NOT fits"
UNSEALED = (
    "SELECT day FROM audit_prints WHERE timestamp >= $1 AND NOT fits ORDER BY timestamp LIMIT 1"
)


async def verify(services: Services) -> Verdict:
    """Recompute every seal from the rows; return the first day that does not fit."""
    verdict = Verdict(0, 0)
    before, expected, after = START, None, datetime.min.replace(tzinfo=UTC)
    for row in await services.db.fetch(SEALS):
        why = await misfit(services, row, before, expected)
        if why:
            verdict.broken, verdict.why = row["day"], why
            return verdict
        verdict.days += 1
        verdict.rows += row["rows"]
        before, expected = row["sha256"], row["day"] + timedelta(days=1)
        after = bounds(row["day"])[1]
    # Rows of days without a seal have their own prints to fit.
    verdict.broken = await services.db.fetchval(UNSEALED, after)
    verdict.why = "a row's texts were changed" if verdict.broken else ""
    return verdict


async def misfit(services: Services, row: Any, before: bytes, expected: date | None) -> str:
    """Why one sealed day does not fit, or nothing."""
    day: date = row["day"]
    if expected is not None and day != expected:
        return f"the seal of {expected.isoformat()} is missing"
    if chained(before, day, row) != row["sha256"]:
        return "the seal does not follow from the day before"
    starts, ends = bounds(day)
    if starts < datetime.now(UTC) - KEPT:
        # Rows past their age may be gone: only the chain is looked at.
        return ""
    found = await services.db.fetchrow(DAY, starts, ends, row["last_id"])
    if found["rows"] != row["rows"]:
        return f"{row['rows']} rows were sealed, {found['rows']} are there"
    if found["rows_sha256"] != row["rows_sha256"]:
        return "a row was changed"
    if await services.db.fetchval(MISFITS, starts, ends):
        return "a row's texts were changed"
    return ""


PAGE = """
SELECT day, rows, last_id, encode(sha256, 'hex') AS sha256 FROM audit_seals
WHERE $2::date IS NULL OR day < $2 ORDER BY day DESC LIMIT $1
"""


async def seals(services: Services, before: date | None, limit: int) -> SealList:
    """Sealed days, the latest first."""
    rows = await services.db.fetch(PAGE, limit + 1, before)
    items = [Seal(**dict(row)) for row in rows[:limit]]
    return SealList(items, None, items[-1].day.isoformat() if len(rows) > limit else None)
