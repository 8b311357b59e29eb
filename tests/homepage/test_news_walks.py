"""Walks through the news: the same items as a plain look at everything would find, without looking at everything."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.homepage import (
    news,
    news_filters,
    news_rows,
    news_streams,
    news_walks,
    subscriptions,
)
from app.domain.homepage.news_filters import NewFilter
from app.domain.homepage.news_rows import NewsQuery
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage.newsroom import NOW, feed, item, subscribed, tagged
from tests.homepage.plans import looked_at
from tests.people import member

MANY = """
INSERT INTO feed_items (feed_id, guid_hash, title, published_at, fetched_at, content_hash, words)
SELECT $1, sha256(n::text::bytea), 'Item ' || n, now() - n * interval '1 minute', now() - n * interval '1 minute', '', 'item ' || n
FROM generate_series(1, $2::int) AS n
"""
# What a list has to show, found the slow way.
PLAIN = """
SELECT i.id FROM feed_items i
JOIN feed_subscriptions s ON s.feed_id = i.feed_id AND s.user_id = $1 AND s.unsubscribed_at IS NULL
LEFT JOIN item_states st ON st.item_id = i.id AND st.user_id = $1
WHERE st.hidden_at IS NULL AND (s.muted_until IS NULL OR s.muted_until < now())
  AND (s.latest_n IS NULL OR s.latest_n > (SELECT count(*) FROM feed_items o WHERE o.feed_id = i.feed_id
                                           AND (o.published_at, o.id) > (i.published_at, i.id)))
  AND (NOT $2 OR (st.read_at IS NULL AND (st.unread_at IS NOT NULL OR NOT EXISTS (
      SELECT FROM news_watermarks w WHERE w.user_id = $1 AND w.feed_id IN (0, i.feed_id) AND w.read_before >= i.fetched_at))))
  AND ($3::bigint IS NULL OR i.feed_id = $3) AND ($4::text IS NULL OR s.folder = $4)
