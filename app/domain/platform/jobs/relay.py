"""The relay: bare ids of due jobs, in the order they should start, for the fast lane."""

from collections.abc import Sequence
from datetime import datetime

from app.services import Services

# A hint that nobody took up in this time got lost, with Redis or with a worker.
LOST_SECONDS = 30
HINTS_PER_SLOT = 4

# By priority, run_at and id; every fifth is the oldest of all, so that nothing starves.
# That a hint was given need not wait for the disk. $3 are the known types without a brake: slots and per_minute are counted at the claim, which needs no hints.
RELAY = """
WITH first AS (
    SELECT due.id
    FROM generate_series(0, 9) AS level (priority)
    CROSS JOIN LATERAL (
        SELECT job.id FROM delayed_jobs AS job
        WHERE job.queue = $1 AND job.priority = level.priority AND job.status = 'pending' AND job.run_at <= now()
          AND (job.relayed_at IS NULL OR job.relayed_at < now() - $4::float8 * interval '1 second')
          AND job.job_type || '' = ANY($3::text[])
        ORDER BY job.run_at, job.id
        LIMIT $2
    ) AS due
    LIMIT $2
), oldest AS (
    SELECT job.id FROM delayed_jobs AS job
    WHERE job.queue = $1 AND job.status = 'pending' AND job.run_at <= now() AND $1 <> 'SCREENSHOT'
      AND (job.relayed_at IS NULL OR job.relayed_at < now() - $4::float8 * interval '1 second')
      AND job.job_type || '' = ANY($3::text[])
    ORDER BY job.run_at
    LIMIT $2 / 5
)
UPDATE delayed_jobs AS job SET relayed_at = now()
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried
WHERE job.id IN (
        (SELECT id FROM oldest)
        UNION ALL
        (SELECT id FROM first WHERE id NOT IN (SELECT id FROM oldest) LIMIT $2 - (SELECT count(*) FROM oldest))
    )
  AND job.status || '' = 'pending'
RETURNING job.id, job.priority, job.run_at
"""


async def take(services: Services, queue: str, room: int, types: Sequence[str]) -> list[int]:
    """Mark due jobs of these types as hinted, at most `room`; return their ids in the order to start.

    Raises ServiceDown.
    """
    rows = await services.db.fetch(RELAY, queue, room, list(types), LOST_SECONDS)
    return in_turn([(row["priority"], row["run_at"], row["id"]) for row in rows], queue)


def in_turn(rows: Sequence[tuple[int, datetime, int]], queue: str) -> list[int]:
    """Order by priority, run_at and id; outside SCREENSHOT every fifth is the oldest that is left."""
    by_priority = sorted(rows)
    if queue == "SCREENSHOT":
        return [row[2] for row in by_priority]
    by_age = sorted(rows, key=lambda row: row[1:])
    turn: dict[int, None] = {}
    first, oldest = iter(by_priority), iter(by_age)
    for place in range(1, len(rows) + 1):
        source = oldest if place % 5 == 0 else first
        turn[next(row[2] for row in source if row[2] not in turn)] = None
    return list(turn)


OUTSTANDING = (
    "SELECT id FROM delayed_jobs WHERE id = ANY($1::bigint[]) AND status || '' = 'pending'"
)


async def still_waiting(services: Services, ids: Sequence[int]) -> set[int]:
    """Return those hinted jobs that nobody has claimed yet. Raises ServiceDown."""
    return {row["id"] for row in await services.db.fetch(OUTSTANDING, list(ids))}


KEEP = """
UPDATE delayed_jobs SET relayed_at = now() WHERE id = ANY($1::bigint[]) AND status || '' = 'pending'
"""


async def keep_hints(services: Services, ids: Sequence[int]) -> None:
    """Say of hints that they are not lost: nobody has taken them up yet. Raises ServiceDown."""
    await services.db.execute(KEEP, list(ids))


# Hints that a worker could not use: the relay may give them again at once.
RETURN = """
UPDATE delayed_jobs SET relayed_at = NULL
WHERE id = ANY($1::bigint[]) AND status || '' = 'pending' AND relayed_at IS NOT NULL
"""


async def return_hints(services: Services, ids: Sequence[int]) -> None:
    """Make hinted jobs that nobody took free for the next hint. Raises ServiceDown."""
    await services.db.execute(RETURN, list(ids))


LIVE_SLOTS = """
SELECT count(*)::integer AS workers, coalesce(sum((slots ->> $1)::integer), 0)::integer AS slots FROM workers
WHERE $1 = ANY(families) AND seen_at > now() - interval '15 seconds'
"""


async def live_slots(services: Services, queue: str) -> tuple[int, int]:
    """Count the workers of a family seen lately, and their slots. Raises ServiceDown."""
    row = await services.db.fetchrow(LIVE_SLOTS, queue)
    return row["workers"], row["slots"]
