"""Claims and ends of jobs, many a statement. (id, attempt) with the holder is the fence of every write."""

import dataclasses
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.platform.jobs.types import JobType
from app.services import Services

FIRST_RETRY_SECONDS = 30.0
LAST_RETRY_SECONDS = 3600.0
ERROR_CHARACTERS = 2000


@dataclasses.dataclass(slots=True)
class Claimed:
    """One job that this process holds. `wait_ms`: from when it was due to its start."""

    id: int
    job_type: str
    queue: str
    payload: dict[str, Any]
    attempt: int
    max_attempts: int
    trace: dict[str, str]
    actor_id: int | None
    started_at: datetime
    wait_ms: int


@dataclasses.dataclass(slots=True)
class Ending:
    """How one attempt ended: `outcome` ok, retry, dead, deferred; `recorded`: its own transaction said so already."""

    job: Claimed
    outcome: str
    run_ms: int = 0
    error: str | None = None
    delay: float | None = None
    until: datetime | None = None
    recorded: bool = False


def retry_delay(attempts: int) -> float:
    """Seconds to wait after that many attempts: doubling from 30, a quarter up or down, at most an hour."""
    doubled = FIRST_RETRY_SECONDS * 2.0 ** (min(attempts, 20) - 1)
    return min(doubled * random.uniform(0.75, 1.25), LAST_RETRY_SECONDS)  # noqa: S311


def claiming(free: str) -> str:
    """The statement that claims what a query finds free. $1: queue, $2: what or how many, $3: types, $4: their leases, $5: holder.

    A claim does not wait for the disk: the job's own commits do, and they carry the claim with them. Should the
    server crash before, the job was never claimed, and the fence throws this attempt's end away.
    """
    return f"""
WITH free AS ({free})
UPDATE delayed_jobs AS job
SET status = 'running', attempts = attempts + 1, locked_by = $5,
    locked_until = now() + known.lease * interval '1 second'
FROM free
JOIN unnest($3::text[], $4::float8[]) AS known (job_type, lease) ON known.job_type = free.job_type
CROSS JOIN (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried
WHERE job.id = free.id
RETURNING job.id, job.job_type, job.queue, job.payload, job.attempts AS attempt, job.max_attempts, job.trace,
    job.actor_id, now() AS started_at,
    (extract(epoch FROM now() - greatest(job.run_at, job.created_at)) * 1000)::bigint AS wait_ms
"""  # noqa: S608


def first(condition: str) -> str:
    """The query for the first that are due, priority by priority, which the index has in that order."""
    return f"""
    SELECT due.id, due.job_type
    FROM generate_series(0, 9) AS level (priority)
    CROSS JOIN LATERAL (
        SELECT job.id, job.job_type
        FROM delayed_jobs AS job
        WHERE job.queue = $1 AND job.priority = level.priority AND job.status = 'pending' AND job.run_at <= now()
          AND job.job_type || '' = ANY($3::text[]) {condition}
        ORDER BY job.run_at, job.id
        LIMIT $2
        FOR UPDATE OF job SKIP LOCKED
    ) AS due
    LIMIT $2
"""  # noqa: S608


NO_BRAKE = """
      AND NOT EXISTS (
          SELECT FROM job_brakes AS brake
          WHERE brake.scope = 'queue' AND brake.name = job.queue
             OR brake.scope = 'job_type' AND brake.name = job.job_type
      )"""
# The hinted jobs that may start: still pending, due, of a type that this program knows, and without a brake.
# What is joined to '' is a check and no way in: a plan made while the table was empty must not walk an index of
# all that is pending once it is full.
HINTED = f"""
    SELECT job.id, job.job_type
    FROM delayed_jobs AS job
    WHERE job.id = ANY($2::bigint[]) AND job.queue || '' = $1 AND job.status || '' = 'pending'
      AND job.run_at <= now() AND job.job_type || '' = ANY($3::text[]) {NO_BRAKE}
    FOR UPDATE OF job SKIP LOCKED
"""  # noqa: S608
CLAIM_HINTED = claiming(HINTED)
CLAIM_DUE = claiming(first(NO_BRAKE))


