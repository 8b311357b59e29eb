"""The news list: whose feeds, in which order, without what was put aside, and always full."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.homepage import news
from app.domain.homepage.news_rows import NewsQuery
from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed, tagged
from tests.people import Browser, member


async def titles(browser: Browser, query: str = "") -> list[str]:
    """The titles of the list, as the twin has them."""
    answer = await browser.json("GET", f"/api/news{query}")
    return [story["title"] for story in answer.json()["items"]]


async def test_a_visitor_reads_the_default_feeds_newest_first(
    browser: Browser, services: Services
) -> None:
    courier, quiet = (
        await feed(services, "courier"),
        await feed(services, "quiet", default_on=False),
    )
    await item(services, courier, "Older", minutes=9)
    await item(services, courier, "Newer", minutes=1)
    await item(services, quiet, "Not a default")
    assert await titles(browser) == ["Newer", "Older"]
    assert "Newer" in (await browser.get("/news")).text
    assert "Not a default" not in (await browser.fragment("/news")).text


async def test_a_member_reads_their_own_feeds_and_nobody_elses(
    browser: Browser, services: Services
) -> None:
    mine, theirs = (
        await feed(services, "mine", default_on=False),
        await feed(services, "theirs", visibility="member"),
    )
    who = await member(services)
    await subscribed(services, who, mine)
    await item(services, mine, "For me")
    await item(services, theirs, "For somebody else")
    await browser.sign_in(who)
    assert await titles(browser) == ["For me"]


@pytest.mark.parametrize("feeds", [3, 45])
async def test_walking_the_cursors_yields_each_story_once_and_every_page_is_full(
    browser: Browser, services: Services, feeds: int
) -> None:
    who = await member(services)
    for number in range(feeds):
        feed_id = await feed(services, f"paper{number}", default_on=False)
        await subscribed(services, who, feed_id)
        for minute in (1, 1, 5):
            await item(
                services,
                feed_id,
                f"Story {number} {minute} {await count(services)}",
                minutes=minute,
            )
    await browser.sign_in(who)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await browser.json("GET", f"/api/news?limit=4{cursor}")).json()
        seen += [story["title"] for story in page["items"]]
        assert len(page["items"]) == 4 or page["next"] is None
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert len(seen) == len(set(seen)) == feeds * 3


async def count(services: Services) -> Any:
    return await services.db.fetchval("SELECT count(*) FROM feed_items")


async def test_only_the_latest_n_of_a_source(browser: Browser, services: Services) -> None:
    loud, who = await feed(services, "loud", default_on=False), await member(services)
    await subscribed(services, who, loud, latest_n=2)
    for minute in range(5):
        await item(services, loud, f"Number {minute}", minutes=minute)
    await browser.sign_in(who)
    assert await titles(browser) == ["Number 0", "Number 1"]


async def test_a_source_is_quiet_until_its_date(browser: Browser, services: Services) -> None:
    loud, who = await feed(services, "loud", default_on=False), await member(services)
    await item(services, loud, "Noise")
    await browser.sign_in(who)
    now = datetime.now(UTC)
    await subscribed(services, who, loud, muted_until=now + timedelta(days=2))
    assert await titles(browser) == []
    await subscribed(services, who, loud, muted_until=now - timedelta(hours=1))
    assert await titles(browser) == ["Noise"]


async def test_the_list_can_be_narrowed_by_tag_feed_folder_and_words(
    browser: Browser, services: Services
) -> None:
    one, two = (
        await feed(services, "one", default_on=False),
        await feed(services, "two", default_on=False),
    )
    who = await member(services)
    await subscribed(services, who, one, folder="Morning")
    await subscribed(services, who, two)
    await tagged(services, await item(services, one, "Harbour opens"), "travel")
    await item(services, two, "Goats on the roof", text="A farmer fetched them down.")
    await browser.sign_in(who)
    assert await titles(browser, "?tag=travel") == ["Harbour opens"]
    assert await titles(browser, f"?feed={two}") == ["Goats on the roof"]
    assert await titles(browser, "?folder=Morning") == ["Harbour opens"]
    assert await titles(browser, "?q=farmer") == ["Goats on the roof"]


async def test_a_cursor_or_number_that_is_not_ours_is_said_kindly(browser: Browser) -> None:
    for query in (
        "?cursor=xx",
        "?cursor=AAAA",
        "?limit=0",
        "?limit=101",
        "?order=best",
        "?cursor=%00",
    ):
        answer = await browser.json("GET", f"/api/news{query}")
        assert answer.status_code == 422, query


async def test_a_cursor_keeps_the_microsecond() -> None:
    at = datetime(2026, 11, 24, 9, 42, 0, 123457, tzinfo=UTC)
    assert news.cursor(news.cursor_of((at, 7))) == (at, 7)


async def test_the_list_takes_two_or_three_queries(services: Services) -> None:
    who, asked = await member(services), []
    services.db.connection.add_query_logger(lambda record: asked.append(record.query))
    await news.latest(services, who, NewsQuery())
    # A fresh connection looks up types once; that is not ours.
    assert len([query for query in asked if "typeinfo_tree" not in query]) <= 3
