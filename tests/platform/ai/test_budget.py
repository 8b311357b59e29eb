"""The budget: no ceiling is passed by any number of callers, and each state lets through what rule 45 says."""

import asyncio
import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as pace
from hypothesis import strategies as st

from app.db import Connection, Database, prepare_connection
from app.domain.platform.ai import budget, ledger
from app.domain.platform.ai.budget import Refused, Stand, Wish
from app.domain.platform.ai.prices import Tokens
from app.errors import Defer
from app.services import Services
from tests.platform.ai.conftest import spent

CENT = budget.MICROS_A_CENT


async def reserve(services: Services, cents: float, feature: str = "tagging", **more: Any) -> int:
    """Set so many cents aside for one call."""
    wish = Wish(Decimal(cents) * CENT)
    [call_id] = await budget.reserve(services, feature, "claude-haiku-4-5", [wish], **more)
    return call_id


async def refusal(services: Services, cents: float, feature: str = "tagging", **more: Any) -> str:
    """The code with which so many cents are refused."""
    with pytest.raises(Refused) as refused:
        await reserve(services, cents, feature, **more)
    return refused.value.code


@pytest.mark.parametrize(
    ("percent", "state", "batch"),
    [(0, "NORMAL", 20), (74.99, "NORMAL", 20), (75, "REDUCE", 10), (89.99, "REDUCE", 10),
     (90, "QUEUE", 20), (99.99, "QUEUE", 20), (100, "HARD_STOP", 0), (130, "HARD_STOP", 0)],
)  # fmt: skip
def test_the_state_goes_by_what_is_spent(percent: float, state: str, batch: int) -> None:
    micros = Decimal(str(percent)) * 200 * CENT / 100
    stand = Stand(date(2026, 11, 1), micros, Decimal(0), 200)
    assert (stand.state, stand.batch) == (state, batch)


def test_a_limit_of_nothing_is_no_ai() -> None:
    stand = Stand(date(2026, 11, 1), Decimal(0), Decimal(0), 0)
    assert (stand.state, stand.percent) == ("HARD_STOP", 100)


def test_december_opens_on_the_first_of_january() -> None:
    stand = Stand(date(2026, 12, 1), Decimal(0), Decimal(0), 0)
    assert stand.opens_at == datetime(2027, 1, 1, 0, 5, tzinfo=UTC)


async def test_what_is_set_aside_counts_against_the_limit(services: Services) -> None:
    await spent(services, 100, limit_cents=200)
    await reserve(services, 60)
    assert await refusal(services, 41) == "ai_budget_reached"
    await reserve(services, 40)
    assert await refusal(services, 0.0001) == "ai_budget_reached"


async def test_at_90_percent_only_what_is_critical_goes_on(services: Services) -> None:
    await spent(services, 180, limit_cents=200)
    assert await refusal(services, 1) == "ai_critical_only"
    await reserve(services, 1, critical=True)
    await reserve(services, 1, "fraud")
    stand = await budget.stand(services)
    assert stand.why(critical=False) == "ai_critical_only"
    assert stand.why(critical=True) is None


async def test_a_limit_of_nothing_says_that_ai_is_off(services: Services) -> None:
    await spent(services, 0, limit_cents=0)
    assert await refusal(services, 1, critical=True) == "ai_off"


async def test_a_lowered_limit_holds_for_the_next_call(services: Services) -> None:
    await reserve(services, 1)
    await services.db.execute("UPDATE ai_usage_tracking SET budget_limit_cents = 1")
    assert await refusal(services, 1, critical=True) == "ai_budget_reached"


async def test_a_day_has_a_ceiling_of_its_own(changed: Any, services: Services) -> None:
    limited = changed(ai_daily_limit_cents=10)
    first = await reserve(limited, 6)
    assert await refusal(limited, 5) == "ai_day_reached"
    await ledger.settle(limited, first, Decimal(4 * CENT), Tokens(1, 1))
    await ledger.lose(limited, await reserve(limited, 6), "timeout")
    with pytest.raises(Refused) as refused:
        await reserve(limited, 1)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert (refused.value.code, refused.value.until) == ("ai_day_reached", budget.opening(tomorrow))
    await services.db.execute("UPDATE ai_usage_tracking SET day = day - 1")
    await reserve(limited, 10)


async def test_a_feature_takes_no_more_than_its_share(services: Services) -> None:
    await spent(services, 0, limit_cents=200)
    first = await reserve(services, 15, "directory")
    assert await refusal(services, 6, "directory") == "ai_share_reached"
    await reserve(services, 100, "tagging")
    await ledger.release(services, first, "x")
    await reserve(services, 20, "directory")


async def test_each_refusal_is_counted(services: Services) -> None:
    await spent(services, 200, limit_cents=200)
    before = budget.THROTTLES._value.get()
    await refusal(services, 1)
    assert budget.THROTTLES._value.get() == before + 1


