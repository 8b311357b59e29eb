"""Turns of tagging: what ends badly keeps nobody waiting, and nothing that was paid for is paid again."""

import dataclasses
from typing import Any

import pytest

from app.config import Misconfigured
from app.domain.homepage import tag_backfills, tag_merges, tag_proposals, tagging, tags
from app.domain.homepage.catalogue import add_tags, lines
from app.domain.platform.ai import batches, budget
from app.errors import Defer, ServiceDown
from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed
from tests.people import member
from tests.platform.ai.conftest import spent
from tests.world.claude import Claude


@dataclasses.dataclass
class Job:
    """A running job."""

    id: int
    found: dict[str, Any] = dataclasses.field(default_factory=dict)

    async def report(self, found: dict[str, Any]) -> None:
        """Take what the job says of itself."""
        self.found = found


@pytest.fixture
async def desk(asking: Services) -> Services:
    """Services with a model and the sixteen tags."""
    await add_tags(asking, lines("tags.tsv"))
    return asking


async def coaches(desk: Services, count: int) -> int:
    """So many items of one feed; return the feed."""
    courier = await feed(desk, "courier")
    for number in range(count):
        await item(desk, courier, f"The coach of team {number}")
    return courier


async def waiting(desk: Services) -> int:
    """How many items nobody has claimed."""
    sql = "SELECT count(*) FROM feed_items WHERE tagged_by <> 'ai' AND (tag_asked_until IS NULL OR tag_asked_until < now())"
    found: int = await desk.db.fetchval(sql)
    return found


async def by(desk: Services) -> set[str]:
    """Who tagged the items."""
    return {row["tagged_by"] for row in await desk.db.fetch("SELECT tagged_by FROM feed_items")}


async def test_of_all_runs_without_money_one_waits_for_it(desk: Services, claude: Claude) -> None:
    await coaches(desk, 1)
    await spent(desk, 100, 100)
    async with desk.tx() as tx:
        first, second = [Job(await tx.enqueue("tag_items")) for _ in range(2)]
    with pytest.raises(Defer) as put_off:
        await tagging.tag(dataclasses.replace(desk, job=first), 50)
    sql = "UPDATE delayed_jobs SET run_at = $2 WHERE id = $1"
    await desk.db.execute(sql, first.id, put_off.value.until)
    await tagging.tag(dataclasses.replace(desk, job=second), 50)
    assert (second.found["tagged"], "budget" in second.found["why"]) == (0, True)


async def test_what_a_refused_run_had_claimed_is_anybodys_again(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, 3)
    await desk.db.execute("UPDATE feed_items SET tag_attempts = 1")
    claude.order(["500"])
    with pytest.raises(ServiceDown):
        await tagging.tag(desk, 50)
    assert await waiting(desk) == 3


async def test_a_call_that_is_not_taken_holds_nobody_up(desk: Services, claude: Claude) -> None:
    await coaches(desk, 3)
    claude.order(["400", "400", "honest", "honest"])
    await tagging.tag(desk, 50)
    rows = await desk.db.fetch("SELECT tagged_by, tag_attempts FROM feed_items ORDER BY tagged_by")
    assert [tuple(row) for row in rows] == [("ai", 1), ("ai", 1), ("none", 2)]
    assert (len(claude.ledger), await waiting(desk)) == (2, 0)
    # The clock of a transaction stands still at its beginning.
    await desk.db.execute("UPDATE feed_items SET tag_asked_until = now() - interval '1 second'")
    claude.order(["honest"])
    await tagging.tag(desk, 50)
    assert await by(desk) == {"ai"}


async def test_a_backlog_that_was_not_sent_waits_no_day(desk: Services) -> None:
    await coaches(desk, batches.FROM_ITEMS + 1)
    unpriced = dataclasses.replace(desk.settings, ai_prices="what the developer mistyped")
    with pytest.raises(Misconfigured):
        await tag_backfills.send(dataclasses.replace(desk, settings=unpriced))
    longest = "SELECT max(tag_asked_until) - now() FROM feed_items"
    assert await desk.db.fetchval(longest) <= tagging.CLAIMED_FOR


