"""A limiter of the test's own: shared with no other test, since every test has another prefix in Redis."""

import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from app import shared_windows
from app.domain.platform.limiters import Limiter
from app.services import Services
from app.shared_windows import SharedWindows
from tests.conftest import client_on
from tests.people import Browser


@pytest.fixture(autouse=True)
def prefix(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A prefix of this test's own in the Redis that all share."""
    found = f"village:limits:{secrets.token_hex(4)}"
    monkeypatch.setattr(shared_windows, "PREFIX", found)
    yield found


@pytest.fixture
async def process(services: Services) -> AsyncIterator[Callable[[], Services]]:
    """The services of one more process on the same Redis: process()."""
    opened = []

    def begin() -> Services:
        opened.append(SharedWindows.at(services.settings.redis_url))
        return dataclasses.replace(services, memory={"limits": Limiter(opened[-1])})

    yield begin
    for windows in opened:
        await windows.close()


@pytest.fixture
def limited(process: Callable[[], Services]) -> Services:
    """Services in which limits hold."""
    return process()


@pytest.fixture
def alone(services: Services) -> Services:
    """Services in which limits hold, without Redis."""
    return dataclasses.replace(services, memory={"limits": Limiter()})


@pytest.fixture
async def caller(limited: Services) -> AsyncIterator[Browser]:
    """A browser on services in which limits hold."""
    async with client_on(limited) as client:
        yield Browser(client, limited)
