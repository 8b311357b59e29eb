"""Rule 101: a job is written with the change that needs it, once a key, thousands in one statement."""

from datetime import UTC, datetime, timedelta

import pytest

from app.errors import Invalid
from app.services import Services
from tests.platform.jobs.conftest import enqueue, job_row

STATEMENTS = "SELECT count(*) FROM delayed_jobs WHERE job_type = $1"


async def test_a_job_outside_a_transaction_is_an_error(ledger: Services) -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        await ledger.enqueue("note_call", 1)


async def test_a_job_goes_with_its_transaction(ledger: Services) -> None:
    with pytest.raises(ZeroDivisionError):
        async with ledger.tx() as tx:
            await tx.enqueue("note_call", 1)
            raise ZeroDivisionError
    assert await ledger.db.fetchval(STATEMENTS, "note_call") == 0


async def test_the_same_key_means_the_first_job_and_the_earlier_time(ledger: Services) -> None:
    later = datetime.now(UTC) + timedelta(days=2)
    sooner = later - timedelta(days=1)
    first = await enqueue(ledger, "note_call", 1, key="call:1", run_at=later)
    assert await enqueue(ledger, "note_call", 2, key="call:1", run_at=sooner) == first
    assert await enqueue(ledger, "note_call", 3, key="call:1", run_at=later) == first
    row = await job_row(ledger, first)
    assert row["run_at"] == sooner
    assert row["payload"] == {"v": 1, "number": 1}


async def test_a_key_is_free_again_when_its_job_has_ended(ledger: Services) -> None:
    first = await enqueue(ledger, "note_call", 1, key="call:1")
    await ledger.db.execute("UPDATE delayed_jobs SET status = 'done', finished_at = now()")
    assert await enqueue(ledger, "note_call", 1, key="call:1") != first


async def test_a_once_key_holds_while_its_job_is_kept(ledger: Services) -> None:
    first = await enqueue(ledger, "note_call", 1, key="tick:1", once=True)
    await ledger.db.execute("UPDATE delayed_jobs SET status = 'done', finished_at = now()")
    assert await enqueue(ledger, "note_call", 1, key="tick:1", once=True) == first
    assert await ledger.db.fetchval(STATEMENTS, "note_call") == 1


async def test_thousands_go_in_one_statement_and_ids_come_in_order(ledger: Services) -> None:
    before = await ledger.db.fetchval("SELECT count(*) FROM job_count_deltas")
    async with ledger.tx() as tx:
        ids = await tx.enqueue_many("note_call", [(number,) for number in range(3000)])
    assert ids == sorted(ids)
    assert len(set(ids)) == 3000
    # Each statement leaves one line in the differences.
    assert await ledger.db.fetchval("SELECT count(*) FROM job_count_deltas") == before + 1
    assert (await job_row(ledger, ids[7]))["payload"]["number"] == 7


async def test_keys_of_many_calls_meet_jobs_that_are_there(ledger: Services) -> None:
    there = await enqueue(ledger, "note_call", 2, key="call:2")
    async with ledger.tx() as tx:
        ids = await tx.enqueue_many(
            "note_call", [(1,), (2,), (3,), (1,)], keys=["call:1", "call:2", "call:3", "call:1"]
        )
    assert ids[1] == there
    assert ids[0] == ids[3]
    assert await ledger.db.fetchval(STATEMENTS, "note_call") == 3


async def test_arguments_are_checked_when_enqueued(ledger: Services) -> None:
    for wrong in [("seven",), (), (1, 2)]:
        with pytest.raises(TypeError):
            await enqueue(ledger, "note_call", *wrong)
    with pytest.raises(LookupError):
        await enqueue(ledger, "no_such_type")


async def test_a_payload_over_eight_kilobytes_is_refused(ledger: Services) -> None:
    with pytest.raises(Invalid):
        await enqueue(ledger, "refuse", "x" * 8200)
