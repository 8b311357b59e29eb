"""Order `top` page by page, while news comes, goes, is told once more and is read: each story comes once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies

from app.domain.homepage import news_top
from app.domain.homepage.news_top import WINDOW
from app.errors import Invalid
from app.services import Services
from tests.homepage.newsroom import NOW, feed, item, subscribed
from tests.people import Browser, member

LATER = "UPDATE feed_items SET fetched_at = now() + interval '1 hour' WHERE id = $1"
TOGETHER = (
    "UPDATE feed_items SET story_id = (SELECT story_id FROM feed_items WHERE id = $2) WHERE id = $1"
)
NEWEST = "SELECT id FROM feed_items WHERE published_at >= $1 ORDER BY published_at"


async def papers(services: Services, browser: Browser, count: int) -> list[int]:
    """Feeds with so many stories between them, a minute apart, and a member who reads them."""
    feeds = [await feed(services, f"paper{n}") for n in range(3)]
    who = await member(services)
    for feed_id in feeds:
        await subscribed(services, who, feed_id)
    for number in range(count):
        await item(services, feeds[number % 3], f"Story {number}", minutes=number)
    await browser.sign_in(who)
    return feeds


async def walked(
    browser: Browser, meanwhile: Callable[[list[dict[str, Any]]], Awaitable[None]], query: str = ""
) -> list[str]:
    """The titles of all pages; between two of them something happens."""
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await browser.json("GET", f"/api/news?order=top&limit=20{query}{cursor}")).json()
        seen += [story["title"] for story in page["items"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None
        assert len(page["items"]) == 20 or cursor is None
        await meanwhile(page["items"])
    return seen


async def arrived(services: Services, feed_id: int, title: str, minutes: int) -> int:
    """An item that was found after the first page was made."""
    item_id = await item(services, feed_id, title, minutes=minutes)
    await services.db.execute(LATER, item_id)
    return item_id


async def test_what_comes_between_two_pages_takes_nothing_away_and_repeats_nothing(
    browser: Browser, services: Services
) -> None:
    feeds = await papers(services, browser, 150)
    pages = iter(range(100))

    async def meanwhile(_: list[dict[str, Any]]) -> None:
        number = next(pages)
        await arrived(services, feeds[0], f"New {number}", -number)
        # Long published, and found only now: in the midst of the window.
        await arrived(services, feeds[1], f"Late {number}", 30 + number)
        # In time by its clock, and written after the page was made.
        await item(services, feeds[2], f"Slow {number}", minutes=10 + number)

    seen = await walked(browser, meanwhile)
    told = [title for title in seen if title.startswith("Story")]
    assert sorted(told) == sorted({f"Story {n}" for n in range(150)})
    assert len(seen) == len(set(seen))
    assert not [title for title in seen if title.startswith(("New", "Late"))]


async def test_a_story_that_is_told_once_more_meanwhile_comes_once(
    browser: Browser, services: Services
) -> None:
    feeds = await papers(services, browser, 150)
    rows = await services.db.fetch("SELECT id, title FROM feed_items ORDER BY published_at")
    numbers = iter(rows)

    async def meanwhile(items: list[dict[str, Any]]) -> None:
        # Those that were shown, and some that are still to come, each by one more feed.
        for known in (items[0]["item_id"] if items else rows[0]["id"], next(numbers)["id"]):
            other = await feed(services, f"other{known}-{len(asked)}", default_on=False)
            asked.append(await arrived(services, other, f"Told again {known}", 0))
            await services.db.execute(TOGETHER, asked[-1], known)

    asked: list[int] = []
    seen = await walked(browser, meanwhile)
    assert sorted(seen) == sorted({f"Story {n}" for n in range(150)})
    assert feeds


async def test_reading_and_hiding_on_the_way_loses_nothing(
    browser: Browser, services: Services
) -> None:
    await papers(services, browser, 150)

    async def meanwhile(items: list[dict[str, Any]]) -> None:
        for story in items[:3]:
            await browser.json("PUT", f"/api/news/stories/{story['id']}/read")
        for story in items[3:6]:
            await browser.json("PUT", f"/api/news/items/{story['item_id']}/hidden")

    seen = await walked(browser, meanwhile, "&unread=true")
    assert sorted(seen) == sorted({f"Story {n}" for n in range(150)})


@given(
    strategies.sets(strategies.integers(1, 2**62), max_size=2 * WINDOW),
    strategies.integers(0, 10**6),
)
def test_a_cursor_says_what_was_shown(shown: set[int], minutes: int) -> None:
    at = NOW - timedelta(minutes=minutes)
    cursor = news_top.cursor_of(NOW, (at, 7), shown)
    assert news_top.place_of(cursor) == (NOW, (at, 7), shown)
    assert news_top.place_of(news_top.cursor_of(NOW, (None, 0), shown))[1] == (None, 0)


@given(strategies.binary(max_size=90))
def test_a_cursor_that_is_not_ours_is_refused_or_harmless(raw: bytes) -> None:
    text = news_top.base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    try:
        _, _, shown = news_top.place_of(text)
    except Invalid:
        return
    assert len(shown) <= 90


async def test_a_full_cursor_fits_and_a_bad_one_is_said_kindly(browser: Browser) -> None:
    full = news_top.cursor_of(NOW, (NOW, 1), range(1, 2**21 * 240, 2**21))
    assert (await browser.json("GET", f"/api/news?order=top&cursor={full}")).status_code == 200
    for bad in ("AAAA", full[:-1], "%00", "x" * 1_401):
        assert (await browser.json("GET", f"/api/news?order=top&cursor={bad}")).status_code == 422
    with pytest.raises(Invalid):
        news_top.place_of("__________________________________________8")
