"""A database of its own for tests in which several connections and processes meet in the ledger."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from app.box import Box
from app.config import Settings
from app.db import Database, migrate, open_pool
from app.domain.platform.jobs.ledger import Ledger
from app.services import Services
from app.web import letters
from jobs.working import Worker
from tests.conftest import new_database
from tests.platform.jobs import work_types
from tests.platform.jobs.work_types import TYPES

EMPTY = """
TRUNCATE delayed_jobs, job_attempts, job_effects, delayed_job_control, job_schedules, leases, workers,
    job_count_deltas, job_counts, job_stats, job_figures, job_beats, job_rows, emails, email_bounces CASCADE
"""


@pytest.fixture(scope="session")
def ledger_settings(settings: Settings, box: Box) -> Settings:
    """Settings that lead to a database which tests may commit to."""
    url = asyncio.run(new_database(box.env["DATABASE_URL"], "village_jobs"))
    changed = dataclasses.replace(settings, database_url=url)
    asyncio.run(migrate(changed))
    return changed


@pytest.fixture
async def ledger(ledger_settings: Settings) -> AsyncIterator[Services]:
    """Services on a pool of that database, with its ledger empty."""
    pool = await open_pool(ledger_settings, size=30)
    await pool.execute(work_types.ROWS)
    await pool.execute(EMPTY)
    work_types.calls.clear()
    work_types.gate.clear()
    yield Services(ledger_settings, Database(pool), Ledger(TYPES), letters.write)
    await pool.close()


@contextlib.asynccontextmanager
async def working(services: Services, **slots: int) -> AsyncIterator[Worker]:
    """A worker in this process while the block lasts."""
    worker = Worker(services, slots)
    task = asyncio.create_task(worker.work())
    try:
        async with asyncio.timeout(60):
            yield worker
    finally:
        worker.stopping.set()
        await task


async def enqueue(services: Services, job_type: str, *arguments: Any, **options: Any) -> int:
    """Enqueue one job in a transaction of its own."""
    async with services.tx() as tx:
        return await tx.enqueue(job_type, *arguments, **options)


async def job_row(services: Services, job_id: int) -> Any:
    """The job as it stands."""
    return await services.db.fetchrow(
        "SELECT status, attempts, max_attempts, last_error, run_at, locked_by, locked_until, locked_until > now() AS held, progress, payload,"
        " extract(epoch FROM run_at - now())::float8 AS waits FROM delayed_jobs WHERE id = $1",
        job_id,
    )


async def until(is_true: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """Ask again and again until the answer is yes; fail after so long."""
    async with asyncio.timeout(seconds):
        while not (answer := await is_true()):
            await asyncio.sleep(0.02)
    return answer


async def until_status(services: Services, job_id: int, *wanted: str, seconds: float = 20) -> Any:
    """Wait until a job has one of these states; return its row."""

    async def reached() -> Any:
        row = await job_row(services, job_id)
        return row if row["status"] in wanted else None

    return await until(reached, seconds)
