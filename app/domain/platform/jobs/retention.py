"""How long the ledger remembers: done and cancelled jobs 30 days, dead ones and tries 90."""

import asyncio
import re
from datetime import date, timedelta
from typing import Any

import structlog

from app.services import Services

log = structlog.get_logger("jobs")

BATCH = 5000
PAUSE_SECONDS = 0.2
# Append-only tables by month: how many days after its last day a month is kept.
MONTHLY = {"feature_flag_evaluations": 90, "job_attempts": 90}

# What the tries say of a person cannot be found any more once the job is gone.
PURGE = """
WITH old AS (
    SELECT id, subjects FROM delayed_jobs
    WHERE status = $1 AND finished_at < now() - $2::interval
    ORDER BY finished_at LIMIT $3
    FOR UPDATE SKIP LOCKED
), effects AS (
    DELETE FROM job_effects USING old WHERE job_id = old.id
), said AS (
    UPDATE job_attempts SET error = NULL FROM old
    WHERE job_id = old.id AND old.subjects <> '{}' AND error IS NOT NULL
)
DELETE FROM delayed_jobs USING old WHERE delayed_jobs.id = old.id
"""
# No job is kept so long: these are of jobs that went otherwise.
PURGE_EFFECTS = """
DELETE FROM job_effects WHERE created_at < now() - interval '120 days'
  AND NOT EXISTS (SELECT FROM delayed_jobs WHERE id = job_id)
"""
PURGE_STATS = "DELETE FROM job_stats WHERE span = 'hour' AND starts_at < now() - interval '90 days'"
PURGE_WORKERS = "DELETE FROM workers WHERE seen_at < now() - interval '1 day'"
# Steps that took effect are remembered as long as their job can be brought back.
PURGE_DELETED = """
WITH old AS (
    SELECT id, job -> 'subjects' AS subjects FROM deleted_jobs WHERE created_at < now() - interval '24 hours'
    ORDER BY created_at LIMIT $1
    FOR UPDATE SKIP LOCKED
), effects AS (
    DELETE FROM job_effects USING old WHERE job_id = old.id
), said AS (
    UPDATE job_attempts SET error = NULL FROM old
    WHERE job_id = old.id AND old.subjects <> '[]' AND error IS NOT NULL
)
DELETE FROM deleted_jobs USING old WHERE deleted_jobs.id = old.id
"""
PURGE_BULK_ACTIONS = "DELETE FROM job_bulk_actions WHERE created_at < now() - interval '90 days'"
AGES = {"done": timedelta(days=30), "cancelled": timedelta(days=30), "dead": timedelta(days=90)}


async def purge(services: Services) -> int:
    """Delete what is past its age, 5,000 rows a statement with pauses between; return how many jobs."""
    gone = 0
    for status, age in AGES.items():
        gone += await deleted(services, PURGE, status, age)
    await deleted(services, PURGE_DELETED)
    await services.db.execute(PURGE_BULK_ACTIONS)
    await services.db.execute(PURGE_EFFECTS)
    await services.db.execute(PURGE_STATS)
    await services.db.execute(PURGE_WORKERS)
    return gone


async def deleted(services: Services, statement: str, *values: Any) -> int:
    """Repeat a delete of 5,000 rows with pauses until a last part is left; return how many rows went."""
    gone = 0
    while True:
        part = int((await services.db.execute(statement, *values, BATCH)).split()[-1])
        gone += part
        if part < BATCH:
            return gone
        await asyncio.sleep(PAUSE_SECONDS)


PARTITIONS = """
SELECT child.relname AS name FROM pg_inherits
JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = to_regclass($1)
ORDER BY child.relname
"""


async def maintain_partitions(services: Services) -> None:
    """Make the running month and two ahead; drop months whose last day is past the table's age.

    Raises LockNotAvailableError when a table is busy for long.
    """
    for table, days in MONTHLY.items():
        made, kept, dropped = await maintain(services, table, days)
        log.info("partitions maintained", table=table, made=made, dropped=dropped, kept=kept)


# A table that is read for long keeps all writers waiting behind us: rather try again later. The day is the database's,
# since a worker whose clock runs ahead would drop what is still needed.
TODAY = """
SELECT (now() AT TIME ZONE 'UTC')::date AS today, set_config('lock_timeout', '5s', true) AS patience
"""


async def maintain(services: Services, table: str, days: int) -> tuple[int, int, int]:
    """Make and drop the months of one table; return how many were made, are kept and were dropped."""
    async with services.tx() as tx:
        today = await tx.db.fetchval(TODAY)
        made = await tx.db.fetch("SELECT make_month_partitions($1, $2, 3) AS name", table, today)
        names = [row["name"] for row in await tx.db.fetch(PARTITIONS, table)]
        dropped = [name for name in names if is_past(name, today - timedelta(days=days))]
        for name in dropped:
            # The name comes from the catalogue and was matched against our pattern.
            await tx.db.execute(f'DROP TABLE "{name}"')
    return len(made), len(names) - len(dropped), len(dropped)


def is_past(name: str, oldest: date) -> bool:
    """Say whether the month in a partition's name ended before that day."""
    found = re.fullmatch(r"[a-z_]+_(\d{4})_(\d{2})", name)
    if not found:
        return False
    first = date(int(found[1]), int(found[2]), 1)
    return (first + timedelta(days=32)).replace(day=1) <= oldest
