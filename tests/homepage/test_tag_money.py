"""Money of tagging: nothing is asked for ever, nothing is paid twice, the last cent is used, and who waits is called back."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.homepage import tag_backfills, tagging, tags
from app.domain.homepage.catalogue import add_tags, lines
from app.domain.homepage.tag_answers import Chosen
from app.domain.platform.ai import batches, budget, limits
from app.errors import Defer, ServiceDown
from app.services import Services
from jobs.ai import TAKERS
from tests.homepage.job_runs import run_jobs
from tests.homepage.newsroom import feed, item
from tests.homepage.test_tagging_turns import Job, by, coaches
from tests.people import member
from tests.platform.ai.conftest import spent
from tests.world.claude import Claude

ATTEMPTS = "SELECT tag_attempts FROM feed_items ORDER BY id"
ANYBODYS = "UPDATE feed_items SET tag_asked_until = NULL"


@pytest.fixture
async def desk(asking: Services) -> Services:
    """Services with a model and the sixteen tags."""
    await add_tags(asking, lines("tags.tsv"))
    return asking


async def attempts(desk: Services) -> list[int]:
    """How often each item was asked about in vain."""
    return [row["tag_attempts"] for row in await desk.db.fetch(ATTEMPTS)]


async def test_the_last_cents_go_into_smaller_calls_until_the_month_is_full(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, 40)
    await desk.db.execute("UPDATE feeds SET ai_critical = true")
    await spent(desk, 98.5, limit_cents=100)
    with pytest.raises(Defer) as put_off:
        await tagging.tag(desk, 200)
    stand = await budget.stand(desk)
    assert put_off.value.until == stand.opens_at
    assert (stand.state, stand.reserved_micros) == ("HARD_STOP", 0)
    assert len({line["input_tokens"] // 100 for line in claude.ledger}) > 1
    assert 990_000 < stand.spent_micros <= 1_000_000
    assert await by(desk) == {"ai", "none"}


async def test_a_call_that_is_never_taken_is_asked_three_times_and_rests_no_provider(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, 1)
    claude.order(["400"])
    for _ in range(5):
        await tagging.tag(desk, 50)
        await desk.db.execute(ANYBODYS)
    assert await attempts(desk) == [3]
    breaker = desk.outside["anthropic"].breaker
    assert (breaker.results["invalid"], breaker.standing().failures) == (3, 0)


async def test_a_provider_that_takes_nothing_at_all_wears_few_items_out(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, 12)
    await desk.db.execute("UPDATE feed_items SET tag_attempts = 1")
    claude.order(["400"])
    with pytest.raises(ServiceDown):
        await tagging.tag(desk, 50)
    assert sorted(await attempts(desk)) == [1] * 7 + [2] * 5


async def test_an_empty_account_wears_no_item_out(desk: Services, claude: Claude) -> None:
    await coaches(desk, 2)
    claude.order(["no_credit"])
    with pytest.raises(ServiceDown) as down:
        await tagging.tag(desk, 50)
    assert (down.value.code, await attempts(desk)) == ("no_credit", [0, 0])


async def test_what_is_billed_and_never_answered_is_paid_three_times_at_most(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, 1)
    claude.order(["bill_then_502"])
    for _ in range(3):
        with pytest.raises(ServiceDown):
            await tagging.tag(desk, 50)
    await tagging.tag(desk, 50)
    assert (await attempts(desk), len(claude.ledger)) == ([3], 3)


async def test_what_is_out_in_a_batch_is_asked_by_nobody_else(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, batches.FROM_ITEMS + 5)
    claude.batch_seconds = 3600
    assert await tag_backfills.send(desk) == batches.FROM_ITEMS + 5
    # As if kill -9 had come between the provider's answer and the hold.
    await desk.db.execute(ANYBODYS)
    billed = len(claude.ledger)
    await tagging.tag(desk, 50)
    assert await tag_backfills.send(desk) == 0
    assert (len(claude.ledger), len(claude.batches)) == (billed, 1)
    await item(desk, await feed(desk, "other"), "A match of the league")
    await tagging.tag(desk, 50)
    assert len(claude.ledger) == billed + 1


async def test_who_waits_for_money_is_called_back_by_a_raise(desk: Services) -> None:
    who = await member(desk, role="ops")
    await spent(desk, 95, 100)
    async with desk.tx() as tx:
        await tagging.soon(tx, critical=False)
        await tagging.soon(tx, critical=False)
    row = "SELECT run_at <= now() AS due, payload ->> 'note' AS note FROM delayed_jobs WHERE job_type = 'tag_items'"
    assert tuple(await desk.db.fetchrow(row)) == (
        False,
        "waits for the AI budget: ai_critical_only",
    )
    month = (await budget.stand(desk)).month
    await limits.change(desk, who, month, limits.LimitChange(1000, "The election needs more"))
    assert tuple(await desk.db.fetchrow(row)) == (True, None)


async def test_an_item_that_is_deleted_meanwhile_costs_the_others_nothing(desk: Services) -> None:
    await coaches(desk, 2)
    rows = await tagging.claimed(desk, await budget.stand(desk), 10)
    gone, kept = (row["id"] for row in rows)
    await desk.db.execute("DELETE FROM feed_items WHERE id = $1", gone)
    words = await tags.in_use(desk)
    chosen = {row["id"]: Chosen((("sports", 0.9),)) for row in rows}
    keys = {row["id"]: tagging.key_of(desk, row, words) for row in rows}
    await tagging.store(desk, chosen, rows, words, "success", keys)
    found = await desk.db.fetch("SELECT item_id FROM item_tags WHERE origin = 'ai'")
    assert [row["item_id"] for row in found] == [kept]
    assert await desk.db.fetchval("SELECT count(*) FROM ai_results") == 2


@pytest.mark.parametrize(("limit", "code"), [(0, "ai_off"), (100, "ai_budget_reached")])
async def test_a_run_that_a_full_month_stops_is_counted_and_says_why(
    desk: Services, limit: int, code: str
) -> None:
    await spent(desk, limit, limit)
    before = budget.THROTTLES._value.get()
    async with desk.tx() as tx:
        job = await tx.enqueue("tag_items")
    with pytest.raises(Defer):
        await tagging.tag(dataclasses.replace(desk, job=Job(job)), 50)
    note = await desk.db.fetchval("SELECT payload ->> 'note' FROM delayed_jobs WHERE id = $1", job)
    assert (note, budget.THROTTLES._value.get()) == (f"{budget.NOTE}: {code}", before + 1)


async def test_a_short_wait_ends_soon_though_another_run_waits_for_next_month(
    desk: Services,
) -> None:
    opens = (await budget.stand(desk)).opens_at
    async with desk.tx() as tx:
        await tx.enqueue("tag_items", run_at=opens)
        job = Job(await tx.enqueue("tag_items"))
    soon = budget.Refused("ai_budget_reached", datetime.now(UTC) + timedelta(minutes=15))
    with pytest.raises(Defer) as put_off:
        await tagging.wait_for_money(dataclasses.replace(desk, job=job), soon)
    assert put_off.value.until == soon.until


async def test_a_backlog_that_the_budget_refuses_is_no_fault(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, batches.FROM_ITEMS + 5)
    await spent(desk, 1, limit_cents=5)
    async with desk.tx() as tx:
        await tx.enqueue("tag_backlog")
    assert await run_jobs(desk, "tag_backlog") == 1
    free = "SELECT count(*) FROM feed_items WHERE tag_asked_until IS NULL"
    assert await desk.db.fetchval(free) == batches.FROM_ITEMS + 5
    assert (claude.batches, (await budget.stand(desk)).state) == ({}, "NORMAL")


async def test_late_answers_are_kept_under_the_list_that_was_asked(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, batches.FROM_ITEMS + 1)
    words = await tags.in_use(desk)
    claude.batch_seconds = 3600
    await tag_backfills.send(desk)
    row = await desk.db.fetchrow(
        "SELECT title, summary_html, body_text, language, id FROM feed_items"
    )
    await desk.db.execute("UPDATE tags SET state = 'retired' WHERE slug = 'food'")
    for batch in claude.batches.values():
        batch["ready_at"] = 0
    await batches.collect(desk, TAKERS)
    assert await by(desk) == {"ai"}
    keys = {bytes(one["key"]) for one in await desk.db.fetch("SELECT key FROM ai_results")}
    assert tagging.key_of(desk, row, words) in keys
    assert tagging.key_of(desk, row, await tags.in_use(desk)) not in keys


async def test_a_batch_says_of_each_call_whether_it_is_the_items_fault(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, batches.FROM_ITEMS + 20)
    claude.order(["400", "529", *["honest"] * 9])
    await tag_backfills.send(desk)
    await batches.collect(desk, TAKERS)
    counted: dict[Any, int] = {}
    for row in await desk.db.fetch("SELECT tagged_by, tag_attempts FROM feed_items"):
        counted[tuple(row)] = counted.get(tuple(row), 0) + 1
    assert counted == {("ai", 0): batches.FROM_ITEMS - 20, ("none", 1): 20, ("none", 0): 20}
    waiting = "SELECT count(*) FROM feed_items WHERE tag_asked_until IS NULL AND tagged_by = 'none'"
    assert await desk.db.fetchval(waiting) == 40


async def test_a_batch_that_may_have_been_taken_is_not_handed_over_again(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, batches.FROM_ITEMS + 5)
    claude.batch_delay = 5.0
    with pytest.raises(ServiceDown):
        await tag_backfills.send(desk)
    claude.batch_delay = 0.0
    handed_over, asked = len(claude.batches), len(claude.ledger)
    assert await tag_backfills.send(desk) == 0
    await tagging.tag(desk, 200)
    assert (len(claude.batches), len(claude.ledger)) == (handed_over, asked), "they rest"
    await desk.db.execute(ANYBODYS)
    await tagging.tag(desk, 200)
    assert 0 < len(claude.ledger) - asked <= 200 / 10, "and go on together, not one by one"
