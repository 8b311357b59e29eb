"""Two at once with stories, items and feeds: nobody waits for who waits for them, and what came meanwhile counts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from app.config import Settings
from app.domain.homepage import (
    feed_fetching,
    story_assignment,
    story_splits,
    story_unions,
    tag_verdicts,
    tagging,
)
from app.domain.homepage.feed_attempts import Attempt
from app.domain.homepage.feed_documents import FeedDocument, url_key
from app.domain.homepage.story_desks import Source
from app.domain.homepage.tag_answers import Chosen
from app.errors import Contended
from app.services import Services
from tests.homepage.newsroom import feed, item, tagged
from tests.homepage.telling_papers import QUAKE, bring, entry, figures, quake, stories_of
from tests.homepage.test_stories_assignment import committed
from tests.people import member

BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock'
"""
HOLD_FEED = "SELECT id FROM feeds WHERE id = $1 FOR UPDATE"
ITEM_NOW = "SELECT id FROM feed_items WHERE id = $1 FOR NO KEY UPDATE NOWAIT"


@pytest.fixture
async def shared(settings: Settings, services: Services) -> AsyncIterator[Services]:
    """Services whose transactions are real and see one another."""
    async with committed(settings, services) as found:
        # What is of the seed goes with the people; a tag of this test's own is cleared away by it.
        yield found
        await found.db.execute("DELETE FROM tags WHERE slug = 'racing'")


async def waiting(services: Services, wish: Awaitable[Any]) -> "asyncio.Task[Any]":
    """Begin something that has to wait for a lock; answer once it does."""
    task = asyncio.ensure_future(wish)
    for _ in range(400):
        if task.done() or await services.db.fetchval(BLOCKED):
            break
        await asyncio.sleep(0.01)
    assert not task.done(), task.exception()
    return task  # type: ignore[return-value]


async def judged(services: Services) -> tuple[int, int]:
    """A feed and an item of it that two members said has the wrong tag."""
    feed_id = await feed(services, "courier")
    item_id = await item(services, feed_id, "Bread prices rise")
    await tagged(services, item_id, "racing")
    for number in range(2):
        who = await member(services, f"m{number}@example.org")
        await tag_verdicts.put(services, who, item_id, "racing", "wrong")
    return feed_id, item_id


async def test_a_verdict_waits_for_the_feed_and_holds_no_item_meanwhile(shared: Services) -> None:
    feed_id, item_id = await judged(shared)
    who = await member(shared)
    async with shared.tx() as tx:
        await tx.db.execute(HOLD_FEED, feed_id)
        third = await waiting(shared, tag_verdicts.put(shared, who, item_id, "racing", "wrong"))
        assert await tx.db.fetchval(ITEM_NOW, item_id) == item_id
    await third
    assert await shared.db.fetchval("SELECT count(*) FROM item_tags") == 0


@pytest.mark.parametrize("way", ["copy", "store"])
async def test_tagging_waits_for_the_feed_and_holds_no_item_meanwhile(
    shared: Services, way: str
) -> None:
    courier, gazette = await feed(shared, "courier"), await feed(shared, "gazette")
    known = await item(shared, courier, "Bread prices rise", url=None)
    wished = await item(shared, gazette, "Prices of bread", url=None)
    await tagged(shared, known, "racing")
    await shared.db.execute("UPDATE feed_items SET content_hash = 'same', tagged_by = CASE WHEN id = $1 THEN 'ai' ELSE 'none' END", known)  # fmt: skip
    rows = await shared.db.fetch("SELECT * FROM feed_items WHERE id = $1", wished)
    chosen = {wished: Chosen((("racing", 0.9),))}
    async with shared.tx() as tx:
        await tx.db.execute(HOLD_FEED, gazette)
        wish = tagging.copy(shared, rows) if way == "copy" else tagging.store(shared, chosen, rows, [], "success")  # fmt: skip
        task = await waiting(shared, wish)
        assert await tx.db.fetchval(ITEM_NOW, wished) == wished
    await task
    assert await shared.db.fetchval("SELECT origin FROM item_tags WHERE item_id = $1", wished) == "ai"  # fmt: skip


TITLE = "UPDATE feeds SET title = title || $2 WHERE id = $1"


async def test_two_that_wait_for_each_other_are_begun_again_and_both_end(shared: Services) -> None:
    feeds, both, tries = [await feed(shared, n) for n in ("one", "two")], asyncio.Barrier(2), []

    async def titled(mine: str, order: list[int]) -> None:
        async def work(tx: Services) -> None:
            tries.append(mine)
            await tx.db.execute(TITLE, order[0], mine)
            if tries.count(mine) == 1:
                await both.wait()
            await tx.db.execute(TITLE, order[1], mine)

        await shared.again(work)

    await asyncio.gather(titled("+", feeds), titled("-", feeds[::-1]))
    found = await shared.db.fetch("SELECT title FROM feeds ORDER BY id")
    assert [sorted(row["title"][3:]) for row in found] == [["+", "-"], ["+", "-"]]
    assert len(tries) == 3


async def test_where_it_cannot_be_begun_again_it_is_said_that_nothing_was_done(
    shared: Services,
) -> None:
    feeds, both = [await feed(shared, n) for n in ("one", "two")], asyncio.Barrier(2)

    async def titled(mine: str, order: list[int]) -> None:
        async with shared.tx() as tx:
            await tx.db.execute(TITLE, order[0], mine)
            await both.wait()
            await tx.db.execute(TITLE, order[1], mine)

    ends = await asyncio.gather(
        titled("+", feeds), titled("-", feeds[::-1]), return_exceptions=True
    )
    [lost] = [end for end in ends if end is not None]
    assert isinstance(lost, Contended) and (lost.status, lost.retry_after) == (503, 1)
    found = await shared.db.fetch("SELECT title FROM feeds ORDER BY id")
    assert {row["title"][3:] for row in found} in ({"+"}, {"-"})


