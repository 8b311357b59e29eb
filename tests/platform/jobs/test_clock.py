"""Rule 111: one clock, one job a tick, whatever happens to its leaders."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.platform.jobs import clock, leases
from app.domain.platform.jobs.clock import Schedule, next_tick
from app.services import Services

KEYS = "SELECT count(*), count(DISTINCT idempotency_key) FROM delayed_jobs WHERE job_type = $1"
BACK = "UPDATE job_schedules SET next_run_at = next_run_at - $1::interval"
NIGHT = Schedule("purge_news", "10 3 * * *")


async def test_two_clocks_make_one_job_a_tick_though_leaders_die(ledger: Services) -> None:
    await clock.declare(ledger, [Schedule("purge_jobs", "every 60s")])
    start = datetime.now(UTC)
    await clock.tick(ledger, start)
    for number in range(1, 1001):
        at = start + timedelta(seconds=60 * number)
        leaders = [asyncio.create_task(clock.tick(ledger, at)) for _ in range(2)]
        # Both believe to lead, as when one was frozen; one may die in the middle of it.
        if random.random() < 0.2:
            await asyncio.sleep(random.random() / 300)
            leaders[0].cancel()
        await asyncio.gather(*leaders, return_exceptions=True)
    row = await ledger.db.fetchrow(KEYS, "purge_jobs")
    assert tuple(row) == (1000, 1000)
    assert await ledger.db.fetchval("SELECT skipped FROM job_schedules") == 0


async def test_a_missed_tick_is_made_up_for_once_within_its_misfire(ledger: Services) -> None:
    await clock.declare(
        ledger, [Schedule("purge_jobs", "every 60s", misfire=timedelta(minutes=10))]
    )
    await clock.tick(ledger)
    await ledger.db.execute(BACK, timedelta(minutes=5))
    assert await clock.tick(ledger) == 1
    assert await ledger.db.fetchval("SELECT skipped FROM job_schedules") == 4
    assert await clock.tick(ledger) == 0


async def test_a_tick_missed_for_too_long_is_skipped_and_counted(ledger: Services) -> None:
    await clock.declare(ledger, [Schedule("purge_news", "10 3 * * *", misfire=timedelta(0))])
    await clock.tick(ledger)
    await ledger.db.execute(BACK, timedelta(hours=24))
    assert await clock.tick(ledger) == 0
    assert await ledger.db.fetchval("SELECT skipped FROM job_schedules") == 1


async def test_the_code_declares_and_the_database_remembers(ledger: Services) -> None:
    await clock.declare(ledger, [NIGHT, Schedule("purge_jobs", "*/10 * * * *")])
    await clock.tick(ledger)
    before = await ledger.db.fetchval(
        "SELECT next_run_at FROM job_schedules WHERE name = 'purge_news'"
    )
    await clock.declare(ledger, [NIGHT])
    rows = await ledger.db.fetch("SELECT name, next_run_at FROM job_schedules")
    assert [tuple(row) for row in rows] == [("purge_news", before)]


@pytest.mark.parametrize(
    ("spec", "zone", "after", "wanted"),
    [
        ("*/10 * * * *", "UTC", "2026-11-24T03:41:07", "2026-11-24T03:50:00"),
        ("0 17 * * *", "America/New_York", "2026-11-24T03:41:07", "2026-11-24T22:00:00"),
        ("0 17 * * *", "America/New_York", "2026-07-24T03:41:07", "2026-07-24T21:00:00"),
        ("every 30s", "UTC", "2026-11-24T03:41:07", "2026-11-24T03:41:30"),
    ],
)
def test_ticks_stand_where_the_zone_says(spec: str, zone: str, after: str, wanted: str) -> None:
    at = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert next_tick(spec, zone, at) == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


async def test_a_lease_has_one_holder_until_it_runs_out(ledger: Services) -> None:
    taken = await asyncio.gather(
        *(leases.take(ledger, "clock", f"holder {n}", 5) for n in range(10))
    )
    assert taken.count(True) == 1
    holder = await ledger.db.fetchval("SELECT holder FROM leases")
    assert await leases.take(ledger, "clock", holder, 5)
    await ledger.db.execute("UPDATE leases SET until = now() - interval '1 second'")
    assert await leases.take(ledger, "clock", "another", 5)