async def claim(
    services: Services, holder: str, queue: str, ids: Sequence[int], types: Mapping[str, JobType]
) -> list[Claimed]:
    """Take those of the hinted jobs that may start now. Raises ServiceDown."""
    leases = [kind.lease for kind in types.values()]
    rows = await services.db.fetch(CLAIM_HINTED, queue, list(ids), list(types), leases, holder)
    return [claimed(row) for row in rows]


async def claim_due(
    services: Services, holder: str, queue: str, limit: int, types: Mapping[str, JobType]
) -> list[Claimed]:
    """Take the first due jobs of a family that no brake holds. Raises ServiceDown."""
    leases = [kind.lease for kind in types.values()]
    rows = await services.db.fetch(CLAIM_DUE, queue, limit, list(types), leases, holder)
    return [claimed(row) for row in rows]


FIRST_DUE = first("")


async def first_due(
    services: Services, queue: str, limit: int, types: Iterable[str]
) -> list[tuple[int, str]]:
    """Lock the first due jobs whatever brakes there are; return id and type in the order to start."""
    rows = await services.db.fetch(FIRST_DUE, queue, limit, list(types))
    return [(row["id"], row["job_type"]) for row in rows]


CLAIM_LOCKED = claiming("""
    SELECT id, job_type FROM delayed_jobs
    WHERE id = ANY($2::bigint[]) AND queue || '' = $1 AND job_type || '' = ANY($3::text[])
""")


async def claim_locked(
    services: Services, holder: str, queue: str, ids: Sequence[int], types: Mapping[str, JobType]
) -> list[Claimed]:
    """Take jobs that `first_due` has locked in this transaction, for which the caller has counted the brakes."""
    leases = [kind.lease for kind in types.values()]
    rows = await services.db.fetch(CLAIM_LOCKED, queue, list(ids), list(types), leases, holder)
    return [claimed(row) for row in rows]


def claimed(row: Any) -> Claimed:
    """One row of a claim."""
    return Claimed(
        row["id"],
        row["job_type"],
        row["queue"],
        row["payload"],
        row["attempt"],
        row["max_attempts"],
        row["trace"] or {},
        row["actor_id"],
        row["started_at"],
        max(0, row["wait_ms"]),
    )


# Only what is still ours changes; a deferred job gets its attempt back.
FINISH = """
WITH ended AS (
    SELECT id, attempt, outcome, error, delay, until, started_at, wait_ms, run_ms
    FROM unnest($2::bigint[], $3::integer[], $4::text[], $5::text[], $6::float8[], $7::timestamptz[],
                $8::timestamptz[], $9::bigint[], $10::bigint[])
        AS ended (id, attempt, outcome, error, delay, until, started_at, wait_ms, run_ms)
), marked AS (
    UPDATE delayed_jobs AS job
    SET status = CASE ended.outcome WHEN 'ok' THEN 'done' WHEN 'dead' THEN 'dead' ELSE 'pending' END,
        attempts = job.attempts - (ended.outcome = 'deferred')::integer,
        run_at = coalesce(ended.until, now() + ended.delay * interval '1 second', job.run_at),
        last_error = coalesce(ended.error, job.last_error),
        locked_by = NULL, locked_until = NULL, relayed_at = NULL,
        finished_at = CASE WHEN ended.outcome IN ('ok', 'dead') THEN now() END
    FROM ended
    WHERE job.id = ended.id AND job.attempts = ended.attempt AND job.locked_by = $1 AND job.status || '' = 'running'
    RETURNING job.id
), tried AS (
    INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome, error, wait_ms, run_ms)
    SELECT ended.id, ended.attempt, $1, ended.started_at, ended.outcome, ended.error, ended.wait_ms, ended.run_ms
    FROM ended JOIN marked USING (id)
)
SELECT id FROM marked
"""


