"""Rules 106, 110 and 116 with real worker processes: killed, stopped, stuck."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.box.ports import next_free
from app.domain.platform.jobs import sweeper
from app.services import Services
from tests.conftest import ROOT
from tests.platform.jobs.conftest import enqueue, job_row, until, until_status

RUN_OUT = (
    "UPDATE delayed_jobs SET locked_until = now() - interval '1 second' WHERE status = 'running'"
)
LIVE = "SELECT count(*) FROM workers WHERE seen_at > now() - interval '15 seconds'"


@pytest.fixture
async def start(ledger: Services) -> AsyncIterator[Any]:
    """start(): a worker process of that database; whatever is left of it at the end is killed."""
    found: list[asyncio.subprocess.Process] = []

    async def begin(**env: str) -> asyncio.subprocess.Process:
        settings = ledger.settings
        given = {
            **os.environ,
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "ENVIRONMENT": "test",
            "METRICS_PORT": "0",
            "PYTHONPATH": str(ROOT),
            **env,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.platform.jobs.worker_process",
            cwd=ROOT,
            env=given,
            stdout=asyncio.subprocess.DEVNULL,
        )
        found.append(process)
        await until(lambda: ledger.db.fetchval(LIVE), 40)
        return process

    yield begin
    for process in found:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_stopped_worker_gives_back_with_no_attempt_lost(
    ledger: Services, start: Any
) -> None:
    process = await start(JOB_PROCESSING_MODE="HIGH")
    short = await enqueue(ledger, "sleep_high", 2.0)
    long = await enqueue(ledger, "sleep_high", 200.0)
    await until_status(ledger, short, "running")
    await until_status(ledger, long, "running")
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 40) == 0
    assert (await job_row(ledger, short))["status"] == "done"
    row = await job_row(ledger, long)
    assert (row["status"], row["attempts"], row["locked_by"]) == ("pending", 0, None)
    assert await ledger.db.fetchval("SELECT count(*) FROM workers") == 0


async def test_a_stuck_job_takes_its_process_along(ledger: Services, start: Any) -> None:
    process = await start(JOB_PROCESSING_MODE="HIGH,DEFAULT")
    other = await enqueue(ledger, "sleep_high", 300.0)
    await until_status(ledger, other, "running")
    stuck = await enqueue(ledger, "block_the_loop", 120.0)
    assert await asyncio.wait_for(process.wait(), 60) == 70
    row = await job_row(ledger, stuck)
    assert (row["status"], row["attempts"]) == ("pending", 1)
    assert "Did not stop" in row["last_error"]
    assert (await job_row(ledger, other))["attempts"] == 0


async def test_a_blocked_loop_keeps_its_lease(ledger: Services, start: Any) -> None:
    await start(JOB_PROCESSING_MODE="DEFAULT")
    job_id = await enqueue(ledger, "block_the_loop", 6.0)
    row = await until_status(ledger, job_id, "running")
    # The lease is 3 s and the loop is blocked for 6: only the thread can have kept it.
    while (row := await job_row(ledger, job_id))["status"] == "running":
        assert row["held"]
        await asyncio.sleep(0.2)
    outcomes = await ledger.db.fetch("SELECT outcome FROM job_attempts WHERE job_id = $1", job_id)
    # It went over its time-out, but ended by itself before it could be cancelled.
    assert [one["outcome"] for one in outcomes] in (["ok"], ["retry"])


async def test_a_killed_worker_loses_nothing(ledger: Services, start: Any) -> None:
    process = await start(JOB_PROCESSING_MODE="DEFAULT")
    async with ledger.tx() as tx:
        await tx.enqueue_many("add_row", [(n,) for n in range(600)])
    await until(lambda: ledger.db.fetchval("SELECT count(*) > 20 FROM job_rows"))
    process.kill()
    await process.wait()
    # What a lease and a wait would do in time.
    await ledger.db.execute(RUN_OUT)
    await sweeper.return_lost(ledger)
    await ledger.db.execute("UPDATE delayed_jobs SET run_at = now() WHERE status = 'pending'")
    await start(JOB_PROCESSING_MODE="DEFAULT")
    await until(lambda: ledger.db.fetchval("SELECT count(DISTINCT n) = 600 FROM job_rows"), 100)
    assert await ledger.db.fetchval("SELECT count(*) FROM job_rows") == 600


async def test_a_worker_shows_its_metrics_and_its_health(ledger: Services, start: Any) -> None:
    port = next_free(19_090)
    await start(JOB_PROCESSING_MODE="HIGH", METRICS_PORT=str(port))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/q/health/live")).json() == {"status": "UP"}
        assert (await client.get("/q/health/ready")).status_code == 200
        text = (await client.get("/metrics")).text
        assert (await client.get("/")).status_code == 404
    for name in (
        "homepage_jobs_depth",
        "job_queue_oldest_seconds",
        "job_workers",
        "job_heartbeat_timestamp",
    ):
        assert f"\n{name}{{" in text
