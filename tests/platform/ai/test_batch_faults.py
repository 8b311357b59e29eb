"""Batches that end badly: none stops another, none is forgotten, none keeps money for ever, each costs what it was sold for."""

import dataclasses
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from app.domain.platform.ai import batches, budget, calls
from app.errors import ServiceDown
from app.outside.anthropic import Anthropic
from app.outside.breakers import Breaker
from app.services import Services
from tests.platform.ai.test_batches import Desk, send, state
from tests.world.claude import KEY, Claude

LATE = "UPDATE ai_batches SET created_at = now() - interval '27 hours'"
CALLS = "SELECT state, error_code FROM ai_calls ORDER BY id"


@pytest.fixture
async def lost_road(services: Services, claude: Claude) -> AsyncIterator[Services]:
    """Services whose door leads to an address where nothing of a provider is."""
    url = f"{claude.url}/nowhere"
    door = Anthropic(KEY, url=url, breaker=Breaker("anthropic", limit=1000), timeout=1.5)
    yield dataclasses.replace(services, outside={"anthropic": door})
    await door.close()


async def test_a_batch_that_nobody_knows_how_to_take_gives_its_money_back(
    lost_road: Services,
) -> None:
    with pytest.raises(ServiceDown) as down:
        await send(lost_road)
    assert (down.value.code, await state(lost_road)) == ("http_404", (0, 0, "lost"))
    states = [row["state"] for row in await lost_road.db.fetch(CALLS)]
    assert states == ["released"] * 3


async def test_a_404_of_a_gateway_says_nothing_about_a_batch_that_is_paid_for(
    asking: Services, lost_road: Services, claude: Claude
) -> None:
    desk = Desk()
    await send(asking)
    await asking.db.execute(LATE)
    with pytest.raises(ServiceDown):
        await batches.collect(lost_road, {"tagging": desk.take})
    assert (await state(asking))[2] == "waiting"
    assert await batches.collect(asking, {"tagging": desk.take}) == 3


async def test_one_bad_batch_stops_no_other(asking: Services, claude: Claude) -> None:
    desk = Desk()
    first = await send(asking, 1)
    await send(asking, 1)
    broken = await asking.db.fetchval("SELECT outside_id FROM ai_batches WHERE id = $1", first)
    claude.batches[broken]["results"] = [{"custom_id": []}]
    del claude.batches[broken]["ready_at"]
    with pytest.raises(ServiceDown):
        await batches.collect(asking, {"tagging": desk.take})
    assert len(desk.taken) == 1
    rows = await asking.db.fetch("SELECT state FROM ai_batches ORDER BY id")
    assert [row["state"] for row in rows] == ["waiting", "done"]


async def test_an_ended_batch_is_fetched_however_late(asking: Services, claude: Claude) -> None:
    desk = Desk()
    await send(asking)
    await asking.db.execute(LATE)
    assert await batches.collect(asking, {"tagging": desk.take}) == 3
    assert await state(asking) == (claude.billed, 0, "done")


async def test_lines_that_make_no_sense_cost_their_calls_and_no_others(
    asking: Services, claude: Claude
) -> None:
    desk = Desk()
    claude.order(["honest", "bill_less_than_nothing", "honest"])
    await send(asking)
    [batch] = claude.batches.values()
    batch["results"] += [{"custom_id": "x", "result": {"type": "canceled"}}, {"custom_id": 7}, [1]]
    assert await batches.collect(asking, {"tagging": desk.take}) == 3
    rows = [tuple(row) for row in await asking.db.fetch(CALLS)]
    assert rows == [("settled", None), ("lost", "garbage"), ("settled", None)]
    assert (await state(asking))[1:] == (0, "done")


async def test_an_answer_ends_no_call_of_another_batch(asking: Services, claude: Claude) -> None:
    desk = Desk()
    await send(asking, 1)
    [call] = await budget.reserve(asking, "tagging", "claude-haiku-4-5", [budget.Wish(Decimal(9))])
    [batch] = claude.batches.values()
    batch["results"] += [{**batch["results"][0], "custom_id": str(call)}]
    assert await batches.collect(asking, {"tagging": desk.take}) == 1
    assert await asking.db.fetchval("SELECT state FROM ai_calls WHERE id = $1", call) == "reserved"


@pytest.mark.parametrize("figures", ["10/50/10/1/100", None])
async def test_a_batch_costs_what_it_was_handed_over_for(
    changed: Any, asking: Services, claude: Claude, figures: str | None
) -> None:
    desk = Desk()
    await send(asking)
    model = calls.bulk(asking) if figures else "claude-other"
    prices = f"{model}={figures or '1/5/1/1/50'}"
    later = dataclasses.replace(
        asking, settings=dataclasses.replace(asking.settings, ai_prices=prices)
    )
    assert await batches.collect(later, {"tagging": desk.take}) == 3
    assert await state(later) == (claude.billed, 0, "done")


async def test_without_a_key_a_batch_counts_in_full_when_it_is_late(
    services: Services, asking: Services, claude: Claude
) -> None:
    desk = Desk()
    await send(asking)
    reserved = (await state(asking))[1]
    keyless = dataclasses.replace(services, outside={})
    assert await batches.collect(keyless, {"tagging": desk.take}) == 0
    assert await state(services) == (0, reserved, "waiting")
    await services.db.execute(LATE)
    await batches.collect(keyless, {"tagging": desk.take})
    assert await state(services) == (reserved, 0, "lost")


async def test_a_provider_that_is_away_for_a_week_keeps_no_money(
    services: Services, asking: Services, claude: Claude
) -> None:
    desk = Desk()
    await send(asking)
    reserved = (await state(asking))[1]
    door = Anthropic(KEY, url="http://127.0.0.1:9", breaker=Breaker("anthropic", limit=1000))
    away = dataclasses.replace(services, outside={"anthropic": door})
    await services.db.execute(LATE)
    with pytest.raises(ServiceDown):
        await batches.collect(away, {"tagging": desk.take})
    assert await state(services) == (0, reserved, "waiting")
    await services.db.execute("UPDATE ai_batches SET created_at = now() - interval '8 days'")
    await batches.collect(away, {"tagging": desk.take})
    await door.close()
    assert await state(services) == (reserved, 0, "lost")
