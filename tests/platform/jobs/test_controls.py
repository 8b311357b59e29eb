"""Rules 110, 113 and 114: brakes hold across processes, levers do what they say, the erased are forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.platform.jobs import controls, running, sweeper
from app.errors import Conflict, Invalid, NotFound
from app.services import Services
from jobs.working import Worker
from tests.platform.jobs.conftest import enqueue, job_row, until_status, working
from tests.platform.jobs.work_types import TYPES, calls


async def test_a_pause_acts_within_two_seconds_and_ends(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        await until_status(ledger, await enqueue(ledger, "note_call", 1), "done")
        await controls.pause(ledger, "queue", "DEFAULT", reason="a test")
        waiting = await enqueue(ledger, "note_call", 2)
        await asyncio.sleep(2)
        assert (await job_row(ledger, waiting))["status"] == "pending"
        await controls.resume(ledger, "queue", "DEFAULT")
        await until_status(ledger, waiting, "done", seconds=5)
    assert calls == [1, 2]


async def test_a_paused_type_leaves_the_others_alone(ledger: Services) -> None:
    await controls.pause(ledger, "job_type", "note_call", reason="a test")
    held = await enqueue(ledger, "note_call", 1)
    free = await enqueue(ledger, "add_row", 1)
    assert [
        job.id for job in await running.claim(ledger, "me", "DEFAULT", [held, free], TYPES)
    ] == [free]
    assert await running.claim_due(ledger, "me", "DEFAULT", 9, TYPES) == []


async def test_a_pause_with_an_end_ends_by_itself(ledger: Services) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    await controls.pause(ledger, "queue", "DEFAULT", reason="over", until=past)
    await enqueue(ledger, "note_call", 1)
    assert len(await running.claim_due(ledger, "me", "DEFAULT", 9, TYPES)) == 1
    await sweeper.sweep(ledger)
    assert not await ledger.db.fetchval("SELECT paused FROM delayed_job_control")


async def test_slots_hold_over_all_processes(ledger: Services) -> None:
    await controls.limit(ledger, "queue", "DEFAULT", slots=3)
    async with ledger.tx() as tx:
        ids = await tx.enqueue_many("note_call", [(n,) for n in range(20)])
    takers = (controls.claim_within(ledger, f"worker {n}", "DEFAULT", 5, TYPES) for n in range(6))
    assert sum(len(jobs) for jobs in await asyncio.gather(*takers)) == 3
    # Hints go no way around it.
    assert await running.claim(ledger, "me", "DEFAULT", ids, TYPES) == []


async def test_so_many_a_minute_hold_over_all_processes(ledger: Services) -> None:
    await controls.limit(ledger, "job_type", "note_call", per_minute=4)
    async with ledger.tx() as tx:
        await tx.enqueue_many("note_call", [(n,) for n in range(20)])
        await tx.enqueue("add_row", 1)
    takers = (controls.claim_within(ledger, f"worker {n}", "DEFAULT", 5, TYPES) for n in range(6))
    jobs = [job.job_type for found in await asyncio.gather(*takers) for job in found]
    assert sorted(jobs) == ["add_row"] + ["note_call"] * 4
    await pass_seconds(ledger, 61)
    assert len(await controls.claim_within(ledger, "me", "DEFAULT", 9, TYPES)) == 4


# As if time had passed since the claims that are counted.
PASSED = """
UPDATE delayed_job_control
SET claimed_at = ARRAY(SELECT at - $1 * interval '1 second' FROM unnest(claimed_at) WITH ORDINALITY AS claim (at, place)
    ORDER BY place)