CROSSING = """
DO $$ BEGIN
    UPDATE feeds SET version = version + 1 WHERE id = {0}; PERFORM pg_sleep(0.3);
    UPDATE feeds SET version = version + 1 WHERE id = {1};
END $$
"""


async def test_a_statement_by_itself_is_said_again(shared: Services) -> None:
    one, two = [await feed(shared, name) for name in ("one", "two")]
    await asyncio.gather(
        shared.db.execute(CROSSING.format(one, two)), shared.db.execute(CROSSING.format(two, one))
    )
    assert await shared.db.fetchval("SELECT array_agg(version) FROM feeds") == [2, 2]


JOIN = "UPDATE feed_items SET story_id = $1 WHERE id = $2"


async def test_who_counts_counts_what_came_while_they_waited(shared: Services) -> None:
    courier, gazette = await feed(shared, "courier"), await feed(shared, "gazette")
    [story] = await stories_of(shared, await bring(shared, courier, entry(*QUAKE[0])))
    late = await item(shared, gazette, "Gazette on the quake")
    async with shared.tx() as tx:
        await tx.db.execute("SELECT id FROM stories WHERE id = $1 FOR UPDATE", story)
        count = await waiting(shared, story_unions.recount(shared, [story]))
        await tx.db.execute(JOIN, story, late)
    await count
    assert (await figures(shared, story))["items"] == 2


async def test_two_who_split_at_once_make_a_rule(shared: Services) -> None:
    story, items = await quake(shared)
    ada, ben = await member(shared), await member(shared, "ben@example.org")
    async with shared.tx() as tx:
        assert not (await story_splits.add(tx, ada, story, items[1])).for_all
        second = await waiting(shared, story_splits.add(shared, ben, story, items[1]))
    assert (await second).for_all
    assert len(set(await stories_of(shared, items))) == 2


async def test_a_rule_waits_for_a_worker_who_looks_at_the_story(shared: Services) -> None:
    story, items = await quake(shared)
    root = await member(shared, "root@example.org", "super_admin")
    looking = story_assignment.member_of(Source(1, "listed"), entry(*QUAKE[0]))
    async with shared.tx() as tx:
        await story_assignment.locked(tx, [looking])
        rule = await waiting(shared, story_splits.add(shared, root, story, items[1]))
    assert (await rule).for_all


async def test_what_a_rule_took_elsewhere_is_not_put_back_by_its_number(shared: Services) -> None:
    story, items = await quake(shared)
    root = await member(shared, "root@example.org", "super_admin")
    async with shared.tx() as tx:
        alone = await story_unions.begin(tx, "en")
        # The worker looked before the rule was there, and writes after it.
        await story_splits.add(shared, root, story, items[1])
        await story_unions.put(tx, alone, dict.fromkeys(items[:2], story))
        await story_unions.recount(tx, [story, alone])
    first, ruled, third = await stories_of(shared, items)
    assert (first, third) == (alone, story) and ruled not in (alone, story)
    rows = await shared.db.fetch("SELECT items FROM stories")
    assert [row["items"] for row in rows] == [1, 1, 1]


async def test_one_page_in_two_languages_at_once_is_one_story(shared: Services) -> None:
    courier, kurier = await feed(shared, "courier"), await feed(shared, "kurier")
    page = "https://wire.example/quake"
    english = entry(*QUAKE[0], url=page)
    german = entry("Beben in Davao und auf Mindanao", "Ein Erdbeben hat die Stadt und die Insel erschüttert.", language="de", url=page)  # fmt: skip
    async with shared.tx() as tx:
        first = await bring(tx, courier, english)
        other = await waiting(shared, bring(shared, kurier, german))
    items = first + await other
    assert len(set(await stories_of(shared, items))) == 1


MOVED = "UPDATE feeds SET moved_to = $2, moved_times = 2, next_fetch_at = now() WHERE id = $1 RETURNING next_fetch_at"
NEW = "https://elsewhere.example/feed"


async def test_who_follows_a_redirect_holds_no_language_and_has_stored_its_items(
    shared: Services,
) -> None:
    old, kept = await feed(shared, "courier"), await feed(shared, "gazette")
    await shared.db.execute("UPDATE feeds SET url = $2, url_key = $3 WHERE id = $1", kept, NEW, url_key(NEW))  # fmt: skip
    due = await shared.db.fetchval(MOVED, old, url_key(NEW).hex())
    document = FeedDocument(
        format="rss", encoding="utf-8", title="", site_url=None, description="", language="en",
        ttl_minutes=None, items=[entry(*QUAKE[0])], repairs=[],
    )  # fmt: skip
    made = Attempt(status=200, document=document, permanent_url=NEW)
    async with shared.tx() as tx:
        await tx.db.execute(HOLD_FEED, kept)
        task = await waiting(shared, feed_fetching.note_if_due(shared, old, due, made))
        # Another paper tells of it meanwhile; it waits for nobody.
        other = await feed(shared, "herald")
        [told] = await asyncio.wait_for(bring(shared, other, entry(*QUAKE[1])), 5)
        assert await shared.db.fetchval("SELECT count(*) FROM feed_items") == 2
    await task
    assert await shared.db.fetchval("SELECT count(*) FROM feeds WHERE id = $1", old) == 0 and told
