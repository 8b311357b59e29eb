"""What the tests of feeds stand on: a publisher on loopback, and services that can reach it."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.outside.children import Children
from app.outside.guarded import GuardedClient
from app.services import Services
from tests.homepage.publisher import HOST, Publisher
from tests.platform.ai.conftest import asking, claude
from tests.world.servers import Site

OTHER_HOST = "other.example"

__all__ = ["asking", "claude"]


@pytest.fixture(scope="session")
async def feed_parser() -> AsyncIterator[Children]:
    """The reading child of this run."""
    children = Children(
        "app.domain.homepage.feed_documents.child", cpu_seconds=5, memory_mb=256, wall_seconds=20
    )
    yield children
    await children.close()


@pytest.fixture
async def publisher() -> AsyncIterator[Any]:
    """A publisher that answers as `paper.example` and `other.example`."""
    found = Publisher()
    site = Site(found)
    await site.start()
    found.port = site.port  # type: ignore[attr-defined]
    yield found
    await site.stop()


@pytest.fixture
def reaching(services: Services, publisher: Any, feed_parser: Children) -> Services:
    """The test's services with the guarded client led to the publisher, and the reading child."""
    there = ("127.0.0.1", publisher.port)
    guarded = GuardedClient("http://testserver", {HOST: there, OTHER_HOST: there}, spacing=0.0)
    return dataclasses.replace(services, outside={"guarded": guarded, "feed_parser": feed_parser})
