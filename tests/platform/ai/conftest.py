"""What the tests of models stand on: a provider on loopback that keeps its own books, and services that reach it."""

import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.domain.platform.ai import calls
from app.outside.anthropic import Anthropic
from app.outside.breakers import Breaker
from app.services import Services
from tests.world.claude import KEY, Claude
from tests.world.faults import Faults
from tests.world.servers import Site

SCHEMA = {"type": "object", "properties": {"items": {"type": "array"}}, "required": ["items"]}


@pytest.fixture
async def claude() -> AsyncIterator[Claude]:
    """The provider, empty books in its hand."""
    faults = Faults()
    provider = Claude(time.time, faults)
    site = Site(provider.app)
    await site.start()
    provider.url = site.url
    yield provider
    faults.closing.set()
    await site.stop()


@pytest.fixture
async def asking(services: Services, claude: Claude) -> AsyncIterator[Services]:
    """The test's services with a door to the provider that waits a second and a half at most."""
    door = Anthropic(KEY, url=claude.url, breaker=Breaker("anthropic", limit=1000), timeout=1.5)
    # The SDK's import is no part of anybody's patience.
    await door.reachable()
    yield dataclasses.replace(services, outside={**services.outside, "anthropic": door})
    await door.close()


async def ask(services: Services, text: str = "A short headline", **more: Any) -> calls.Answer:
    """One call as tagging makes it."""
    usual: dict[str, Any] = {
        "feature": "tagging",
        "model": calls.bulk(services),
        "system": "Sort these.",
        "content": f'[{{"index": 0, "title": "{text}"}}]',
        "schema": SCHEMA,
        "max_tokens": 200,
    }
    return await calls.ask(services, **(usual | more))


SET_LIMIT = """
INSERT INTO ai_usage_tracking (month, provider, budget_limit_cents, spent_micros)
VALUES (date_trunc('month', now() AT TIME ZONE 'UTC'), 'anthropic', $1, $2)
ON CONFLICT (month, provider) DO UPDATE SET budget_limit_cents = $1, spent_micros = $2
"""


async def spent(services: Services, cents: float, limit_cents: int = 50_000) -> None:
    """Let so much of this month's limit be spent."""
    await services.db.execute(SET_LIMIT, limit_cents, int(cents * 10_000))
