"""Every effect exactly once, none lost: workers killed, Redis emptied, the relay's holder frozen."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

ROOT = Path(__file__).resolve().parent.parent

from app.config import Settings
from app.domain.platform.jobs.types import Registry
from app.services import Services
from bench import _job_ground as job_ground
from jobs import hints

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 10_000
WORKERS = 2
KILL_SECONDS = 2.0
FLUSHES = 3
FROZEN_SECONDS = 40.0
LIMIT_SECONDS = 600.0
TYPES = Registry()
TABLE = "CREATE TABLE chaos_rows (n bigint NOT NULL)"


@TYPES.job(queue="DEFAULT", atomic=True, lease=6, attempts=20)
async def add_row(services: Services, number: int) -> None:
    """Add one row; a short lease, since a killed process lets its jobs lie for that long."""
    await services.db.execute("INSERT INTO chaos_rows (n) VALUES ($1)", number)


async def start(settings: Settings) -> asyncio.subprocess.Process:
    """One real worker process."""
    env = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "ENVIRONMENT": "test",
        "METRICS_PORT": "0",
        "JOB_PROCESSING_MODE": "DEFAULT",
        "LOG_LEVEL": "ERROR",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.jobs_chaos",
        "--worker",
        cwd=ROOT,
        env=env,
        stdout=asyncio.subprocess.DEVNULL,
    )


@asynccontextmanager
async def workers(settings: Settings, many: int) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Worker processes; what is left of them at the end is killed."""
    found = [await start(settings) for _ in range(many)]
    try:
        yield found
    finally:
        for process in found:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def kill_again_and_again(settings: Settings, found: list[asyncio.subprocess.Process]) -> None:
    """Every two seconds kill -9 one worker at random and start another in its place."""
    while True:
        await asyncio.sleep(KILL_SECONDS)
        victim = random.randrange(1, len(found))
        found[victim].kill()
        await found[victim].wait()
        found[victim] = await start(settings)


async def freeze_the_relay(services: Services, found: list[asyncio.subprocess.Process]) -> None:
    """Stop the process that holds the relay's lease for 40 s; a frozen one is not killed meanwhile."""
    holder = None
    pids = {str(process.pid): process for process in found}
    while holder not in pids:
        await asyncio.sleep(0.2)
        name = await services.db.fetchval("SELECT holder FROM leases WHERE name = 'relay:DEFAULT'")
        holder = name.split(":")[1] if name else None
        pids = {str(process.pid): process for process in found}
    frozen = pids[holder]
    place = found.index(frozen)
    # The killer picks from place 1 onwards: the frozen one changes places with the first.
    found[0], found[place] = found[place], found[0]
    frozen.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN_SECONDS)
    finally:
        if frozen.returncode is None:
            frozen.send_signal(signal.SIGCONT)


async def flush(settings: Settings) -> None:
    """Empty Redis three times."""
    lane = hints.lane(settings.redis_url)
    for _ in range(FLUSHES):
        await asyncio.sleep(3)
        await lane.flushall()
    await lane.aclose(close_connection_pool=True)


async def run(services: Services, *, chaos: bool) -> float:
    """Seconds until each of the jobs has left its row."""
    await services.db.execute("TRUNCATE chaos_rows, delayed_jobs, job_attempts, leases, workers")
    settings = services.settings
    async with workers(settings, WORKERS + chaos) as found:
        while await services.db.fetchval("SELECT count(*) FROM workers") < len(found):
            await asyncio.sleep(0.1)
        begun = time.monotonic()
        async with services.tx() as tx:
            await tx.enqueue_many("add_row", [(number,) for number in range(JOBS)])
        troubles = []
        if chaos:
            troubles = [
                asyncio.create_task(one)
                for one in (
                    kill_again_and_again(settings, found),
                    freeze_the_relay(services, found),
                    flush(settings),
                )
            ]
        async with asyncio.timeout(LIMIT_SECONDS):
            while await services.db.fetchval(
                "SELECT count(*) FROM delayed_jobs WHERE status IN ('pending', 'running')"
            ):
                await asyncio.sleep(0.2)
        took = time.monotonic() - begun
        for trouble in troubles:
            trouble.cancel()
        await asyncio.gather(*troubles, return_exceptions=True)
    return took


ROWS = "SELECT count(*) AS rows, count(DISTINCT n) AS numbers FROM chaos_rows"
TOLD = "SELECT outcome, count(*) AS many FROM job_attempts GROUP BY 1"


async def measure() -> None:
    """A quiet run, then one in trouble."""
    job_ground.log_to_nowhere()
    with job_ground.servers() as box:
        settings = await job_ground.fresh(box, "bench_chaos")
        async with job_ground.services_on(settings, TYPES) as services:
            await services.db.execute(TABLE)
            quiet = await run(services, chaos=False)
            print(f"quiet: {quiet:.1f} s", flush=True)
            troubled = await run(services, chaos=True)
            rows = dict(await services.db.fetchrow(ROWS))
            outcomes = {row["outcome"]: row["many"] for row in await services.db.fetch(TOLD)}
    print(f"in trouble: {troubled:.1f} s, {rows}, attempts {outcomes}", flush=True)
    assert rows == {"rows": JOBS, "numbers": JOBS}, rows
    allowed = 3 * quiet + 120
    detail = {
        "jobs": JOBS,
        "quiet_seconds": round(quiet, 1),
        "troubled_seconds": round(troubled, 1),
        "allowed_seconds": round(allowed, 1),
        "within": troubled <= allowed,
        **rows,
        "attempts": outcomes,
    }
    job_ground.report("jobs_chaos", troubled / allowed, detail)


def work() -> int:
    """What the worker processes of this benchmark run."""
    import jobs.worker
    from app import config, start

    start.REGISTRY = TYPES
    return jobs.worker.run(config.load())


if __name__ == "__main__":
    if "--worker" in sys.argv:
        sys.exit(work())
    uvloop.run(measure())
