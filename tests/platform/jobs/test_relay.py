"""Rules 103 and 104: the fast lane is only fast; PostgreSQL decides."""

import dataclasses
from datetime import UTC, datetime, timedelta

from app.domain.platform.jobs import relay
from app.services import Services
from jobs import hints
from tests.platform.jobs.conftest import enqueue, until_status, working
from tests.platform.jobs.work_types import TYPES, calls

TYPE_NAMES = list(TYPES)
START = datetime(2026, 11, 24, tzinfo=UTC)


async def test_hints_come_by_priority_and_every_fifth_is_the_oldest(ledger: Services) -> None:
    async with ledger.tx() as tx:
        old = await tx.enqueue_many("note_call", [(n,) for n in range(4)], priority=9)
        new = await tx.enqueue_many("note_call", [(n,) for n in range(30)], priority=1)
    await ledger.db.execute(
        "UPDATE delayed_jobs SET run_at = run_at - interval '1 hour' WHERE priority = 9"
    )
    ids = await relay.take(ledger, "DEFAULT", 20, TYPE_NAMES)
    assert ids == [*new[:4], old[0], *new[4:8], old[1], *new[8:12], old[2], *new[12:16], old[3]]


def test_captures_go_first_in_first_out_within_a_priority() -> None:
    rows = [(5, START + timedelta(seconds=n % 7), n) for n in range(20)]
    assert relay.in_turn(rows, "SCREENSHOT") == [row[2] for row in sorted(rows)]


async def test_a_hint_is_given_once_and_again_when_it_got_lost(ledger: Services) -> None:
    job_id = await enqueue(ledger, "note_call", 1)
    assert await relay.take(ledger, "DEFAULT", 20, TYPE_NAMES) == [job_id]
    assert await relay.take(ledger, "DEFAULT", 20, TYPE_NAMES) == []
    await ledger.db.execute("UPDATE delayed_jobs SET relayed_at = now() - interval '31 seconds'")
    assert await relay.take(ledger, "DEFAULT", 20, TYPE_NAMES) == [job_id]


async def test_what_is_not_due_gets_no_hint(ledger: Services) -> None:
    await enqueue(ledger, "note_call", 1, run_at=datetime.now(UTC) + timedelta(minutes=1))
    assert await relay.take(ledger, "DEFAULT", 20, TYPE_NAMES) == []
    assert await relay.take(ledger, "DEFAULT", 20, []) == []


async def test_jobs_run_without_redis(ledger: Services) -> None:
    alone = dataclasses.replace(ledger, settings=dataclasses.replace(ledger.settings, redis_url=""))
    async with working(alone, DEFAULT=3):
        async with alone.tx() as tx:
            ids = await tx.enqueue_many("note_call", [(n,) for n in range(40)])
        await until_status(alone, ids[-1], "done", seconds=8)
        await until_status(alone, ids[0], "done", seconds=8)
    assert sorted(calls) == list(range(40))


async def test_jobs_run_though_redis_is_emptied_in_between(ledger: Services) -> None:
    lane = hints.lane(ledger.settings.redis_url)
    async with working(ledger, DEFAULT=3):
        for number in range(60):
            last = await enqueue(ledger, "note_call", number)
            if number % 20 == 0:
                await lane.flushall()
        await until_status(ledger, last, "done", seconds=45)
        while len(calls) < 60:
            last = await until_status(
                ledger, await enqueue(ledger, "note_call", 99), "done", seconds=45
            )
    await lane.aclose(close_connection_pool=True)
    assert sorted(set(calls)) >= list(range(60))


async def test_the_fast_lane_never_holds_more_than_four_hints_a_slot(ledger: Services) -> None:
    async with ledger.tx() as tx:
        await tx.enqueue_many("sleep_low", [(0.3,)] * 60)
    async with working(ledger, LOW=2) as worker:
        marked = (
            "SELECT count(*) FROM delayed_jobs WHERE status = 'pending' AND relayed_at IS NOT NULL"
        )
        most = 0
        while (
            await ledger.db.fetchval("SELECT count(*) FROM delayed_jobs WHERE status = 'done'") < 20
        ):
            most = max(most, await ledger.db.fetchval(marked))
        assert 0 < most <= relay.HINTS_PER_SLOT * worker.families["LOW"].slots
