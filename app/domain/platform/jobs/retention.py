"""How long the ledger remembers: done and cancelled jobs 30 days, dead ones and tries 90."""

import asyncio
import re
from datetime import UTC, date, datetime, timedelta

import structlog

from app.services import Services

log = structlog.get_logger("jobs")

BATCH = 5000
PAUSE_SECONDS = 0.2
# Append-only tables by month: how many days after its last day a month is kept.
MONTHLY = {"feature_flag_evaluations": 90, "job_attempts": 90}

PURGE = """
WITH old AS (
    SELECT id FROM delayed_jobs
    WHERE status = $1 AND finished_at < now() - $2::interval
    ORDER BY finished_at LIMIT $3
    FOR UPDATE SKIP LOCKED
), effects AS (
    DELETE FROM job_effects USING old WHERE job_id = old.id
)
DELETE FROM delayed_jobs USING old WHERE delayed_jobs.id = old.id
"""
PURGE_STATS = "DELETE FROM job_stats WHERE span = 'hour' AND starts_at < now() - interval '90 days'"
PURGE_WORKERS = "DELETE FROM workers WHERE seen_at < now() - interval '1 day'"
PURGE_DELETED = "DELETE FROM deleted_jobs WHERE created_at < now() - interval '24 hours'"
PURGE_BULK_ACTIONS = "DELETE FROM job_bulk_actions WHERE created_at < now() - interval '90 days'"
AGES = {"done": timedelta(days=30), "cancelled": timedelta(days=30), "dead": timedelta(days=90)}


async def purge(services: Services) -> int:
    """Delete what is past its age, 5,000 rows a statement with pauses between; return how many jobs."""
    gone = 0
    for status, age in AGES.items():
        while deleted := int((await services.db.execute(PURGE, status, age, BATCH)).split()[-1]):
            gone += deleted
            await asyncio.sleep(PAUSE_SECONDS)
    await services.db.execute(PURGE_DELETED)
    await services.db.execute(PURGE_BULK_ACTIONS)
    await services.db.execute(PURGE_STATS)
    await services.db.execute(PURGE_WORKERS)
    return gone


PARTITIONS = """
SELECT child.relname AS name FROM pg_inherits
JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = to_regclass($1)
ORDER BY child.relname
"""


async def maintain_partitions(services: Services) -> None:
    """Make the running month and two ahead; drop months whose last day is past the table's age."""
    today = datetime.now(UTC).date()
    for table, days in MONTHLY.items():
        made = await services.db.fetch(
            "SELECT make_month_partitions($1, $2, 3) AS name", table, today
        )
        names = [row["name"] for row in await services.db.fetch(PARTITIONS, table)]
        dropped = [name for name in names if is_past(name, today - timedelta(days=days))]
        for name in dropped:
            # The name comes from the catalogue and was matched against our pattern.
            await services.db.execute(f'DROP TABLE "{name}"')
        log.info(
            "partitions maintained",
            table=table,
            made=len(made),
            dropped=len(dropped),
            kept=len(names) - len(dropped),
        )


def is_past(name: str, oldest: date) -> bool:
    """Say whether the month in a partition's name ended before that day."""
    found = re.fullmatch(r"[a-z_]+_(\d{4})_(\d{2})", name)
    if not found:
        return False
    first = date(int(found[1]), int(found[2]), 1)
    return (first + timedelta(days=32)).replace(day=1) <= oldest
