"""Brakes and levers: pause, slots and rates that hold across processes; retry, cancel, run now, forget."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from app.domain.platform.jobs.running import Claimed, claim_due
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


# The line goes when it brakes nothing else; the relay looks at once.
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


# Locked until the claim is written: two workers count one after the other, each seeing the other's claims.
COUNTED = """
SELECT scope, name, paused AND (until IS NULL OR until > now()) AS paused, slots,
    CASE WHEN minute_starts > now() - interval '1 minute' THEN per_minute - minute_used ELSE per_minute END AS rate_left
FROM delayed_job_control
WHERE scope = 'job_type' OR name = $1
ORDER BY scope, name
FOR UPDATE
"""
RUNNING = "SELECT queue, job_type, count(*) AS jobs FROM delayed_jobs WHERE status = 'running' GROUP BY 1, 2"
USED = """
UPDATE delayed_job_control
SET minute_used = $3 + CASE WHEN minute_starts > now() - interval '1 minute' THEN minute_used ELSE 0 END,
    minute_starts = CASE WHEN minute_starts > now() - interval '1 minute' THEN minute_starts ELSE now() END
WHERE scope = $1 AND name = $2 AND per_minute IS NOT NULL
"""


async def claim_within(
    services: Services, holder: str, queue: str, limit: int, types: Mapping[str, JobType]
) -> list[Claimed]:
    """Take due jobs of a family that has brakes, no more than they allow over all processes. Raises ServiceDown."""
    async with services.tx() as tx:
        rows = await tx.db.fetch(COUNTED, queue)
        running = await tx.db.fetch(RUNNING)
        room = {(row["scope"], row["name"]): left(row, running) for row in rows}
        free = min(limit, room.get(("queue", queue), limit))
        found: list[Claimed] = []
        plain = {name: kind for name, kind in types.items() if ("job_type", name) not in room}
        braked = [name for name in types if ("job_type", name) in room]
        for group, most in [*(({n: types[n]}, room["job_type", n]) for n in braked), (plain, free)]:
            wanted = min(most, free - len(found))
            if wanted > 0 and group:
                found += await claim_due(tx, holder, queue, wanted, group, braked=True)
        for scope, name in room:
            mine = [job for job in found if name == (queue if scope == "queue" else job.job_type)]
            if mine:
                await tx.db.execute(USED, scope, name, len(mine))
        return found


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


DELETE = "DELETE FROM delayed_jobs WHERE id = $1 AND status IN ('done', 'dead', 'cancelled')"


async def delete(services: Services, job_id: int) -> None:
    """Forget a job that has ended. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        if (await tx.db.execute(DELETE, job_id)).endswith(" 0"):
            raise await refusal(tx, job_id, "A job that waits or runs is cancelled first.")


async def refusal(services: Services, job_id: int, sentence: str) -> Exception:
    """Return why nothing was done: no such job, or not in this state."""
    status = await services.db.fetchval(STATUS, job_id)
    return NotFound("There is no such job.") if status is None else Conflict(sentence)


# Of an erased person: what waits ends, what ended or runs forgets its payload.
FORGET = """
WITH found AS (
    SELECT id FROM delayed_jobs WHERE subjects @> ARRAY[$1] AND subjects <> '{}' FOR UPDATE
)
UPDATE delayed_jobs AS job
SET payload = '{}', subjects = '{}', last_error = NULL, progress = NULL, trace = NULL,
    status = CASE status WHEN 'pending' THEN 'cancelled' ELSE status END,
    finished_at = CASE status WHEN 'pending' THEN now() ELSE finished_at END
FROM found WHERE job.id = found.id
"""


FORGET_DELETED = "DELETE FROM deleted_jobs WHERE job -> 'subjects' ? $1"


async def forget(services: Services, subject: str) -> int:
    """Erase a subject (`member:7`) from the ledger; return how many jobs it touched."""
    await services.db.execute(FORGET_DELETED, subject)
    return int((await services.db.execute(FORGET, subject)).split()[-1])