def storable(error: str | None) -> str | None:
    """An error's text as PostgreSQL can keep it: no zero sign, no half of a pair, and not for ever."""
    if error is None:
        return None
    return error.encode("utf-8", "replace").decode().replace("\0", "")[:ERROR_CHARACTERS]


async def finish(services: Services, holder: str, endings: Sequence[Ending]) -> set[int]:
    """End attempts in one statement; return the ids that were ours to end. Raises ServiceDown."""
    rows = await services.db.fetch(
        FINISH,
        holder,
        [ending.job.id for ending in endings],
        [ending.job.attempt for ending in endings],
        [ending.outcome for ending in endings],
        [storable(ending.error) for ending in endings],
        [ending.delay for ending in endings],
        [ending.until for ending in endings],
        [ending.job.started_at for ending in endings],
        [ending.job.wait_ms for ending in endings],
        [ending.run_ms for ending in endings],
    )
    return {row["id"] for row in rows}


# The process stops: what it could not finish waits again, as if it had not begun.
GIVE_BACK = """
WITH returned AS (
    UPDATE delayed_jobs
    SET status = 'pending', attempts = attempts - 1, locked_by = NULL, locked_until = NULL, relayed_at = NULL
    WHERE locked_by = $1 AND status = 'running' AND id = ANY($2::bigint[])
    RETURNING id, attempts + 1 AS attempt, queue
), tried AS (
    INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome, error)
    SELECT id, attempt, $1, now(), 'deferred', 'The worker stopped.' FROM returned
), told AS (
    SELECT pg_notify('village_jobs', queue) FROM returned GROUP BY queue
)
SELECT count(*) FROM returned WHERE (SELECT count(*) FROM told) IS NOT NULL
"""


async def give_back(services: Services, holder: str, ids: Sequence[int]) -> int:
    """Return jobs to the queue with no attempt lost; return how many were still ours."""
    return await services.db.fetchval(GIVE_BACK, holder, list(ids)) or 0


STEP = """
SELECT EXISTS (SELECT FROM job_effects WHERE job_id = $1 AND step = $2) AS taken,
    EXISTS (
        SELECT FROM delayed_jobs WHERE id = $1 AND attempts = $3 AND locked_by = $4 AND status = 'running'
    ) AS ours
"""


async def step(services: Services, holder: str, job: Claimed, name: str) -> tuple[bool, bool]:
    """Say whether a step took effect in an earlier attempt, and whether the job is still this attempt's."""
    row = await services.db.fetchrow(STEP, job.id, name, job.attempt, holder)
    return row["taken"], row["ours"]


# What happened outside is remembered even by an attempt that has lost its job: whoever holds it now need not repeat it.
TAKE_STEP = """
WITH taken AS (
    INSERT INTO job_effects (job_id, step) SELECT id, $2 FROM delayed_jobs WHERE id = $1
    ON CONFLICT DO NOTHING
)
SELECT EXISTS (
    SELECT FROM delayed_jobs WHERE id = $1 AND attempts = $3 AND locked_by = $4 AND status = 'running'
)
"""


async def record_effect(services: Services, holder: str, job: Claimed, step: str) -> bool:
    """Remember that a step took effect outside; return whether the job is still this attempt's."""
    return bool(await services.db.fetchval(TAKE_STEP, job.id, step, job.attempt, holder))


REPORT = """
UPDATE delayed_jobs SET progress = $4
WHERE id = $1 AND attempts = $2 AND locked_by = $3 AND status = 'running'
"""


async def report(services: Services, holder: str, job: Claimed, progress: Any) -> bool:
    """Show how far a job is; return False when it is no longer this attempt's."""
    done = await services.db.execute(REPORT, job.id, job.attempt, holder, progress)
    return bool(done.endswith(" 1"))
