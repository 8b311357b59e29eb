"""Brakes and levers: pause, slots and rates that hold across processes; retry, cancel, delete."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from app.domain.platform.jobs.running import Claimed, claim_locked, first_due
from app.domain.platform.jobs.types import FAMILIES, JobType
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

UNBRAKED = 1_000_000

PAUSE = """
INSERT INTO delayed_job_control (scope, name, paused, reason, actor_id, until)
VALUES ($1, $2, true, $3, $4, $5)
ON CONFLICT (scope, name) DO UPDATE
SET paused = true, reason = EXCLUDED.reason, actor_id = EXCLUDED.actor_id, until = EXCLUDED.until, changed_at = now()
"""


async def pause(
    services: Services,
    scope: str,
    name: str,
    *,
    reason: str,
    actor_id: int | None = None,
    until: datetime | None = None,
) -> None:
    """Let no job of a family or type start; running ones finish. Raises Invalid, NotFound."""
    known(services, scope, name)
    if not reason.strip():
        raise Invalid("Say why.", errors={"reason": "Say why: others will wonder."})
    await services.db.execute(PAUSE, scope, name, reason.strip()[:500], actor_id, until)


# The relay looks at once.
RESUME = """
WITH resumed AS (
    UPDATE delayed_job_control SET paused = false, until = NULL, changed_at = now()
    WHERE scope = $1 AND name = $2 AND paused
    RETURNING scope
)
SELECT pg_notify('village_jobs', CASE scope WHEN 'queue' THEN $2 ELSE 'all' END) FROM resumed
"""


async def resume(services: Services, scope: str, name: str) -> None:
    """Take a pause away; one that is not there is as good. Raises NotFound."""
    known(services, scope, name)
    await services.db.execute(RESUME, scope, name)


# The row's trigger tells every worker that the brakes have changed.
END_PAUSES = """
UPDATE delayed_job_control SET paused = false, until = NULL, changed_at = now()
WHERE paused AND until <= now()
"""


async def end_pauses(services: Services) -> None:
    """Take away the pauses whose time is over."""
    await services.db.execute(END_PAUSES)


LIMIT = """
INSERT INTO delayed_job_control (scope, name, slots, per_minute, reason, actor_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (scope, name) DO UPDATE
SET slots = EXCLUDED.slots, per_minute = EXCLUDED.per_minute, reason = EXCLUDED.reason,
    actor_id = EXCLUDED.actor_id, changed_at = now()
"""


async def limit(
    services: Services,
    scope: str,
    name: str,
    *,
    slots: int | None = None,
    per_minute: int | None = None,
    reason: str = "",
    actor_id: int | None = None,
) -> None:
    """Hold a family or type to so many at once or a minute over all processes; None lifts it. Raises NotFound."""
    known(services, scope, name)
    await services.db.execute(LIMIT, scope, name, slots, per_minute, reason, actor_id)


def known(services: Services, scope: str, name: str) -> None:
    """Raise NotFound for a family or type that does not exist."""
    names = FAMILIES if scope == "queue" else services.ledger.registry
    if name not in names:
        raise NotFound("There is no queue or job type of that name.")


@dataclasses.dataclass(frozen=True)
class Brake:
    """One line of the brakes that are on."""

    scope: str
    name: str
    paused: bool
    slots: int | None
    per_minute: int | None


BRAKES = """
SELECT scope, name, paused, slots, per_minute FROM job_brakes
WHERE scope = 'job_type' OR name = $1
"""


async def brakes(services: Services, queue: str) -> list[Brake]:
    """Return what brakes a family and any type. Raises ServiceDown."""
    return [Brake(**dict(row)) for row in await services.db.fetch(BRAKES, queue)]


# Locked until the claim is written: two workers count one after the other, each seeing the other's claims. Whoever
# waited for the lock reads the row as it is then, so what was claimed in the last minute stands in that row itself.
COUNTED = """
SELECT scope, name, paused AND (until IS NULL OR until > now()) AS paused, slots,
    per_minute - (
        SELECT coalesce(sum(claim.jobs), 0) FROM unnest(claimed_at, claimed) AS claim (at, jobs)
        WHERE claim.at > clock_timestamp() - interval '1 minute'
    )::integer AS rate_left
FROM delayed_job_control
WHERE scope = 'job_type' OR name = $1
ORDER BY scope, name
FOR UPDATE
"""
RUNNING = "SELECT queue, job_type, count(*) AS jobs FROM delayed_jobs WHERE status = 'running' GROUP BY 1, 2"
USED = """
UPDATE delayed_job_control AS brake
SET (claimed_at, claimed) = (
    SELECT array_agg(claim.at), array_agg(claim.jobs) FROM (
        SELECT at, jobs FROM unnest(brake.claimed_at, brake.claimed) AS earlier (at, jobs)
        WHERE at > clock_timestamp() - interval '1 minute'
        UNION ALL
        SELECT clock_timestamp(), used.jobs
    ) AS claim
)
FROM unnest($1::text[], $2::text[], $3::integer[]) AS used (scope, name, jobs)
WHERE brake.scope = used.scope AND brake.name = used.name AND brake.per_minute IS NOT NULL
"""


async def claim_within(
    services: Services, holder: str, queue: str, limit: int, types: Mapping[str, JobType]
) -> list[Claimed]:
    """Take due jobs of a family that has brakes, no more than they allow over all processes. Raises ServiceDown.

    They come by priority over all types. A type that has no room left is passed over from then on.
    """
    async with services.tx() as tx:
        rows = await tx.db.fetch(COUNTED, queue)
        running = await tx.db.fetch(RUNNING)
        room = {(row["scope"], row["name"]): left(row, running) for row in rows}
        most = min(limit, room.get(("queue", queue), limit))
        allowed = {name: kind for name, kind in types.items() if room.get(("job_type", name), 1)}
        found: list[Claimed] = []
        while allowed and len(found) < most:
            first = await first_due(tx, queue, most - len(found), allowed)
            chosen, full = within(room, first)
            if chosen:
                found += await claim_locked(tx, holder, queue, chosen, allowed)
            if not full:
                break
            allowed = {name: kind for name, kind in allowed.items() if name not in full}
        if found:
            await count_claims(tx, queue, found)
        return found


def within(
    room: dict[tuple[str, str], int], first: Sequence[tuple[int, str]]
) -> tuple[list[int], set[str]]:
    """Choose the jobs for which there is room, and take that from it; also return the types that have none left."""
    chosen, full = [], set()
    for job_id, job_type in first:
        key = ("job_type", job_type)
        if room.get(key, 1) > 0:
            chosen.append(job_id)
            room[key] = room.get(key, UNBRAKED) - 1
        else:
            full.add(job_type)
    return chosen, full


async def count_claims(services: Services, queue: str, jobs: Sequence[Claimed]) -> None:
    """Count claims for what a minute allows of the family and of each type."""
    many = Counter(("job_type", job.job_type) for job in jobs)
    many["queue", queue] = len(jobs)
    scopes, names = zip(*many, strict=True)
    await services.db.execute(USED, list(scopes), list(names), list(many.values()))


def left(brake: Any, running: Sequence[Any]) -> int:
    """Return how many more may start under one brake."""
    if brake["paused"]:
        return 0
    column = "queue" if brake["scope"] == "queue" else "job_type"
    busy = sum(row["jobs"] for row in running if row[column] == brake["name"])
    slots = UNBRAKED if brake["slots"] is None else brake["slots"] - busy
    rate = UNBRAKED if brake["rate_left"] is None else brake["rate_left"]
    return max(0, min(slots, rate))


RETRY = """
UPDATE delayed_jobs
SET status = 'pending', run_at = now(), finished_at = NULL, relayed_at = NULL,
    max_attempts = greatest(max_attempts, attempts + 1)
WHERE id = $1 AND status IN ('dead', 'cancelled', 'pending')
RETURNING pg_notify('village_jobs', queue), status
"""
STATUS = "SELECT status FROM delayed_jobs WHERE id = $1"


async def retry(services: Services, job_id: int) -> None:
    """Let a dead, cancelled or waiting job run now, with one attempt more if it has none. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        try:
            row = await tx.db.fetchrow(RETRY, job_id)
        except asyncpg.UniqueViolationError:
            raise Conflict("Another job with the same key waits or runs already.") from None
        if row is None:
            raise await refusal(
                tx, job_id, "Only jobs that wait, are dead or were cancelled can run again."
            )


# A running job loses its fence at once; its coroutine is stopped at the next heartbeat.
CANCEL = """
WITH held AS (
    SELECT id, attempts, locked_by, status FROM delayed_jobs
    WHERE id = $1 AND status IN ('pending', 'running') FOR UPDATE
), tried AS (
    INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome)
    SELECT id, attempts, locked_by, now(), 'cancelled' FROM held WHERE status = 'running'
)
UPDATE delayed_jobs AS job
SET status = 'cancelled', finished_at = now(), locked_by = NULL, locked_until = NULL, relayed_at = NULL
FROM held WHERE job.id = held.id
RETURNING job.id
"""


async def cancel(services: Services, job_id: int) -> None:
    """End a job that waits or runs. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        if await tx.db.fetchval(CANCEL, job_id) is None:
            raise await refusal(tx, job_id, "This job has ended already.")


# What its tries say of a person cannot be found any more once the job is gone.
DELETE = """
WITH gone AS (
    DELETE FROM delayed_jobs WHERE id = $1 AND status IN ('done', 'dead', 'cancelled') RETURNING id, subjects
), effects AS (
    DELETE FROM job_effects USING gone WHERE job_id = gone.id
), said AS (
    UPDATE job_attempts SET error = NULL FROM gone WHERE job_id = gone.id AND gone.subjects <> '{}'
)
SELECT id FROM gone
"""


async def delete(services: Services, job_id: int) -> None:
    """Forget a job that has ended. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        if await tx.db.fetchval(DELETE, job_id) is None:
            raise await refusal(tx, job_id, "A job that waits or runs is cancelled first.")


async def refusal(services: Services, job_id: int, sentence: str) -> Exception:
    """Return why nothing was done: no such job, or not in this state."""
    status = await services.db.fetchval(STATUS, job_id)
    return NotFound("There is no such job.") if status is None else Conflict(sentence)
