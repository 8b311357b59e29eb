"""Rule 112: the healer outside the queue."""

import asyncio

from app.domain.platform.jobs import counts, leases, running, stats, sweeper
from app.services import Services
from tests.platform.jobs.conftest import enqueue, job_row
from tests.platform.jobs.work_types import TYPES

RUN_OUT = (
    "UPDATE delayed_jobs SET locked_until = now() - interval '1 second' WHERE status = 'running'"
)


async def test_a_lost_attempt_is_made_again_after_its_wait(ledger: Services) -> None:
    job_id = await enqueue(ledger, "note_call", 1)
    await running.claim(ledger, "gone", "DEFAULT", [job_id], TYPES)
    await ledger.db.execute(RUN_OUT)
    assert await sweeper.return_lost(ledger) == 1
    row = await job_row(ledger, job_id)
    assert (row["status"], row["attempts"], row["locked_by"]) == ("pending", 1, None)
    assert 20 < row["waits"] <= 37.5
    assert (
        await ledger.db.fetchval("SELECT outcome FROM job_attempts WHERE job_id = $1", job_id)
        == "lost"
    )


async def test_waits_after_lost_attempts_lie_in_their_ranges(ledger: Services) -> None:
    async with ledger.tx() as tx:
        ids = await tx.enqueue_many("note_call", [(n,) for n in range(1000)])
    for attempts, (least, most) in {1: (22.5, 37.5), 3: (90, 150)}.items():
        await ledger.db.execute(
            "UPDATE delayed_jobs SET status = 'running', attempts = $1, locked_by = 'gone',"
            " locked_until = now() - interval '1 second'",
            attempts,
        )
        assert await sweeper.return_lost(ledger) == len(ids)
        row = await ledger.db.fetchrow(
            "SELECT min(w) AS least, max(w) AS most FROM"
            " (SELECT extract(epoch FROM run_at - now())::float8 AS w FROM delayed_jobs) AS waits"
        )
        assert least - 3 <= row["least"] < row["most"] <= most


async def test_a_job_lost_in_its_last_attempt_is_dead(ledger: Services) -> None:
    job_id = await enqueue(ledger, "note_call", 1, max_attempts=1)
    await running.claim(ledger, "gone", "DEFAULT", [job_id], TYPES)
    await ledger.db.execute(RUN_OUT)
    await sweeper.sweep(ledger)
    assert (await job_row(ledger, job_id))["status"] == "dead"
    assert await ledger.db.fetchval("SELECT count(*) FROM emails WHERE kind = 'ops'") == 1


async def test_a_living_lease_is_left_alone(ledger: Services) -> None:
    job_id = await enqueue(ledger, "note_call", 1)
    await running.claim(ledger, "alive", "DEFAULT", [job_id], TYPES)
    assert await sweeper.return_lost(ledger) == 0


async def test_another_process_sweeps_when_the_sweeper_is_gone(ledger: Services) -> None:
    assert sweeper.SWEEPER_LEASE + sweeper.LOOK_SECONDS <= 20
    assert await leases.take(ledger, "sweeper", "dead process", 1)
    job_id = await enqueue(ledger, "note_call", 1)
    await running.claim(ledger, "gone", "DEFAULT", [job_id], TYPES)
    await ledger.db.execute(RUN_OUT)
    loop = asyncio.create_task(sweeper.sweep_forever(ledger))
    while (await job_row(ledger, job_id))["status"] == "running":
        await asyncio.sleep(0.1)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert await ledger.db.fetchval("SELECT count(*) FROM leases WHERE name = 'sweeper'") == 0


async def test_a_sweep_folds_the_counters_and_says_so(ledger: Services) -> None:
    async with ledger.tx() as tx:
        await tx.enqueue_many("note_call", [(n,) for n in range(9)])
    await sweeper.sweep(ledger)
    assert await ledger.db.fetchval("SELECT count(*) FROM job_count_deltas") == 0
    assert await counts.totals(ledger) == {("DEFAULT", "note_call", "pending"): 9}
    assert await ledger.db.fetchval("SELECT count(*) FROM job_beats WHERE loop = 'sweeper'") == 1


async def test_old_minutes_become_hours(ledger: Services) -> None:
    tally = stats.Tally()
    for wait in (5, 40, 700):
        tally.add("DEFAULT", "note_call", "ok", wait, 3)
    await tally.write(ledger)
    tally.add("DEFAULT", "note_call", "retry", 40, 3)
    await tally.write(ledger)
    await ledger.db.execute(
        "UPDATE job_stats SET starts_at = date_trunc('hour', now()) - interval '50 hours'"
    )
    await stats.fold(ledger)
    row = await ledger.db.fetchrow(
        "SELECT span, ok, retry, wait_max_ms, wait_buckets FROM job_stats"
    )
    assert tuple(row)[:4] == ("hour", 3, 1, 700)
    assert stats.quantile(row["wait_buckets"], 0.5) == 50
    assert stats.quantile(row["wait_buckets"], 0.95) == 1000