async def test_a_cut_stays_for_the_next_month_and_a_raise_does_not(services: Services) -> None:
    this = (await budget.stand(services)).month
    for limit, following in ((200, 200), (90_000, 50_000)):
        later = budget.next_month(this)
        await services.db.execute("DELETE FROM ai_usage_tracking WHERE month > $1", this)
        await services.db.execute("UPDATE ai_usage_tracking SET budget_limit_cents = $1", limit)
        await budget.open_month(services, later)
        found = "SELECT budget_limit_cents FROM ai_usage_tracking WHERE month = $1"
        assert await services.db.fetchval(found, later) == following


async def test_many_are_set_aside_together_or_not_at_all(services: Services) -> None:
    await spent(services, 0, limit_cents=10)
    wishes = [Wish(Decimal(4 * CENT), 20, {"items": [n]}) for n in range(3)]
    with pytest.raises(Refused):
        await budget.reserve(services, "tagging", "m", wishes)
    ids = await budget.reserve(services, "tagging", "m", wishes[:2])
    rows = await services.db.fetch("SELECT id, items, about FROM ai_calls ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (ids[0], 20, {"items": [0]}),
        (ids[1], 20, {"items": [1]}),
    ]


@dataclasses.dataclass
class Job:
    """The running job, as far as the budget asks it."""

    id: int


async def test_a_job_that_is_put_off_waits_for_the_first_with_a_note(services: Services) -> None:
    async with services.tx() as tx:
        job_id = await tx.enqueue("tag_items", 20)
    running = dataclasses.replace(services, job=Job(job_id))
    await spent(running, 190, limit_cents=200)
    with pytest.raises(Refused) as refused:
        await reserve(running, 1)
    with pytest.raises(Defer) as deferred:
        await budget.put_off(running, refused.value)
    first = (datetime.now(UTC).replace(day=1) + timedelta(days=32)).replace(day=1)
    assert deferred.value.until == first.replace(hour=0, minute=5, second=0, microsecond=0)
    payload = await services.db.fetchval("SELECT payload FROM delayed_jobs WHERE id = $1", job_id)
    assert payload["note"] == "waits for the AI budget: ai_critical_only"
    kind = services.ledger.registry["tag_items"]
    assert kind.values(payload) == {"batch_size": 20}


async def test_sixteen_callers_on_connections_of_their_own_never_pass_the_limit(
    settings: Any, services: Services
) -> None:
    pool = await asyncpg.create_pool(
        settings.database_url, min_size=16, max_size=16, connection_class=Connection,
        init=prepare_connection,
    )  # fmt: skip
    assert pool is not None
    services = dataclasses.replace(services, db=Database(pool))
    try:
        await budget.open_month(services)
        await services.db.execute("UPDATE ai_usage_tracking SET budget_limit_cents = 50")
        taken = await asyncio.gather(*(takings(services) for _ in range(16)))
        stand = await budget.stand(services)
        assert sum(taken) == stand.spent_micros + stand.reserved_micros == 50 * CENT
        off = await ledger.imbalance(services, stand.month, budget.PROVIDER)
        assert not any(off.values())
    finally:
        await services.db.execute(
            "TRUNCATE ai_usage_tracking, ai_usage_days, ai_calls, emails CASCADE"
        )
        await pool.close()


async def takings(services: Services) -> int:
    """Take a cent at a time until there is none left; settle some in full, give some back. Return the micros that stay."""
    taken = 0
    for step in range(100):
        try:
            call_id = await reserve(services, 1, critical=True)
        except Refused:
            return taken
        if step % 3 == 0:
            await ledger.release(services, call_id, "x")
            continue
        if step % 3 == 1:
            await ledger.lose(services, call_id, "timeout")
        taken += CENT
    return taken


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["settle", "release", "lose", "keep", "settle twice"]),
        st.integers(0, 30_000),
        st.integers(0, 9_000),
    ),
    max_size=12,
)


@pace(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(ACTS)
async def test_sums_are_those_of_the_calls_whatever_happens(
    connection: Any, services: Services, acts: list[tuple[str, int, int]]
) -> None:
    savepoint = connection.transaction()
    await savepoint.start()
    await spent(services, 0, limit_cents=12)
    for act, worst, cost in acts:
        try:
            [call_id] = await budget.reserve(services, "tagging", "m", [Wish(Decimal(worst))])
        except Refused:
            continue
        if act.startswith("settle"):
            for _ in act.split():
                exact = Decimal(min(cost, worst)) / 7
                await ledger.settle(services, call_id, exact, Tokens(cost, 1))
        elif act != "keep":
            await getattr(ledger, act)(services, call_id, "x")
    stand = await budget.stand(services)
    off = await ledger.imbalance(services, stand.month, budget.PROVIDER)
    assert not any(off.values()), dict(off)
    assert stand.spent_micros + stand.reserved_micros <= 12 * CENT
    await savepoint.rollback()
