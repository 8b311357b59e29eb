"""The healer outside the queue: a loop in every process, one of which sweeps at a time."""

import asyncio
import os
import socket
import uuid
from collections.abc import Awaitable, Callable

import structlog

from app.domain.platform import integrations, mailboxes, metrics, quality_checks
from app.domain.platform.ai import usage
from app.domain.platform.jobs import controls, counts, endings, leases, stats
from app.domain.platform.jobs.running import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS
from app.domain.platform.jobs.types import FAMILIES
from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("jobs")

SWEEP_SECONDS = 15.0
SWEEPER_LEASE = 9.0
# Between the rounds the duty is renewed, and attempts whose lease ran out are returned already.
LOOK_SECONDS = 3.0
FIGURES_SECONDS = 2.0
FIGURES_LEASE = 5.0
PART_SECONDS = 5.0
BATCH = 1000

Part = Callable[[Services], Awaitable[object]]


def holder_name() -> str:
    """A name that no other process has, now or later."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


async def sweep_forever(services: Services) -> None:
    """Sweep each 15 s while we hold that duty, and show the shared figures; ends when cancelled."""
    holder = holder_name()
    try:
        await asyncio.gather(sweeping(services, holder), figuring(services, holder))
    finally:
        await let_go(services, holder)


async def let_go(services: Services, holder: str) -> None:
    """Give up our duties, so that another process need not wait for their leases to run out."""
    try:
        async with asyncio.timeout(1):
            await leases.release(services, holder)
    except (ServiceDown, TimeoutError):
        return


async def sweeping(services: Services, holder: str) -> None:
    """Look every few seconds whether the sweeper's duty is free, and sweep when it is ours."""
    swept_at = 0.0
    clock = asyncio.get_running_loop().time
    while True:
        try:
            ours = await leases.take(services, "sweeper", holder, SWEEPER_LEASE)
            if ours and clock() - swept_at >= SWEEP_SECONDS:
                swept_at = clock()
                await sweep(services)
            elif ours:
                await go_through(services, return_lost)
        except ServiceDown:
            log.warning("sweeper waits", why="database away")
        # Nothing outside starts the healer again, so no fault of one part may end it.
        except Exception:
            log.exception("sweep broke off")
        await asyncio.sleep(LOOK_SECONDS)


async def sweep(services: Services) -> None:
    """Go round once; a part that takes over 5 s or fails is left for the next round."""
    parts: list[Part] = [
        return_lost,
        controls.end_pauses,
        wake_relay,
        counts.fold,
        stats.fold,
        look_for_trouble,
    ]
    for part in parts:
        await go_through(services, part)
    await counts.beat(services, "sweeper")


async def go_through(services: Services, part: Part) -> None:
    """Do one part, for 5 s at most. Raises ServiceDown."""
    try:
        async with asyncio.timeout(PART_SECONDS):
            await part(services)
    except TimeoutError:
        log.warning("sweeper part took too long", part=part.__name__)
    except ServiceDown:
        raise
    # One part that fails must not keep the others from their work.
    except Exception:
        log.exception("sweeper part failed", part=part.__name__)


# Rule 109 in SQL: the wait after a lost attempt. A job whose process died in its last attempt is dead.
LOST = """
WITH held AS (
    SELECT id, attempts, max_attempts, locked_by FROM delayed_jobs
    WHERE status = 'running' AND locked_until < now()
    ORDER BY locked_until LIMIT $1
    FOR UPDATE SKIP LOCKED
), returned AS (
    UPDATE delayed_jobs AS job
    SET status = CASE WHEN held.attempts >= held.max_attempts THEN 'dead' ELSE 'pending' END,
        finished_at = CASE WHEN held.attempts >= held.max_attempts THEN now() END,
        run_at = CASE WHEN held.attempts >= held.max_attempts THEN job.run_at ELSE now() + interval '1 second'
            * least($2::float8 * 2 ^ (least(held.attempts, 20) - 1) * (0.75 + random() / 2), $3::float8) END,
        last_error = 'The lease ran out: its worker died or froze.',
        locked_by = NULL, locked_until = NULL, relayed_at = NULL
    FROM held WHERE job.id = held.id
    RETURNING job.id, job.job_type, job.queue, job.status
), tried AS (
    INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome, error)
    SELECT id, attempts, locked_by, now(), 'lost', 'The lease ran out.' FROM held
)
SELECT id, job_type, queue, status FROM returned
"""


async def return_lost(services: Services) -> int:
    """End attempts whose lease ran out: again later, or dead; return how many."""
    total = 0
    while rows := await services.db.fetch(LOST, BATCH, FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS):
        total += len(rows)
        endings.LOST.inc(len(rows))
        for row in rows:
            endings.DONE.labels(row["job_type"], "lost").inc()
        log.warning("attempts lost", jobs=len(rows), job_id=rows[0]["id"])
        error = "The lease ran out."
        dead = [
            (row["id"], row["job_type"], row["queue"], error)
            for row in rows
            if row["status"] == "dead"
        ]
        await endings.tell_of_dead(services, dead)
        if len(rows) < BATCH:
            break
    return total


# The relay takes up hints that are 30 s old by itself; it only has to look.
WAKE = """
SELECT pg_notify('village_jobs', family.name)
FROM unnest($1::text[]) AS family (name)
WHERE EXISTS (
    SELECT FROM delayed_jobs WHERE queue = family.name AND status = 'pending' AND run_at < now() - interval '30 seconds'
)
"""


async def wake_relay(services: Services) -> None:
    """Wake the relay of each family in which a job has waited for 30 s."""
    await services.db.execute(WAKE, list(FAMILIES))


TROUBLE = """
SELECT 'no worker' AS what, queue AS name, depth FROM job_figures
WHERE depth > 0 AND oldest_seconds > 30 AND workers = 0 AND queue <> 'FEED_REFRESH'
UNION ALL
SELECT 'schedule overdue', name, 0 FROM job_schedules
WHERE enabled AND next_run_at < now() - 2 * greatest(misfire, interval '30 seconds')
"""
UNKNOWN = """
SELECT DISTINCT job_type AS name FROM job_totals
WHERE status = 'pending' AND jobs > 0 AND job_type <> ALL($1::text[])
"""


async def look_for_trouble(services: Services) -> None:
    """Log work that nobody will do: families without workers, schedules that stand still, unknown types."""
    for row in await services.db.fetch(TROUBLE):
        log.error("jobs need help", trouble=row["what"], name=row["name"], depth=row["depth"])
    for row in await services.db.fetch(UNKNOWN, list(services.ledger.registry)):
        log.error("jobs need help", trouble="unknown job type", name=row["name"])


async def figuring(services: Services, holder: str) -> None:
    """Read the cluster's figures while that is our duty, and show them always."""
    while True:
        try:
            if await leases.take(services, "figures", holder, FIGURES_LEASE):
                await counts.read_figures(services)
            await counts.show_figures(services)
            await mailboxes.show_figures(services)
            await usage.show_figures(services)
            await quality_checks.show_figures(services)
            await integrations.report(services)
            for show in metrics.SHOWN:
                await show(services)
        except ServiceDown:
            log.warning("figures wait", why="database away")
        except Exception:
            log.exception("figures broke off")
        await asyncio.sleep(FIGURES_SECONDS)
