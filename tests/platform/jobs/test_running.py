"""Rules 105–109: how attempts run and end."""

import asyncio

from app.domain.platform.jobs import running
from app.domain.platform.jobs.running import Ending, retry_delay
from app.services import Services
from tests.platform.jobs.conftest import enqueue, job_row, until_status, working
from tests.platform.jobs.work_types import TYPES, calls

OUTCOMES = (
    "SELECT array_agg(outcome ORDER BY attempt, ended_at) FROM job_attempts WHERE job_id = $1"
)
ROWS = "SELECT count(*) FROM job_rows"


async def test_a_job_runs_and_is_done(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "note_call", 7)
        row = await until_status(ledger, job_id, "done")
    assert calls == [7]
    assert row["attempts"] == 1
    assert row["locked_by"] is None
    assert await ledger.db.fetchval(OUTCOMES, job_id) == ["ok"]


TROUBLE = """
CREATE SEQUENCE deadlocks;
CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('deadlocks') <= 2 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER meet BEFORE UPDATE ON delayed_jobs FOR EACH ROW WHEN (NEW.status = 'running') EXECUTE FUNCTION meet()
"""
NO_TROUBLE = "DROP FUNCTION meet CASCADE; DROP SEQUENCE deadlocks"


async def test_a_claim_that_loses_a_deadlock_is_made_again(ledger: Services) -> None:
    await ledger.db.execute(TROUBLE)
    try:
        async with working(ledger, DEFAULT=5):
            job_id = await enqueue(ledger, "note_call", 7)
            await until_status(ledger, job_id, "done")
        assert await ledger.db.fetchval("SELECT last_value FROM deadlocks") > 2
    finally:
        await ledger.db.execute(NO_TROUBLE)


async def test_an_atomic_job_ends_with_its_effect(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "add_row", 1)
        await until_status(ledger, job_id, "done")
    assert await ledger.db.fetchval(ROWS) == 1
    assert await ledger.db.fetchval(OUTCOMES, job_id) == ["ok"]


async def test_an_effect_without_its_end_does_not_happen(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "add_row_and_fail", 1)
        row = await until_status(ledger, job_id, "pending", "dead")
        while row["attempts"] == 0:
            await asyncio.sleep(0.02)
            row = await job_row(ledger, job_id)
    assert await ledger.db.fetchval(ROWS) == 0


async def test_a_failed_attempt_is_tried_again_within_its_range(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "fail_always", 1)
        while not (await job_row(ledger, job_id))["last_error"]:
            await asyncio.sleep(0.02)
    row = await job_row(ledger, job_id)
    assert (row["status"], row["attempts"], row["last_error"]) == (
        "pending",
        1,
        "RuntimeError: no luck",
    )
    assert 20 < row["waits"] <= 37.5
    assert await ledger.db.fetchval(OUTCOMES, job_id) == ["retry"]


async def test_an_unreadable_error_ends_neither_the_worker_nor_its_neighbours(
    ledger: Services,
) -> None:
    async with working(ledger, DEFAULT=5):
        bad = await enqueue(ledger, "fail_unreadably", 1)
        while not (row := await job_row(ledger, bad))["last_error"]:
            await asyncio.sleep(0.02)
        assert row["last_error"] == "RuntimeError: half ? and  nothing"
        await until_status(ledger, await enqueue(ledger, "note_call", 8), "done")


# Stands for whatever PostgreSQL refuses of one row: a deadlock, a full disk, a text it cannot keep.
REFUSED = """
CREATE FUNCTION refuse_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
CREATE TRIGGER refuses BEFORE UPDATE ON delayed_jobs FOR EACH ROW
WHEN (NEW.job_type = 'fail_always' AND OLD.status = 'running') EXECUTE FUNCTION refuse_end();
"""


async def test_an_end_that_cannot_be_written_takes_no_other_with_it(ledger: Services) -> None:
    await ledger.db.execute(REFUSED)
    try:
        async with working(ledger, DEFAULT=5):
            await enqueue(ledger, "fail_always", 1)
            await until_status(ledger, await enqueue(ledger, "note_call", 9), "done")
            while 1 not in calls:
                await asyncio.sleep(0.02)
            await until_status(ledger, await enqueue(ledger, "note_call", 10), "done")
    finally:
        await ledger.db.execute("DROP FUNCTION refuse_end CASCADE")


