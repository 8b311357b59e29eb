"""A call to a model: set aside, asked, settled by its tokens; what nobody knows the price of counts in full."""

import asyncio
import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from app.domain.platform.ai import budget, calls, ledger
from app.errors import NotConfigured, ServiceDown
from app.outside.anthropic import Anthropic
from app.outside.breakers import Breaker
from app.services import Services
from tests.platform.ai.conftest import ask, spent
from tests.world.claude import KEY, Claude

CALLS = "SELECT state, reserved_micros, cost_micros, error_code, feature FROM ai_calls ORDER BY id"


async def books(services: Services) -> tuple[Decimal, Decimal]:
    """What is spent and what is set aside, after a look whether the sums fit the calls."""
    stand = await budget.stand(services)
    off = await ledger.imbalance(services, stand.month, budget.PROVIDER)
    assert not any(off.values()), dict(off)
    return stand.spent_micros, stand.reserved_micros


async def test_a_call_costs_what_the_provider_bills_to_the_micro(
    asking: Services, claude: Claude
) -> None:
    answer = await ask(asking, "Shares of a bank fall")
    assert answer.value["items"][0]["tags"][0]["slug"] == "business"
    assert answer.cost_micros == claude.billed > 0
    assert await books(asking) == (claude.billed, 0)
    [day] = await asking.db.fetch("SELECT feature, model, requests, items FROM ai_usage_days")
    assert tuple(day) == ("tagging", "claude-haiku-4-5", 1, 1)


async def test_money_is_set_aside_while_the_answer_is_waited_for(
    asking: Services, claude: Claude
) -> None:
    claude.order(["honest"], delay=0.3)
    task = asyncio.create_task(ask(asking))
    await asyncio.sleep(0.2)
    row = (await asking.db.fetch(CALLS))[0]
    assert (row["state"], (await books(asking))[1]) == ("reserved", row["reserved_micros"])
    answer = await task
    assert answer.cost_micros < row["reserved_micros"]


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("bill_then_hang", "timeout"),
        ("bill_then_cut", "garbage"),
        ("bill_then_502", "http_502"),
    ],
)
async def test_a_call_without_a_clear_answer_counts_in_full(
    asking: Services, claude: Claude, mode: str, code: str
) -> None:
    claude.order([mode])
    with pytest.raises(ServiceDown) as down:
        await ask(asking)
    [row] = await asking.db.fetch(CALLS)
    assert (down.value.code, row["state"], row["error_code"]) == (code, "lost", code)
    assert await books(asking) == (row["reserved_micros"], 0)
    assert claude.billed <= row["reserved_micros"]


@pytest.mark.parametrize(
    ("mode", "code"), [("500", "http_500"), ("529", "overloaded"), ("429", "over_quota")]
)
async def test_a_refusal_in_the_providers_own_words_costs_nothing(
    asking: Services, claude: Claude, mode: str, code: str
) -> None:
    claude.order([mode])
    with pytest.raises(ServiceDown) as down:
        await ask(asking)
    assert down.value.code == code
    assert down.value.retry_after == (7 if mode == "429" else None)
    [row] = await asking.db.fetch(CALLS)
    assert (row["state"], await books(asking), len(claude.ledger)) == ("released", (0, 0), 0)


@pytest.mark.parametrize("mode", ["prose", "broken_json"])
async def test_words_that_are_no_json_are_paid_and_have_no_value(
    asking: Services, claude: Claude, mode: str
) -> None:
    claude.order([mode])
    answer = await ask(asking)
    assert (answer.value, answer.cost_micros) == (None, claude.billed)
    assert (await books(asking))[0] == claude.billed


async def test_nothing_is_retried_behind_our_back(asking: Services, claude: Claude) -> None:
    claude.order(["bill_then_502", "honest"])
    with pytest.raises(ServiceDown):
        await ask(asking)
    assert len(claude.ledger) == 1


async def test_a_model_without_a_price_is_refused(asking: Services, claude: Claude) -> None:
    with pytest.raises(ServiceDown) as down:
        await ask(asking, model="claude-opus-9")
    assert (down.value.code, claude.ledger) == ("ai_unpriced", [])


async def test_a_model_is_never_asked_within_a_transaction(asking: Services) -> None:
    async with asking.tx() as tx:
        with pytest.raises(RuntimeError):
            await ask(tx)


async def test_without_a_key_there_is_one_sentence_and_no_call(services: Services) -> None:
    with pytest.raises(NotConfigured) as off:
        await ask(services)
    assert off.value.sentence == calls.OFF
    assert await services.db.fetchval("SELECT count(*) FROM ai_calls") == 0


async def test_an_open_breaker_costs_nothing(services: Services, claude: Claude) -> None:
    door = Anthropic(KEY, url=claude.url, breaker=Breaker("anthropic", limit=1), timeout=5)
    asking = dataclasses.replace(services, outside={"anthropic": door})
    claude.order(["500"])
    for code in ("http_500", "breaker_open"):
        with pytest.raises(ServiceDown) as down:
            await ask(asking)
        assert down.value.code == code
    await door.close()
    states = [row["state"] for row in await services.db.fetch(CALLS)]
    assert (states, await books(services)) == (["released", "released"], (0, 0))


async def test_a_forgotten_call_is_lost_after_a_quarter_of_an_hour(services: Services) -> None:
    wish = budget.Wish(Decimal("123.5"))
    [old] = await budget.reserve(services, "tagging", "claude-haiku-4-5", [wish])
    await budget.reserve(services, "tagging", "claude-haiku-4-5", [wish])
    past = "UPDATE ai_calls SET made_at = now() - interval '16 minutes' WHERE id = $1"
    await services.db.execute(past, old)
    found = await ledger.sweep(services)
    assert (found["lost"], await books(services)) == (1, (Decimal("123.5"), Decimal("123.5")))
    tokens: Any = calls.Tokens(1, 1)
    assert not await ledger.settle(services, old, Decimal(1), tokens)
    assert (await books(services))[0] == Decimal("123.5")


async def test_calls_are_kept_for_thirteen_months(services: Services) -> None:
    wish = budget.Wish(Decimal(1))
    [old] = await budget.reserve(services, "tagging", "m", [wish])
    await ledger.release(services, old, "x")
    past = "UPDATE ai_calls SET made_at = now() - interval '14 months' WHERE id = $1"
    await services.db.execute(past, old)
    await ledger.sweep(services)
    assert await services.db.fetchval("SELECT count(*) FROM ai_calls") == 0


async def test_a_spent_limit_stops_the_call_before_it_leaves(
    asking: Services, claude: Claude
) -> None:
    await spent(asking, 50_000)
    with pytest.raises(budget.Refused):
        await ask(asking, critical=True)
    assert claude.ledger == []
