"""Seeding: first feeds are fetched right away, and a second time says that all is there."""

import pytest

from app import seeding
from app.services import Services

WAITING = (
    "SELECT count(*) FROM delayed_jobs WHERE job_type = 'dispatch_feeds' AND status = 'pending'"
)


async def test_seeded_feeds_are_fetched_without_waiting_for_the_clock(services: Services) -> None:
    for _ in range(2):
        await seeding.feeds(services)
    assert await services.db.fetchval(WAITING) == 1
    assert await services.db.fetchval("SELECT count(*) > 0 FROM feeds WHERE default_on")


async def test_an_unknown_seed_is_refused_with_those_that_are_there(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await seeding.seed(services.settings, ["horses"]) == 2
    assert ", ".join(seeding.SEEDS) in capsys.readouterr().out
