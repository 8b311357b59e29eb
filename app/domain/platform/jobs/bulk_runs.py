"""The work of an action on many jobs: 1,000 a transaction, with progress, until it is done or stopped."""

import time
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from app.domain.platform.jobs import bulk_matches, controls
from app.domain.platform.jobs.console import Filter
from app.errors import Conflict, Defer
from app.services import Services

BATCH = 1000
# Under the time-out of a job; what is left goes on in its next try, which counts for nothing.
LONGEST_SECONDS = 200

BEGIN = """
UPDATE job_bulk_actions
SET status = CASE status WHEN 'waiting' THEN 'running' WHEN 'stopping' THEN 'stopped' ELSE status END
WHERE id = $1 RETURNING action, filter, status, below_id
"""
ADVANCE = """
UPDATE job_bulk_actions SET below_id = $2, changed = changed + $3, passed_over = passed_over + $4
WHERE id = $1 RETURNING changed, passed_over, matched
"""
FINISH = "UPDATE job_bulk_actions SET status = 'done', finished_at = now() WHERE id = $1"


async def run(services: Services, action_id: int) -> None:
    """Carry out a confirmed action; one that was undone or has ended does nothing. Raises Defer when it takes long."""
    ends = time.monotonic() + LONGEST_SECONDS
    while progress := await batch(services, action_id):
        if services.job is not None:
            await services.job.report(progress)
        if time.monotonic() > ends:
            raise Defer(datetime.now(UTC), "goes on at once")


async def batch(services: Services, action_id: int) -> dict[str, Any] | None:
    """Change the next 1,000 jobs; answer how far it is, None at the end."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(BEGIN, action_id)
        if row is None or row["status"] != "running":
            return None
        asked = msgspec.convert(row["filter"], Filter)
        ids = await bulk_matches.ids(tx, row["action"], asked, row["below_id"], BATCH)
        if not ids:
            await tx.db.execute(FINISH, action_id)
            return None
        changed = await ACTS[row["action"]](tx, action_id, ids)
        passed = len(ids) - changed
        return dict(await tx.db.fetchrow(ADVANCE, action_id, ids[-1], changed, passed))


# Of several with one key the newest runs again, and none beside one that lives already.
RETRY = """
WITH held AS (
    SELECT id, job_type, idempotency_key FROM delayed_jobs
    WHERE id = ANY($1) AND status IN ('dead', 'cancelled') FOR UPDATE
), wished AS (
    SELECT id, row_number() OVER (PARTITION BY job_type, coalesce(idempotency_key, id::text) ORDER BY id DESC) AS place
    FROM held WHERE NOT EXISTS (
        SELECT FROM delayed_jobs AS live
        WHERE live.job_type = held.job_type AND live.idempotency_key = held.idempotency_key
          AND live.status IN ('pending', 'running'))
), changed AS (
    UPDATE delayed_jobs AS job
    SET status = 'pending', run_at = now(), finished_at = NULL, relayed_at = NULL,
        max_attempts = greatest(job.max_attempts, job.attempts + 1)
    FROM wished WHERE job.id = wished.id AND wished.place = 1
    RETURNING job.id, job.queue
), told AS (
    SELECT pg_notify('village_jobs', queue) FROM changed GROUP BY queue
)
SELECT count(*) FROM changed WHERE (SELECT count(*) FROM told) IS NOT NULL
"""


async def retry(services: Services, _action_id: int, ids: list[int]) -> int:
    """Let dead and cancelled jobs run again now; return how many. Those whose key lives already are passed over."""
    try:
        async with services.tx() as tx:
            changed: int = await tx.db.fetchval(RETRY, ids)
            return changed
    except asyncpg.UniqueViolationError:
        # A job of one of these keys was written meanwhile: one by one, so that only that one is passed over.
        return sum([await retried(services, job_id) for job_id in ids])


async def retried(services: Services, job_id: int) -> bool:
    """Whether one job could be let run again."""
    try:
        await controls.retry(services, job_id)
    except Conflict:
        return False
    return True


CANCEL = """
WITH held AS (
    SELECT id, attempts, locked_by, status FROM delayed_jobs
    WHERE id = ANY($1) AND status IN ('pending', 'running') AND job_type <> 'run_bulk_action' FOR UPDATE
), tried AS (
    INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome)
    SELECT id, attempts, locked_by, now(), 'cancelled' FROM held WHERE status = 'running'
), changed AS (
    UPDATE delayed_jobs AS job
    SET status = 'cancelled', finished_at = now(), locked_by = NULL, locked_until = NULL, relayed_at = NULL
    FROM held WHERE job.id = held.id RETURNING job.id
)
SELECT count(*) FROM changed
"""


async def cancel(services: Services, _action_id: int, ids: list[int]) -> int:
    """End jobs that wait or run; return how many. The work of bulk actions is passed over."""
    changed: int = await services.db.fetchval(CANCEL, ids)
    return changed


DELETE = """
WITH gone AS (
    DELETE FROM delayed_jobs AS job WHERE id = ANY($1) AND status IN ('done', 'dead', 'cancelled')
    RETURNING id, to_jsonb(job) AS job
), kept AS (
    INSERT INTO deleted_jobs (id, bulk_action_id, job) SELECT id, $2, job FROM gone
    ON CONFLICT (id) DO UPDATE SET bulk_action_id = EXCLUDED.bulk_action_id, job = EXCLUDED.job, created_at = now()
)
SELECT count(*) FROM gone
"""


async def delete(services: Services, action_id: int, ids: list[int]) -> int:
    """Forget jobs that have ended, keeping them aside for 24 hours; return how many."""
    changed: int = await services.db.fetchval(DELETE, ids, action_id)
    return changed


ACTS = {"retry": retry, "cancel": cancel, "delete": delete}

RESTORE = """
WITH taken AS (
    DELETE FROM deleted_jobs WHERE id IN (
        SELECT id FROM deleted_jobs WHERE bulk_action_id = $1 AND created_at > now() - interval '24 hours'
        ORDER BY id LIMIT $2)
    RETURNING job
), back AS (
    INSERT INTO delayed_jobs (id, job_type, queue, priority, payload, subjects, run_at, status, attempts, max_attempts,
        last_error, idempotency_key, once, progress, trace, actor_id, created_at, finished_at)
    OVERRIDING SYSTEM VALUE
    SELECT row.id, row.job_type, row.queue, row.priority, row.payload, row.subjects, row.run_at, row.status, row.attempts,
        row.max_attempts, row.last_error, row.idempotency_key, row.once, row.progress, row.trace, row.actor_id,
        row.created_at, row.finished_at
    FROM taken CROSS JOIN LATERAL jsonb_populate_record(NULL::delayed_jobs, taken.job) AS row
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM taken
"""
RESTORED = "UPDATE job_bulk_actions SET status = 'restored' WHERE id = $1"


async def restore(services: Services, action_id: int) -> None:
    """Put back what an action deleted in the last 24 hours, 1,000 a transaction."""
    while await services.db.fetchval(RESTORE, action_id, BATCH):
        pass
    await services.db.execute(RESTORED, action_id)
