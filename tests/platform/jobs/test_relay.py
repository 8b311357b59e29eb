"""Rules 103 and 104: the fast lane is only fast; PostgreSQL decides."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from app.domain.platform.jobs import relay
from app.services import Services
from jobs import hints
from jobs.working import Worker
from tests.platform.jobs.conftest import enqueue, until, until_status, working
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


async def test_hints_do_not_pile_up_while_all_slots_are_busy(
    ledger: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "LOST_SECONDS", 1)
    lane = hints.lane(ledger.settings.redis_url)
    async with working(ledger, LOW=2) as worker:
        async with ledger.tx() as tx:
            ids = await tx.enqueue_many("sleep_low", [(9.0,)] * 2 + [(0.0,)] * 60)
        await until(lambda: is_full(worker))
        most = 0
        while worker.families["LOW"].free == 0:
            there = await hints.lying(lane, "LOW")
            assert len(there) == len(set(there))
            most = max(most, len(there))
            await asyncio.sleep(0.2)
        for job_id in ids:
            await until_status(ledger, job_id, "done", seconds=30)
    await lane.aclose(close_connection_pool=True)
    assert 0 < most <= relay.HINTS_PER_SLOT * 2


@contextlib.asynccontextmanager
async def slow_redis(services: Services, waits: list[float]) -> AsyncIterator[Services]:
    """Services whose Redis answers so much later, while `waits` says so."""
    url = urlsplit(services.settings.redis_url)

    async def passed(
        source: asyncio.StreamReader, sink: asyncio.StreamWriter, waits: list[float]
    ) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while piece := await source.read(65536):
                await asyncio.sleep(sum(waits))
                sink.write(piece)
        sink.close()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(url.hostname, url.port)
        await asyncio.gather(passed(reader, there[1], []), passed(there[0], writer, waits))

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = services.settings.redis_url.replace(f":{url.port}", f":{port}")
    settings = dataclasses.replace(services.settings, redis_url=address)
    async with server:
        yield dataclasses.replace(services, settings=settings)


async def test_a_hint_whose_job_was_claimed_by_a_look_still_takes_room(ledger: Services) -> None:
    lane = hints.lane(ledger.settings.redis_url)
    await lane.flushall()
    waits = [0.2]
    async with slow_redis(ledger, waits) as slow, working(slow, LOW=2) as worker:
        family, relays = worker.families["LOW"], worker.relays["LOW"]
        await until(lambda: asyncio.sleep(0, relays.slots))
        async with ledger.tx() as tx:
            await tx.enqueue_many("sleep_low", [(2.0,)] * 2 + [(0.0,)] * 60)
        await until(lambda: hints.lying(lane, "LOW"))
        family.look_at = 0.0
        family.wake.set()
        await until(lambda: is_full(worker))
        most = 0
        while not family.free:
            most = max(most, len(await hints.lying(lane, "LOW")))
            await asyncio.sleep(0.005)
        waits.clear()
    await lane.aclose(close_connection_pool=True)
    assert 0 < most <= relay.HINTS_PER_SLOT * 2


async def test_relays_that_race_put_no_more_there_than_the_bound(ledger: Services) -> None:
    lane = hints.lane(ledger.settings.redis_url)
    await lane.flushall()
    try:
        pushes = [hints.push(lane, "LOW", list(range(n, n + 6)), 3, 8) for n in range(0, 60, 6)]
        refused = [one for answer in await asyncio.gather(*pushes) for one in answer]
        there = await hints.lying(lane, "LOW")
        assert len(there) == 8 and sorted(there + refused) == list(range(60))
    finally:
        await lane.flushall()
        await lane.aclose(close_connection_pool=True)


async def is_full(worker: Worker) -> bool:
    """Whether no slot of LOW is free."""
    return worker.families["LOW"].free == 0


async def test_what_nobody_can_read_in_the_fast_lane_is_passed_over(ledger: Services) -> None:
    lane = hints.lane(ledger.settings.redis_url)
    try:
        await hints.push(lane, "LOW", [7], 1, 8)
        for name, text in (("x", b"\x80\x04no"), ("y", b"{}"), ("z", b'{"t": 1, "f": 2, "a": []}')):
            await lane.set(f"arq:job:{name}", text)
            await lane.zadd(hints.queue_name("LOW"), {name: 1})
        assert await hints.lying(lane, "LOW") == [7]
    finally:
        await lane.flushall()
        await lane.aclose(close_connection_pool=True)


async def test_a_relay_that_does_not_reach_redis_leaves_the_lane_to_others(
    ledger: Services,
) -> None:
    settings = dataclasses.replace(ledger.settings, redis_url="redis://127.0.0.1:1/0")
    cut_off = dataclasses.replace(ledger, settings=settings)
    free = "SELECT until <= now() FROM leases WHERE name = 'relay:DEFAULT'"
    async with working(cut_off, DEFAULT=3):
        await until(lambda: ledger.db.fetchval(free), 8)
        job_id = await enqueue(cut_off, "note_call", 1)
        await until_status(cut_off, job_id, "done")


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
