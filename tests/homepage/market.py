"""What the tests of stocks stand on: a clock that a test moves, and the two sources of the world led by it."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from app.domain.homepage import market_days
from app.domain.homepage.stock_quotes import Clock
from app.domain.platform.flags import memory
from app.domain.platform.flags.evaluation import Rule
from app.outside.alpha_vantage import AlphaVantage
from app.outside.breakers import Breaker
from app.outside.finnhub import Finnhub
from app.services import Services
from tests.world.servers import Site
from tests.world.stock_sources import STOCK_SOURCES

DOORS = {"alphavantage": AlphaVantage, "finnhub": Finnhub}
# A Tuesday, half past ten in New York.
TUESDAY = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


class Moving:
    """A clock that stands until somebody waits."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    async def wait(self, seconds: float) -> None:
        """Let time pass at once."""
        self.at += timedelta(seconds=seconds)

    @property
    def clock(self) -> Clock:
        """The clock as the product takes it."""
        return Clock(lambda: self.at, self.wait)


class Exchange(NamedTuple):
    """The services with their sources of prices, the sources themselves, and the time for all of them."""

    services: Services
    sources: dict[str, Any]
    time: Moving


def switched_on(services: Services, percentage: int = 100) -> Services:
    """The services with the flag of stocks on."""
    rule = Rule("stocks_widget", enabled=True, rollout_percentage=percentage)
    memory.of(services).rules["stocks_widget"] = rule
    return services


def with_keys(services: Services, *names: str, **settings: Any) -> Services:
    """The services of a site that has the keys of these sources."""
    keys = {f"{name}_key": "world-key" for name in names}
    settings = {"stock_sources": ",".join(names), **keys, **settings}
    return dataclasses.replace(
        services, settings=dataclasses.replace(services.settings, **settings)
    )


@contextlib.asynccontextmanager
async def trading(
    services: Services, *names: str, at: datetime = TUESDAY, **settings: Any
) -> AsyncIterator[Exchange]:
    """Services that reach these sources of the world, all at one time, with stocks on and the calendar filled."""
    time = Moving(at)
    sources = {one.name: one(lambda: time.at.timestamp()) for one in STOCK_SOURCES}
    async with contextlib.AsyncExitStack() as stack:
        doors = {
            name: await stack.enter_async_context(reached(sources[name], time)) for name in names
        }
        ready = with_keys(dataclasses.replace(services, outside=doors), *names, **settings)
        await market_days.fill(ready, at.year)
        yield Exchange(switched_on(ready), sources, time)


@contextlib.asynccontextmanager
async def reached(source: Any, time: Moving) -> AsyncIterator[Any]:
    """The product's door to one source of the world, which serves as long."""
    site = Site(source.app)
    await site.start()
    breaker = Breaker(source.name)
    door = DOORS[source.name](site.url, source.key, breaker=breaker, clock=lambda: time.at)
    try:
        yield door
    finally:
        await door.close()
        await site.stop()
