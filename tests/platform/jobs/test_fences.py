"""Rules 105 to 107: an attempt that has lost its job writes nothing more, but what it did outside is remembered."""

import asyncio
import time

import pytest

from app.domain.platform.jobs import running
from app.services import Services
from jobs import working as working_module
from jobs.heartbeat import Heartbeat
from jobs.runs import NotOurs, Run
from tests.platform.jobs.conftest import enqueue, job_row, until, until_status, working
from tests.platform.jobs.work_types import TYPES, calls, gate

ROWS = "SELECT count(*) FROM job_rows"
EFFECTS = "SELECT count(*) FROM job_effects WHERE job_id = $1"
ARGUMENTS = {"write_late": (1,), "hold_row": (1, False)}
TAKEN_AWAY = """
UPDATE delayed_jobs SET status = 'pending', locked_by = NULL, locked_until = NULL, run_at = now() + interval '1 hour'
WHERE id = $1
"""


@pytest.mark.parametrize(
    ("job_type", "arguments"),
    [("hold_row", (1, True)), ("hold_row", (1, False)), ("write_late", (1,))],
)
async def test_the_old_run_of_a_job_given_back_commits_nothing(
    ledger: Services, job_type: str, arguments: tuple[object, ...]
) -> None:
    async with working(ledger, DEFAULT=5) as worker:
        job_id = await enqueue(ledger, job_type, *arguments)
        await until(has_begun(1))
        [old] = worker.runs()
        worker.stopping.set()
        await Heartbeat(worker).give_back()
        # The job runs again elsewhere while its old run still lives.
        async with working(ledger, DEFAULT=5):
            await until_status(ledger, job_id, "done")
        assert (await job_row(ledger, job_id))["attempts"] == 1
        gate.set()
        assert old.task is not None
        await asyncio.wait([old.task], timeout=10)
        assert old.task.done()
    assert await ledger.db.fetchval(ROWS) == 1
    assert (await job_row(ledger, job_id))["status"] == "done"


async def test_an_attempt_over_its_time_is_not_given_back_but_failed(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5) as worker:
        job_id = await enqueue(ledger, "write_late", 1)
        await until(has_begun(1))
        [run] = worker.runs()
        run.must_end = 0.0
        await Heartbeat(worker).give_back()
        row = await job_row(ledger, job_id)
        assert (row["status"], row["attempts"]) == ("pending", 1)
        assert "Did not stop" in row["last_error"]
        gate.set()


async def test_a_lost_attempt_remembers_its_step_and_goes_no_further(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5) as worker:
        job_id = await enqueue(ledger, "act_outside", 1)
        await until(has_begun(1))
        [run] = worker.runs()
        await ledger.db.execute(TAKEN_AWAY, job_id)
        gate.set()
        await asyncio.wait([run.task])  # type: ignore[list-item]
    assert calls == [1]
    assert await ledger.db.fetchval(EFFECTS, job_id) == 1
    assert (await job_row(ledger, job_id))["status"] == "pending"


async def test_an_attempt_that_has_lost_its_job_begins_no_step(ledger: Services) -> None:
    run = await one_run(ledger)
    await ledger.db.execute(TAKEN_AWAY, run.id)
    with pytest.raises(NotOurs):
        async with run.step("only"):
            calls.append(1)
    assert calls == []
    assert await ledger.db.fetchval(EFFECTS, run.id) == 0


async def test_a_cancellation_does_not_make_us_forget_a_step(ledger: Services) -> None:
    run = await one_run(ledger)

    async def act() -> None:
        async with run.step("only"):
            asyncio.current_task().cancel()  # type: ignore[union-attr]

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(act())
    await until(lambda: ledger.db.fetchval(EFFECTS, run.id))


@pytest.mark.parametrize("job_type", ["write_late", "hold_row"])
async def test_an_attempt_that_was_frozen_past_its_lease_commits_nothing(
    ledger: Services, job_type: str
) -> None:
    gate.set()
    job_id = await enqueue(ledger, job_type, *ARGUMENTS[job_type])
    [job] = await running.claim(ledger, "me", "DEFAULT", [job_id], TYPES)
    kind = TYPES[job_type]
    # Nobody had the time to look at its lease yet: its own clock has to do.
    run = Run(ledger, ledger, "me", job, kind, time.monotonic() - kind.lease - 1)
    assert await run.carry_out() is None
    assert await ledger.db.fetchval(ROWS) == 0


async def test_a_process_that_was_frozen_gives_its_jobs_time_to_stop(
    ledger: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck: list[Run] = []
    monkeypatch.setattr(Heartbeat, "exit_stuck", lambda _, run: stuck.append(run))
    async with working(ledger, HIGH=5) as worker:
        job_id = await enqueue(ledger, "sleep_high", 300.0)
        await until_status(ledger, job_id, "running")
        [run] = worker.runs()
        run.must_end = time.monotonic() - 600
        assert run.task is not None
        await asyncio.wait([run.task], timeout=10)
    assert stuck == []
    assert "time-out" in (await job_row(ledger, job_id))["last_error"]


async def test_a_job_that_ends_well_while_the_worker_stops_is_not_given_back(
    ledger: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_module, "STOP_SECONDS", 0.1)
    ids = []
    async with working(ledger, DEFAULT=5):
        ids = [await enqueue(ledger, "end_when_told", n) for n in range(5)]
        await until(has_begun(5))
    assert await ledger.db.fetchval(ROWS) == 5
    rows = [await job_row(ledger, job_id) for job_id in ids]
    assert [(row["status"], row["attempts"]) for row in rows] == [("done", 1)] * 5


async def test_jobs_and_the_ledger_do_not_share_connections(ledger: Services) -> None:
    async with working(ledger, DEFAULT=5):
        job_id = await enqueue(ledger, "look_at_connection")
        row = await until_status(ledger, job_id, "done")
    assert row["progress"] == {"name": "village", "scans": "on"}


async def one_run(ledger: Services) -> Run:
    """A claimed job without a worker around it."""
    job_id = await enqueue(ledger, "note_call", 1)
    [job] = await running.claim(ledger, "me", "DEFAULT", [job_id], TYPES)
    return Run(ledger, ledger, "me", job, TYPES["note_call"], 0.0)


def has_begun(times: int):  # type: ignore[no-untyped-def]
    """Whether jobs were called so often."""

    async def answer() -> bool:
        return len(calls) >= times

    return answer
