"""Rule 22: every process hears of a change, looks again after a gap, and keeps what it knew while nobody answers."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

import pytest

from app.box import Box
from app.config import Settings
from app.db import Database, migrate, open_pool
from app.domain.platform import flags, memories
from app.domain.platform.flags import changes, shipped
from app.domain.platform.flags.changes import Author
from app.domain.platform.jobs.ledger import Ledger
from app.services import Services
from app.web import letters
from app.web.live import Hub
from jobs.registry import REGISTRY
from jobs.working import Worker
from tests.conftest import new_database


@pytest.fixture(scope="session")
def shared_settings(settings: Settings, box: Box) -> Settings:
    """Settings that lead to a database which tests may commit to."""
    url = asyncio.run(new_database(box.env["DATABASE_URL"], "village_flags"))
    changed = dataclasses.replace(settings, database_url=url)
    asyncio.run(migrate(changed))
    return changed


@contextlib.asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[Services]:
    """Services of one process."""
    pool = await open_pool(settings, size=4)
    yield Services(settings, Database(pool), Ledger(REGISTRY), letters.write)
    await pool.close()


async def turn(services: Services, on: bool) -> None:
    """Switch stocks_widget."""
    fields = {"enabled": on, "rollout_percentage": 100}
    await changes.change(services, Author(None, "test"), "stocks_widget", fields)


async def until(services: Services, on: bool) -> None:
    """Wait until a process sees the switch so; a look would take 30 s."""
    async with asyncio.timeout(5):
        while flags.is_on(services, None, "stocks_widget") is not on:
            await asyncio.sleep(0.01)


async def test_web_and_worker_hear_of_a_change_made_elsewhere(shared_settings: Settings) -> None:
    async with (
        process(shared_settings) as web,
        process(shared_settings) as work,
        process(shared_settings) as other,
    ):
        await shipped.seed(other)
        hub = Hub(shared_settings, remember=lambda name: memories.call(web, name))
        worker = Worker(work, {})
        loops = [
            asyncio.create_task(loop)
            for loop in (
                memories.keep_reading(web, hub.renew),
                hub.listen(),
                memories.keep_reading(work),
                worker.listen(),
            )
        ]
        for on in (True, False, True):
            number = hub.site_number
            await turn(other, on)
            await until(web, on)
            await until(work, on)
            # Pages that were made by the flag before are made anew.
            assert hub.site_number > number
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await turn(other, False)


async def test_a_listener_that_comes_back_looks_at_everything(shared_settings: Settings) -> None:
    async with process(shared_settings) as services:
        await shipped.seed(services)
        await turn(services, True)
        called: list[str] = []
        hub = Hub(shared_settings, remember=called.append)
        loop = asyncio.create_task(hub.listen())
        async with asyncio.timeout(5):
            while not called:
                await asyncio.sleep(0.01)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        assert called == ["all"]


async def test_while_the_database_is_away_flags_stay_as_they_were(
    shared_settings: Settings,
) -> None:
    async with process(shared_settings) as services:
        await shipped.seed(services)
        await turn(services, True)
        assert await memories.read(services)
        nowhere = dataclasses.replace(services.settings, database_url="postgresql://x@127.0.0.1:1/x")  # fmt: skip
        pool = await open_pool(nowhere, size=1)
        away = dataclasses.replace(services, db=Database(pool, timeout=1))
        assert not await memories.read(away)
        assert flags.is_on(away, None, "stocks_widget")
        pool.terminate()
        await turn(services, False)
