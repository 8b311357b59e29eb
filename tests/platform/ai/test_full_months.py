"""A month is full when not even one more call fits: then it stops and says so. Until then nobody waits for longer than need be."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.platform.ai import alerts, budget, ledger, limits, usage
from app.domain.platform.ai.budget import Refused, Wish
from app.domain.platform.ai.prices import Tokens
from app.errors import ServiceDown
from app.services import Services
from app.web import sight
from tests.people import member
from tests.platform.ai.conftest import ask, spent
from tests.platform.ai.test_alerts import subjects
from tests.platform.ai.test_budget import CENT, reserve
from tests.world.claude import Claude


async def refused(services: Services, cents: float, feature: str = "tagging") -> Refused:
    """The refusal that so many cents meet, for something critical."""
    with pytest.raises(Refused) as found:
        await reserve(services, cents, feature, critical=True)
    return found.value


async def test_a_month_that_has_no_room_for_one_more_call_is_full(services: Services) -> None:
    await spent(services, 198, limit_cents=200)
    await refused(services, 3)
    stand = await budget.stand(services)
    assert (stand.state, alerts.level(stand), stand.percent) == ("HARD_STOP", 100, 99)
    assert (await refused(services, 1)).code == "ai_budget_reached"
    assert usage.sentence(stand, is_set_up=True) == usage.STATES["HARD_STOP"]
    assert (await usage.now(services)).state == "HARD_STOP"
    await usage.show_figures(services)
    assert "homepage_ai_budget_consumed_percent 100.0" in sight.exposition().decode()


async def test_one_costly_call_fills_no_month_that_has_room_for_others(services: Services) -> None:
    await spent(services, 148, limit_cents=200)
    await refused(services, 60)
    assert not (await budget.stand(services)).is_full
    await reserve(services, 3, "tagging", critical=True)


async def test_the_operator_hears_of_a_full_month_from_the_call_that_met_it(
    asking: Services, claude: Claude
) -> None:
    await spent(asking, 199.99, limit_cents=200)
    for _ in range(2):
        with pytest.raises(Refused):
            await ask(asking, critical=True)
    assert (claude.ledger, await subjects(asking)) == ([], ["75", "90", "100"])
    text = await asking.db.fetchval(
        "SELECT text_body FROM emails WHERE subject LIKE '%100 \\%%' ORDER BY id DESC LIMIT 1"
    )
    assert "less than one more call may cost" in text


async def test_calls_under_way_many_at_once_and_many_items_fill_no_month(
    services: Services,
) -> None:
    await spent(services, 150, limit_cents=200)
    with pytest.raises(Refused):
        await budget.reserve(services, "tagging", "m", [Wish(Decimal(40 * CENT))] * 2)
    with pytest.raises(Refused):
        await budget.reserve(services, "tagging", "m", [Wish(Decimal(60 * CENT), 20)])
    call = await reserve(services, 45)
    await refused(services, 6)
    assert (await budget.stand(services)).state == "REDUCE"
    await ledger.settle(services, call, Decimal(CENT), Tokens(1, 1))
    await reserve(services, 6)


async def test_a_raised_limit_opens_a_full_month_and_a_lowered_one_does_not(
    services: Services,
) -> None:
    who = await member(services, role="ops")
    await spent(services, 195, limit_cents=200)
    await refused(services, 6)
    month = (await budget.stand(services)).month
    for cents, state, alerted in ((199, "HARD_STOP", 100), (2000, "NORMAL", 0)):
        await limits.change(services, who, month, limits.LimitChange(cents, "The election needs"))
        found = await budget.stand(services)
        assert (found.state, alerts.level(found)) == (state, alerted)
        assert await services.db.fetchval("SELECT alerted FROM ai_usage_tracking") == alerted
    await reserve(services, 6)


def wait_of(refusal: Refused) -> timedelta:
    """How long a refused caller is asked to wait."""
    return refusal.until - datetime.now(UTC)


async def test_what_only_open_calls_keep_out_waits_a_quarter_of_an_hour(
    changed: Any, services: Services
) -> None:
    await spent(services, 0, limit_cents=200)
    await reserve(services, 15, "directory")
    share = await refused(services, 6, "directory")
    assert (share.code, wait_of(share) < timedelta(minutes=16)) == ("ai_share_reached", True)
    day = await refused(changed(ai_daily_limit_cents=20), 6)
    assert (day.code, wait_of(day) < timedelta(minutes=16)) == ("ai_day_reached", True)
    await reserve(services, 180)
    month = await refused(services, 6)
    assert (month.code, wait_of(month) < timedelta(minutes=16)) == ("ai_budget_reached", True)
    never = await refused(services, 201)
    assert never.until == (await budget.stand(services)).opens_at


async def test_a_ceiling_that_opened_meanwhile_puts_nobody_off_for_a_month(
    services: Services,
) -> None:
    await spent(services, 0, limit_cents=200)
    with pytest.raises(Refused) as found:
        await budget.refuse(services, "tagging", [Wish(Decimal(CENT))], critical=True)
    assert (found.value.code, wait_of(found.value) < timedelta(minutes=16)) == (
        "ai_budget_reached",
        True,
    )


async def test_a_month_that_turned_meanwhile_is_refused_in_words(services: Services) -> None:
    with pytest.raises(Refused) as found:
        await budget.refuse(services, "tagging", [Wish(Decimal(CENT))], critical=True)
    assert wait_of(found.value) < timedelta(minutes=16)


async def test_a_raise_to_where_only_what_is_critical_goes_on_calls_that_back(
    services: Services,
) -> None:
    who = await member(services, role="ops")
    await spent(services, 200, limit_cents=200)
    stand = await budget.stand(services)
    async with services.tx() as tx:
        job = await tx.enqueue("tag_items", run_at=stand.opens_at)
        await budget.note(tx, job, "ai_budget_reached")
    await limits.change(services, who, stand.month, limits.LimitChange(210, "A little more of it"))
    assert await services.db.fetchval("SELECT run_at <= now() FROM delayed_jobs WHERE id = $1", job)


async def test_what_costs_more_than_was_set_aside_counts_as_billed(
    asking: Services, claude: Claude
) -> None:
    claude.order(["bill_ten_times"])
    answer = await ask(asking)
    [row] = await asking.db.fetch("SELECT reserved_micros, cost_micros FROM ai_calls")
    assert row["cost_micros"] == answer.cost_micros == claude.billed > row["reserved_micros"]


@pytest.mark.parametrize("mode", ["bill_nothing", "bill_less_than_nothing", "bill_the_moon"])
async def test_a_bill_that_cannot_be_counts_in_full(
    asking: Services, claude: Claude, mode: str
) -> None:
    claude.order([mode])
    with pytest.raises(ServiceDown) as down:
        await ask(asking)
    [row] = await asking.db.fetch("SELECT state, reserved_micros, cost_micros FROM ai_calls")
    assert (down.value.code, row["state"]) == ("garbage", "lost")
    assert row["cost_micros"] == row["reserved_micros"]


def test_a_stand_says_why_it_refuses() -> None:
    def why(spent: int, limit: int, *, critical: bool = True, is_full: bool = False) -> str | None:
        stand = budget.Stand(
            date(2026, 11, 1), Decimal(spent * CENT), Decimal(0), limit, is_full=is_full
        )
        return stand.why(critical=critical)

    assert why(0, 0) == "ai_off"
    assert why(200, 200) == why(1, 200, is_full=True) == "ai_budget_reached"
    assert (why(190, 200), why(190, 200, critical=False)) == (None, "ai_critical_only")
    assert why(150, 200, critical=False) is None
