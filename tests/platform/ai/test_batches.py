"""Rule 47: over 200 items go in a batch at half price, set aside the same way, and each answer is taken once."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from app.domain.platform.ai import batches, budget, calls, ledger
from app.errors import ServiceDown
from app.outside.anthropic import Anthropic
from app.outside.breakers import Breaker
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.platform.ai.conftest import SCHEMA, spent
from tests.world.claude import KEY, Claude


class Desk:
    """Takes answers in, and remembers them."""

    def __init__(self) -> None:
        self.taken: list[tuple[Any, Any]] = []

    async def take(self, tx: Services, about: Any, answer: calls.Answer | ServiceDown) -> None:
        """Remember one answer."""
        assert tx.in_tx
        self.taken.append((about, answer.value if isinstance(answer, calls.Answer) else None))


def wishes(count: int) -> list[batches.Wish]:
    """So many calls of one item."""
    return [
        batches.Wish([n], "Sort these.", f'[{{"index": 0, "title": "Number {n}"}}]', SCHEMA, 100)
        for n in range(count)
    ]


async def send(services: Services, count: int = 3) -> int:
    """Hand over so many calls."""
    model = calls.bulk(services)
    return await batches.send(services, feature="tagging", model=model, wishes=wishes(count))


async def state(services: Services) -> tuple[Decimal, Decimal, str]:
    """What is spent, what is set aside, and how the only batch stands; the books fit."""
    stand = await budget.stand(services)
    off = await ledger.imbalance(services, stand.month, budget.PROVIDER)
    assert not any(off.values())
    batch = await services.db.fetchval("SELECT state FROM ai_batches")
    return stand.spent_micros, stand.reserved_micros, batch


async def test_answers_of_a_batch_are_taken_once_at_half_price(
    asking: Services, claude: Claude
) -> None:
    desk = Desk()
    claude.batch_seconds = 3600
    await send(asking)
    assert await batches.waiting(asking, "tagging") == [[0], [1], [2]]
    assert await batches.collect(asking, {"tagging": desk.take}) == 0
    assert (await state(asking))[0] == 0
    for batch in claude.batches.values():
        batch["ready_at"] = 0
    assert await batches.collect(asking, {"tagging": desk.take}) == 3
    assert await batches.collect(asking, {"tagging": desk.take}) == 0
    assert sorted(about for about, _ in desk.taken) == [[0], [1], [2]]
    assert await state(asking) == (claude.billed, 0, "done")
    assert await batches.waiting(asking, "tagging") == []


async def test_a_failed_request_of_a_batch_costs_nothing(asking: Services, claude: Claude) -> None:
    desk = Desk()
    claude.order(["honest", "500"])
    await send(asking, 2)
    await batches.collect(asking, {"tagging": desk.take})
    assert [value is None for _, value in sorted(desk.taken, key=str)] == [False, True]
    assert await state(asking) == (claude.billed, 0, "done")


async def test_a_taker_that_fails_leaves_its_call_for_the_next_time(
    asking: Services, claude: Claude
) -> None:
    async def refuse(tx: Services, about: Any, answer: Any) -> None:
        raise ServiceDown("Not now.")

    await send(asking, 1)
    with pytest.raises(ServiceDown):
        await batches.collect(asking, {"tagging": refuse})
    assert (await state(asking))[0] == 0
    desk = Desk()
    await batches.collect(asking, {"tagging": desk.take})
    assert (len(desk.taken), (await state(asking))[0]) == (1, claude.billed)


async def test_a_batch_without_an_answer_in_time_counts_in_full(
    asking: Services, claude: Claude
) -> None:
    desk = Desk()
    claude.batch_seconds = 1e9
    await send(asking)
    reserved = (await state(asking))[1]
    await asking.db.execute("UPDATE ai_batches SET created_at = now() - interval '27 hours'")
    await batches.collect(asking, {"tagging": desk.take})
    assert await state(asking) == (reserved, 0, "lost")
    assert [answer for _, answer in desk.taken] == [None] * 3


async def test_a_batch_that_the_provider_forgot_counts_in_full(
    asking: Services, claude: Claude
) -> None:
    await send(asking)
    reserved = (await state(asking))[1]
    claude.batches.clear()
    await batches.collect(asking, {"tagging": Desk().take})
    assert await state(asking) == (0, reserved, "waiting")
    await asking.db.execute("UPDATE ai_batches SET created_at = now() - interval '61 minutes'")
    await batches.collect(asking, {"tagging": Desk().take})
    assert await state(asking) == (reserved, 0, "lost")


async def test_a_waiting_batch_outlives_the_quarter_of_an_hour(
    asking: Services, claude: Claude
) -> None:
    await send(asking, 1)
    await asking.db.execute("UPDATE ai_calls SET made_at = now() - interval '2 hours'")
    assert (await ledger.sweep(asking))["lost"] == 0
    await asking.db.execute(
        "UPDATE ai_batches SET state = 'sending', outside_id = NULL, created_at = now() - interval '1 hour'"
    )
    assert (await ledger.sweep(asking))["lost"] == 1
    assert (await state(asking))[2] == "lost"


async def test_a_batch_beyond_the_budget_is_not_sent(asking: Services, claude: Claude) -> None:
    await spent(asking, 50_000)
    with pytest.raises(budget.Refused):
        await send(asking)
    assert claude.batches == {}
    assert await asking.db.fetchval("SELECT count(*) FROM ai_batches") == 0


async def test_a_batch_that_was_refused_gives_its_money_back(services: Services) -> None:
    door = Anthropic(KEY, url="http://127.0.0.1:9", breaker=Breaker("anthropic"), timeout=1)
    with pytest.raises(ServiceDown):
        await send(dataclasses.replace(services, outside={"anthropic": door}))
    await door.close()
    assert await state(services) == (0, 0, "lost")


async def test_the_job_collects_what_has_ended(asking: Services, claude: Claude) -> None:
    async with asking.tx() as tx:
        await tx.enqueue("collect_ai_batch")
    assert await run_jobs(asking, "collect_ai_batch") == 1