ORDER BY i.published_at DESC, i.id DESC
"""
WATERMARK = "INSERT INTO news_watermarks (user_id, feed_id, read_before) VALUES ($1, $2, $3)"
STATE = "INSERT INTO item_states (user_id, item_id, read_at, unread_at, hidden_at) VALUES ($1, $2, $3, $4, $5)"


async def muddle(services: Services, who: Reader, dice: random.Random) -> None:
    """Feeds, items, watermarks and marks as chance has them: late and early items, lifted, hidden and read ones."""
    for number in range(dice.choice([2, 9, 30])):
        feed_id = await feed(services, f"paper{number}", default_on=False)
        latest_n = dice.choice([None, None, 3])
        await subscribed(services, who, feed_id, latest_n=latest_n, folder=f"{number % 3}")
        if dice.random() < 0.3:
            await services.db.execute(
                WATERMARK, who.id, feed_id, NOW - timedelta(minutes=dice.randint(0, 900))
            )
        for place in range(dice.randint(0, 12)):
            minutes = dice.choice([place, place * 7, dice.randint(0, 3000)])
            item_id = await item(services, feed_id, f"Item {number} {place}", minutes=minutes)
            late = timedelta(minutes=dice.choice([-5, 0, 20, 20, 400]))
            await services.db.execute(
                "UPDATE feed_items SET fetched_at = published_at + $2::interval WHERE id = $1",
                item_id,
                late,
            )
            mark = dice.choice(
                [None, None, None, (NOW, None, None), (None, NOW, None), (None, None, NOW)]
            )
            if mark is not None:
                await services.db.execute(STATE, who.id, item_id, *mark)
    if dice.random() < 0.7:
        await services.db.execute(
            WATERMARK, who.id, 0, NOW - timedelta(minutes=dice.randint(0, 600))
        )


async def walked(services: Services, who: Reader, asked: dict[str, Any]) -> list[int]:
    """The items of all pages; each page but the last is full."""
    seen: list[int] = []
    cursor = None
    while True:
        page = await news.latest(services, who, NewsQuery(**asked, cursor=cursor))
        # Said here, or a cursor that leads round would never end.
        assert not {story.item_id for story in page.items} & set(seen)
        seen += [story.item_id for story in page.items]
        cursor = page.next
        assert cursor is None or len(page.items) == asked["limit"]
        if cursor is None:
            return seen


# Streams that look at few items end early, and walks go on where they ended.
@pytest.fixture(params=[2, 7, news_streams.FEW])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(news_streams, "FEW", request.param)
    news_streams.statement.cache_clear()
    yield request.param
    news_streams.statement.cache_clear()


@pytest.mark.parametrize("seed", range(6))
async def test_a_list_shows_what_a_look_at_everything_finds(
    services: Services, seed: int, few: int
) -> None:
    dice, who = random.Random(100 * few + seed), await member(services)
    await muddle(services, who, dice)
    one = await services.db.fetchval("SELECT max(feed_id) FROM feed_items")
    for asked in ({}, {"folder": "1"}, {"feed": one}):
        for unread in (False, True):
            values = (who.id, unread, asked.get("feed"), asked.get("folder"))
            expected = [row["id"] for row in await services.db.fetch(PLAIN, *values)]
            limit = dice.choice([4, 20]) if len(expected) > 40 else dice.choice([1, 4, 20])
            assert (
                await walked(services, who, {**asked, "unread": unread, "limit": limit}) == expected
            )


async def test_all_streams_prepare(services: Services) -> None:
    for source in ("all", "folder", "feed", "late"):
        for unread, is_narrow in itertools.product((False, True), repeat=2):
            text = news_streams.statement(source, unread=unread, is_narrow=is_narrow)
            await services.db.connection.prepare(text)


@pytest.mark.parametrize("asked", [{}, {"folder": "A"}, {"feed": 1}, {"tag": "travel"}])
async def test_a_page_that_is_full_takes_one_statement(
    services: Services, asked: dict[str, Any]
) -> None:
    who, feed_id = await member(services), await feed(services, "courier")
    await subscribed(services, who, feed_id, folder="A")
    await services.db.execute(MANY, feed_id, 60)
    for row in await services.db.fetch("SELECT id FROM feed_items WHERE feed_id = $1", feed_id):
        await tagged(services, row["id"], "travel")
    made: list[str] = []
    services.db.connection.add_query_logger(lambda record: made.append(record.query))
    query = NewsQuery(**asked | ({"feed": feed_id} if "feed" in asked else {}), unread=True)
    page = await news.latest(services, who, query)
    assert len(page.items) == 20
    assert page.items[0].tags == [news.Tag("travel", "Travel")]
    assert len([text for text in made if "typeinfo_tree" not in text]) == 1


async def test_what_is_read_up_to_a_mark_is_not_walked_again(services: Services) -> None:
    who = await member(services)
    for name in ("one", "two"):
        feed_id = await feed(services, name)
        await subscribed(services, who, feed_id)
        await services.db.execute(MANY, feed_id, 1500)
    await services.db.execute(WATERMARK, who.id, 0, datetime.now(UTC) + timedelta(minutes=1))
    step = news_walks.Step(None, None, None, None, True, 32, None, 0)
    values = (who.id, False, *[[value] for value in step])
    assert await services.db.fetch(news_walks.UNREAD, *values) == []
    await services.db.execute("ANALYZE feed_items")
    # The hour before the mark is looked through for what was published early; the 48 hours before that are not.
    assert await looked_at(services, "feed_items", news_walks.UNREAD, *values) < 300


@pytest.mark.parametrize("late", [30, 600])
async def test_what_came_after_the_mark_is_unread_though_it_is_older(
    services: Services, late: int
) -> None:
    who, feed_id = await member(services), await feed(services, "courier")
    await subscribed(services, who, feed_id)
    found = await item(services, feed_id, "Late news", minutes=late)
    await item(services, feed_id, "Known news", minutes=late)
    fetched = "UPDATE feed_items SET fetched_at = published_at + $2::interval WHERE id = $1"
    await services.db.execute(fetched, found, timedelta(minutes=late - 1))
    await services.db.execute(fetched, found + 1, timedelta(minutes=1))
    await services.db.execute(WATERMARK, who.id, 0, NOW - timedelta(minutes=10))
    assert await walked(services, who, {"unread": True, "limit": 5}) == [found]


async def test_whose_feeds_is_told_without_a_look_at_all_feeds(services: Services) -> None:
    who = await member(services)
    await subscribed(services, who, await feed(services, "mine", default_on=False))
    await services.db.execute(
        "INSERT INTO feeds (url, url_key, visibility) SELECT n::text, sha256(n::text::bytea), 'member' FROM generate_series(1, 500) AS n"
    )
    for reader, defaults in ((who.id, False), (0, True)):
        assert await looked_at(services, "feeds", subscriptions.READING, reader, defaults) < 100


async def test_a_page_is_full_though_much_before_it_is_muted(services: Services) -> None:
    who, feed_id = await member(services), await feed(services, "courier")
    await subscribed(services, who, feed_id)
    await services.db.execute(MANY, feed_id, 400)
    await news_filters.add(services, who, NewFilter("1*"))
    await news_filters.add(services, who, NewFilter("2*"))
    await news_filters.add(services, who, NewFilter("3", "only_word"))
    page = await news.latest(services, who, NewsQuery(limit=5))
    assert [story.title for story in page.items] == ["Item 3"]
    assert page.next is None


@pytest.mark.parametrize("asked", [{"tag": "travel"}, {"q": "lighthouse"}])
async def test_what_is_rare_is_found_far_back(services: Services, asked: dict[str, str]) -> None:
    who, feed_id = await member(services), await feed(services, "courier")
    await subscribed(services, who, feed_id)
    await services.db.execute(MANY, feed_id, 900)
    for minutes in (3, 1000, 1001):
        found = await item(services, feed_id, f"A lighthouse {minutes}", minutes=minutes)
        await tagged(services, found, "travel")
    foreign = await item(
        services, await feed(services, "other"), "A lighthouse elsewhere", minutes=1000
    )
    await tagged(services, foreign, "travel")
    page = await news.latest(services, who, NewsQuery(limit=2, **asked))
    assert [story.title for story in page.items] == ["A lighthouse 3", "A lighthouse 1000"]
    rest = await news.latest(services, who, NewsQuery(limit=2, cursor=page.next, **asked))
    assert [story.title for story in rest.items] == ["A lighthouse 1001"]


async def test_a_list_that_takes_too_long_ends_early_and_leads_on(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news_rows, "PATIENCE", 50)
    who, feed_id = await member(services), await feed(services, "courier")
    await subscribed(services, who, feed_id)
    await services.db.execute(MANY, feed_id, 900)
    await news_filters.add(services, who, NewFilter("899", "only_word"))
    pages, cursor = 0, None
    while not (page := await news.latest(services, who, NewsQuery(limit=2, cursor=cursor))).items:
        assert page.next
        assert page.next != cursor
        pages, cursor = pages + 1, page.next
    assert [story.title for story in page.items] == ["Item 899"]
    assert pages > 1