async def test_a_backlog_is_looked_through_once_and_costs_once(
    desk: Services, claude: Claude
) -> None:
    courier = await coaches(desk, batches.FROM_ITEMS + 3)
    await tagging.tag(desk, 2)
    version = await desk.db.fetchval("SELECT version FROM feeds WHERE id = $1", courier)
    await desk.db.execute("UPDATE feed_items SET url_key = sha256('one')")
    assert await tag_backfills.send(desk) == 0
    assert await by(desk) == {"ai"}
    assert await desk.db.fetchval("SELECT version FROM feeds WHERE id = $1", courier) == version + 1
    assert len(claude.ledger) == 1


async def test_answers_at_hand_are_not_bought_again_by_a_batch(
    desk: Services, claude: Claude
) -> None:
    await coaches(desk, batches.FROM_ITEMS + 3)
    await tagging.tag(desk, 40)
    await desk.db.execute("UPDATE feed_items SET tagged_by = 'none', tag_asked_until = NULL")
    assert await tag_backfills.send(desk) == batches.FROM_ITEMS + 3 - 40


async def test_words_that_only_the_database_calls_equal_are_one(desk: Services) -> None:
    await tag_proposals.note(desk, [("İstanbul", "a"), ("istanbul", "b"), ("ISTANBUL", "c")])
    names = await desk.db.fetch("SELECT lower(name::text) AS name FROM tag_proposals")
    assert len({row["name"] for row in names}) == len(names)


async def test_what_only_members_read_shows_on_no_desk(desk: Services, claude: Claude) -> None:
    secret = await feed(desk, "secret", visibility="member", default_on=False)
    for number in range(2):
        await subscribed(desk, await member(desk, f"m{number}@example.org"), secret)
    await item(desk, secret, "Secret headline")
    claude.order(["made_up"])
    await tagging.tag(desk, 50)
    assert await desk.db.fetchval("SELECT count(*) FROM item_tags") > 0
    assert await desk.db.fetchval("SELECT count(*) FROM tag_proposals") == 0
    assert {tag.items for tag in (await tags.every(desk)).items} == {0}
    [slug] = [row["slug"] for row in await desk.db.fetch(
        "SELECT DISTINCT t.slug FROM item_tags it JOIN tags t ON t.id = it.tag_id")]  # fmt: skip
    other = next(tag.slug for tag in (await tags.every(desk)).items if tag.slug != slug)
    root = await member(desk, "root@example.org", role="super_admin")
    tried = await tag_merges.merge(desk, root, slug, tag_merges.MergeWish(other, dry_run=True))
    assert tried.items == 0


async def test_an_empty_answer_is_copied_to_nobody(desk: Services, claude: Claude) -> None:
    first = await item(desk, await feed(desk, "courier"), "The coach and the league")
    await desk.db.execute("UPDATE feed_items SET tagged_by = 'ai', url_key = sha256('one')")
    await item(desk, await feed(desk, "other"), "The coach of a team")
    await desk.db.execute("UPDATE feed_items SET url_key = sha256('one')")
    await tagging.tag(desk, 50)
    assert len(claude.ledger) == 1
    sql = "SELECT count(*) FROM item_tags WHERE item_id <> $1"
    assert await desk.db.fetchval(sql, first) == 1


async def test_a_claim_takes_no_more_than_it_was_asked_for_however_it_is_planned(
    desk: Services,
) -> None:
    courier = await coaches(desk, 1)
    # A table that was small when it was last looked at is read row by row, and what is beside it once for each.
    await desk.db.execute("ANALYZE feed_items")
    for number in range(11):
        await item(desk, courier, f"The league of team {number}")
    rows = await tagging.claimed(desk, await budget.stand(desk), 2)
    assert (len(rows), await waiting(desk)) == (2, 10)
