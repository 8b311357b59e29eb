"""Signs of life: leases of running jobs, and the list of workers."""

import socket
from collections.abc import Mapping, Sequence

from app import VERSION
from app.services import Services

# A job that ends at this very moment is locked by its end: it is ours, and its lease no longer matters.
EXTEND = """
WITH asked AS (
    SELECT id, attempt, lease FROM unnest($2::bigint[], $3::integer[], $4::float8[]) AS asked (id, attempt, lease)
), ours AS (
    SELECT job.id, asked.lease FROM delayed_jobs AS job JOIN asked ON asked.id = job.id AND asked.attempt = job.attempts
    WHERE job.locked_by = $1 AND job.status = 'running'
), free AS (
    SELECT job.id, ours.lease FROM delayed_jobs AS job JOIN ours ON ours.id = job.id
    WHERE ours.lease IS NOT NULL AND job.locked_by = $1 AND job.status = 'running'
    FOR UPDATE OF job SKIP LOCKED
), extended AS (
    UPDATE delayed_jobs AS job SET locked_until = now() + free.lease * interval '1 second'
    FROM free WHERE job.id = free.id
)
SELECT id FROM ours
"""


async def extend(
    services: Services, holder: str, jobs: Sequence[tuple[int, int, float | None]]
) -> set[int]:
    """Extend leases of (id, attempt, seconds or None to only ask); return the ids that are still the holder's."""
    ids, attempts, seconds = zip(*jobs, strict=True)
    rows = await services.db.fetch(EXTEND, holder, list(ids), list(attempts), list(seconds))
    return {row["id"] for row in rows}


SEEN = """
INSERT INTO workers (id, host, version, families, slots, busy) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET slots = EXCLUDED.slots, busy = EXCLUDED.busy, seen_at = now()
"""


async def be_seen(
    services: Services, holder: str, slots: Mapping[str, int], busy: Mapping[str, int]
) -> None:
    """Say that a worker lives, with its slots and busy ones by family."""
    host = socket.gethostname()
    await services.db.execute(SEEN, holder, host, VERSION, list(slots), dict(slots), dict(busy))


async def leave(services: Services, holder: str) -> None:
    """Take a worker that ends off the list."""
    await services.db.execute("DELETE FROM workers WHERE id = $1", holder)


SEEN_HERE = """
SELECT EXISTS (SELECT FROM workers WHERE host = $1 AND seen_at > now() - interval '15 seconds')
"""


async def is_worker_here(services: Services) -> bool:
    """Say whether a worker on this machine was seen in the last 15 seconds."""
    return bool(await services.db.fetchval(SEEN_HERE, socket.gethostname()))