async def test_after_the_last_attempt_a_job_is_dead(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "fail_always", 1, max_attempts=1)
        await until_status(ledger, job_id, "dead")
        while not await ledger.db.fetchval("SELECT count(*) FROM emails WHERE kind = 'ops'"):
            await asyncio.sleep(0.05)
    assert (
        await ledger.db.fetchval("SELECT count(*) FROM delayed_jobs_dlq WHERE id = $1", job_id) == 1
    )


async def test_what_can_never_work_is_dead_at_once(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        for how, error in [
            ("invalid", "Invalid: Not like this."),
            ("missing", "NotFound: It is gone."),
        ]:
            job_id = await enqueue(ledger, "refuse", how)
            row = await until_status(ledger, job_id, "dead")
            assert (row["attempts"], row["last_error"]) == (1, error)


async def test_a_deferred_job_loses_no_attempt(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "refuse", "later")
        while await ledger.db.fetchval(OUTCOMES, job_id) != ["deferred"]:
            await asyncio.sleep(0.02)
    row = await job_row(ledger, job_id)
    assert (row["status"], row["attempts"]) == ("pending", 0)
    assert 7000 < row["waits"] <= 7200


async def test_nothing_is_tried_before_the_provider_said(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "refuse", "down")
        while await ledger.db.fetchval(OUTCOMES, job_id) != ["retry"]:
            await asyncio.sleep(0.02)
    assert (await job_row(ledger, job_id))["waits"] > 7000


async def test_a_job_over_its_time_out_is_cancelled(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "sleep_too_long")
        while await ledger.db.fetchval(OUTCOMES, job_id) != ["retry"]:
            await asyncio.sleep(0.05)
    assert "time-out of 0.5 s" in (await job_row(ledger, job_id))["last_error"]


async def test_a_step_that_took_effect_is_skipped(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "take_steps")
        while not (await job_row(ledger, job_id))["last_error"]:
            await asyncio.sleep(0.02)
        await ledger.db.execute("UPDATE delayed_jobs SET run_at = now(), relayed_at = NULL")
        await until_status(ledger, job_id, "done")
    assert calls == [0, 1, 1]


async def test_the_end_of_a_lost_attempt_is_discarded(ledger: Services) -> None:
    job_id = await enqueue(ledger, "note_call", 1)
    [first] = await running.claim(ledger, "one", "DEFAULT", [job_id], TYPES)
    await ledger.db.execute(
        "UPDATE delayed_jobs SET status = 'pending', locked_by = NULL, locked_until = NULL"
    )
    [second] = await running.claim(ledger, "two", "DEFAULT", [job_id], TYPES)
    assert await running.finish(ledger, "one", [Ending(first, "dead")]) == set()
    assert not await running.report(ledger, "one", first, {"done": 1})
    assert await running.finish(ledger, "two", [Ending(second, "ok")]) == {job_id}
    assert (await job_row(ledger, job_id))["status"] == "done"


async def test_two_claims_never_take_one_job(ledger: Services) -> None:
    async with ledger.tx() as tx:
        ids = await tx.enqueue_many("note_call", [(n,) for n in range(300)])
    takers = [running.claim(ledger, f"taker {n}", "DEFAULT", ids, TYPES) for n in range(8)]
    takers += [running.claim_due(ledger, f"looker {n}", "DEFAULT", 100, TYPES) for n in range(8)]
    claimed = [job.id for jobs in await asyncio.gather(*takers) for job in jobs]
    assert sorted(claimed) == ids


async def test_due_jobs_start_by_priority_then_age(ledger: Services) -> None:
    late = await enqueue(ledger, "note_call", 1)
    urgent = await enqueue(ledger, "note_call", 2, priority=0)
    [job] = await running.claim_due(ledger, "me", "DEFAULT", 1, TYPES)
    assert job.id == urgent
    [job] = await running.claim_due(ledger, "me", "DEFAULT", 1, TYPES)
    assert job.id == late


def test_a_thousand_retries_lie_in_their_ranges() -> None:
    for attempts, (least, most) in {
        1: (22.5, 37.5),
        2: (45, 75),
        3: (90, 150),
        4: (180, 300),
    }.items():
        delays = [retry_delay(attempts) for _ in range(1000)]
        assert least <= min(delays) < least * 1.05
        assert most * 0.95 < max(delays) <= most
    assert max(retry_delay(attempts) for attempts in range(1, 100)) == 3600