"""


async def pass_seconds(ledger: Services, seconds: int) -> None:
    """Let time pass for the rates."""
    await ledger.db.execute(PASSED, seconds)


async def test_a_rate_holds_in_every_minute_and_not_only_from_turn_to_turn(
    ledger: Services,
) -> None:
    await controls.limit(ledger, "queue", "DEFAULT", per_minute=4)
    async with ledger.tx() as tx:
        await tx.enqueue_many("note_call", [(n,) for n in range(20)])
    took = []
    for most, seconds in ((1, 40), (9, 25), (9, 20), (9, 20), (9, 0)):
        took.append(len(await controls.claim_within(ledger, "me", "DEFAULT", most, TYPES)))
        await pass_seconds(ledger, seconds)
    # After 65 s only the first claim is over a minute old, after 105 s the three of second 40 are.
    assert took == [1, 3, 1, 0, 3]
    assert await ledger.db.fetchval("SELECT claimed FROM delayed_job_control") == [1, 3]


async def test_the_most_urgent_starts_first_whether_its_type_has_a_brake_or_not(
    ledger: Services,
) -> None:
    await controls.limit(ledger, "job_type", "note_call", slots=3)
    async with ledger.tx() as tx:
        late = await tx.enqueue_many("note_call", [(n,) for n in range(5)], priority=7)
        first = await tx.enqueue("note_call", 9, priority=0)
        urgent = await tx.enqueue_many("add_row", [(n,) for n in range(3)], priority=2)
        last = await tx.enqueue("fail_always", 1, priority=9)
    claimed = [
        {job.id for job in await controls.claim_within(ledger, "me", "DEFAULT", most, TYPES)}
        for most in (3, 9)
    ]
    assert claimed == [{first, *urgent[:2]}, {urgent[2], *late[:2], last}]


async def test_a_lane_full_of_lesser_jobs_does_not_keep_an_urgent_one_with_a_limit_waiting(
    ledger: Services,
) -> None:
    await controls.limit(ledger, "job_type", "note_call", slots=1)
    async with working(ledger, LOW=1):
        async with ledger.tx() as tx:
            ids = await tx.enqueue_many("sleep_low", [(0.2,)] * 40, priority=7)
            urgent = await tx.enqueue("note_call", 1, queue="LOW", priority=0)
        await until_status(ledger, urgent, "done", seconds=30)
        assert (await job_row(ledger, ids[-1]))["status"] == "pending"
        await ledger.db.execute("DELETE FROM delayed_jobs WHERE status = 'pending'")


async def test_a_brake_that_is_set_while_brakes_are_read_is_not_missed(ledger: Services) -> None:
    family = Worker(ledger, {"LOW": 1}).families["LOW"]
    async with ledger.tx() as tx:
        await tx.db.execute("LOCK TABLE delayed_job_control")
        reading = asyncio.create_task(family.refresh_brakes())
        await asyncio.sleep(0.1)
        family.read_brakes()
    await reading
    assert family.brakes_due == 0


async def test_a_limited_family_still_runs_everything(ledger: Services) -> None:
    await controls.limit(ledger, "queue", "DEFAULT", slots=1)
    async with ledger.tx() as tx:
        ids = await tx.enqueue_many("note_call", [(n,) for n in range(4)])
    async with working(ledger, DEFAULT=5):
        for job_id in ids:
            await until_status(ledger, job_id, "done")
    assert sorted(calls) == [0, 1, 2, 3]


async def test_low_starts_nothing_while_high_waits_for_a_slot(ledger: Services) -> None:
    async with working(ledger, HIGH=1, LOW=2) as worker:
        async with ledger.tx() as tx:
            await tx.enqueue_many("sleep_high", [(8.0,), (0.1,)])
        while not worker.families["HIGH"].hints:
            await asyncio.sleep(0.02)
        await asyncio.sleep(2.2)
        low = await enqueue(ledger, "sleep_low", 0.0)
        await asyncio.sleep(0.8)
        assert (await job_row(ledger, low))["status"] == "pending"
        await until_status(ledger, low, "done", seconds=20)


async def test_levers_refuse_what_makes_no_sense(ledger: Services) -> None:
    job_id = await enqueue(ledger, "note_call", 1)
    await controls.cancel(ledger, job_id)
    with pytest.raises(Conflict):
        await controls.cancel(ledger, job_id)
    with pytest.raises(NotFound):
        await controls.retry(ledger, job_id + 1000)
    with pytest.raises(NotFound):
        await controls.pause(ledger, "queue", "NONE", reason="x")
    with pytest.raises(Invalid):
        await controls.pause(ledger, "queue", "LOW", reason="  ")
    await controls.retry(ledger, job_id)
    with pytest.raises(Conflict):
        await controls.delete(ledger, job_id)


async def test_a_cancelled_job_that_runs_is_stopped_and_ends_nothing(ledger: Services) -> None:
    async with working(ledger, HIGH=2) as worker:
        job_id = await enqueue(ledger, "sleep_high", 25.0)
        await until_status(ledger, job_id, "running")
        await controls.cancel(ledger, job_id)
        while worker.runs():
            await asyncio.sleep(0.05)
    assert (await job_row(ledger, job_id))["status"] == "cancelled"
