"""Redis falls, comes back empty, is flushed: each job is done once, and no request notices."""

import asyncio

import httpx2

from app.lane import Lane
from app.services import Services
from tests.failures.conftest import Site, until, working
from tests.failures.loads import Load

MODULE = "tests.platform.jobs.worker_process"
ALL_DONE = "SELECT count(*) = $1 FROM delayed_jobs WHERE job_type = 'add_row' AND status = 'done'"


async def add(ground: Services, first: int) -> None:
    """Enqueue a hundred jobs, ten a transaction."""
    for start in range(first, first + 100, 10):
        async with ground.tx() as tx:
            await tx.enqueue_many("add_row", [(n,) for n in range(start, start + 10)])


async def flush(site: Site) -> None:
    """Empty Redis."""
    lane = Lane.at(site.settings.redis_url)
    await lane.client.flushall()
    await lane.close()


async def test_every_job_is_done_once_and_no_request_fails(
    site: Site, ground: Services, served: httpx2.AsyncClient
) -> None:
    await working(site, ground, MODULE, JOB_PROCESSING_MODE="DEFAULT")
    async with Load(served) as load:
        await add(ground, 0)
        await flush(site)
        await add(ground, 100)
        await asyncio.to_thread(site.box.kill, "redis")
        await add(ground, 200)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(site.box.start, "redis")
        await add(ground, 300)
        await flush(site)
        await until(lambda: ground.db.fetchval(ALL_DONE, 400), 40)
    assert load.failed() == []
    rows = await ground.db.fetchrow(
        "SELECT count(*) AS rows, count(DISTINCT n) AS jobs FROM job_rows"
    )
    assert (rows["rows"], rows["jobs"]) == (400, 400)
