"""One story, one row: its lead, its sources, its order, and pages that are full and yield each story once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies

from app.domain.homepage import news_top
from app.domain.platform import readers
from app.services import Services
from tests.homepage.newsroom import NOW, feed, subscribed, tagged
from tests.homepage.telling_papers import MERGER, QUAKE, bring, entry, stories_of
from tests.people import Browser, member


async def listed(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    """The stories of the list."""
    found: list[dict[str, Any]] = (await browser.json("GET", f"/api/news{query}")).json()["items"]
    return found


async def newsroom(services: Services, names: str = "courier gazette herald") -> list[int]:
    """Feeds that told of one quake, the last of them first."""
    feeds = [await feed(services, name) for name in names.split()]
    for hours, (feed_id, told) in enumerate(zip(feeds, QUAKE, strict=False), 1):
        await bring(services, feed_id, entry(*told, hours=hours))
    return feeds


async def reader_of(
    services: Services, browser: Browser, feeds: list[int], **pinned: int
) -> readers.Reader:
    """A signed-in member who reads these feeds."""
    who = await member(services)
    for feed_id in feeds:
        await subscribed(services, who, feed_id, pinned=feed_id == pinned.get("pinned"))
    await browser.sign_in(who)
    return who


async def test_one_event_is_one_row_with_its_sources_at_its_newest_time(
    browser: Browser, services: Services
) -> None:
    feeds = await newsroom(services)
    await bring(services, feeds[0], entry(*MERGER[0], hours=2.5))
    quake, merger = await listed(browser)
    assert (quake["also_in"], merger["also_in"]) == (2, 0)
    assert quake["title"] == QUAKE[2][0]
    assert quake["last_at"] == (NOW - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert "also in 2 sources" in (await browser.get("/news")).text
    assert (await browser.get("/widgets/news")).text.count("data-story") == 2


async def test_the_lead_is_of_a_pinned_source_else_the_earliest_with_a_picture(
    browser: Browser, services: Services
) -> None:
    feeds = await newsroom(services)
    await services.db.execute(
        "UPDATE feed_items SET image_key = 'x.webp' WHERE feed_id = $1", feeds[1]
    )
    [story] = await listed(browser)
    assert story["feed_id"] == feeds[1]
    await reader_of(services, browser, feeds, pinned=feeds[0])
    [story] = await listed(browser)
    assert story["feed_id"] == feeds[0]


async def test_sources_count_what_this_reader_may_see(browser: Browser, services: Services) -> None:
    courier, gazette = await newsroom(services, "courier gazette")
    club = await feed(services, "club", default_on=False, visibility="member")
    await bring(services, club, entry("Club secret: " + QUAKE[2][0], QUAKE[2][1]))
    [story] = await listed(browser)
    assert story["also_in"] == 1
    page = await browser.get(f"/news/stories/{story['id']}")
    assert "Told by 2 sources" in page.text and "Club" not in page.text
    assert "Club" not in (await browser.get(f"/api/news/stories/{story['id']}")).text
    await reader_of(services, browser, [courier, club])
    [story] = await listed(browser)
    assert story["also_in"] == 2
    view = (await browser.json("GET", f"/api/news/stories/{story['id']}")).json()
    assert {told["feed_id"] for told in view["tellings"]} == {courier, gazette, club}


async def test_a_story_is_read_hidden_and_left_out_as_a_whole(
    browser: Browser, services: Services
) -> None:
    feeds = await newsroom(services)
    await reader_of(services, browser, feeds)
    rows = await services.db.fetch("SELECT id, story_id FROM feed_items ORDER BY id")
    await browser.json("PUT", f"/api/news/stories/{rows[0]['story_id']}/read")
    assert [story["read"] for story in await listed(browser)] == [True]
    assert await listed(browser, "?unread=true") == []
    await browser.json("DELETE", f"/api/news/stories/{rows[0]['story_id']}/read")
    assert len(await listed(browser, "?unread=true")) == 1
    await browser.json("PUT", f"/api/news/items/{rows[1]['id']}/hidden")
    assert await listed(browser) == []
    await browser.json("DELETE", f"/api/news/items/{rows[1]['id']}/hidden")
    assert len(await listed(browser)) == 1


async def test_a_guest_does_not_stand_in_the_way_of_marking_a_story(
    browser: Browser, services: Services
) -> None:
    await newsroom(services, "courier")
    club = await feed(services, "club", visibility="member", default_on=False)
    await bring(services, club, entry(*QUAKE[2]))
    [story] = await listed(browser)
    answer = await browser.json("PUT", f"/api/news/stories/{story['id']}/read")
    assert answer.json()["read"]
    assert (await listed(browser))[0]["read"]


async def test_a_muted_word_mutes_the_item_that_has_it(
    browser: Browser, services: Services
) -> None:
    feeds = await newsroom(services)
    await reader_of(services, browser, feeds)
    await browser.json("POST", "/api/news/filters", {"value": "Strong quake"})
    [story] = await listed(browser)
    assert (
        story["title"] == QUAKE[2][0]
        and story["last_at"] < (NOW - timedelta(hours=1.5)).isoformat()
    )


async def test_cursors_yield_each_story_once_in_both_orders(
    browser: Browser, services: Services
) -> None:
    feeds = [await feed(services, f"paper{n}") for n in range(4)]
    for number in range(30):
        for place in range(1 + number % 3):
            words = f"Gravenburg{number} Astolfia{number} Menhir{number}"
            told = entry(
                words, f"{words} number {number}.", hours=number / 3 + place, key=str(place)
            )
            await bring(services, feeds[(number + place) % 4], told)
    for order in ("latest", "top"):
        seen, cursor = [], ""
        while cursor is not None:
            page = (await browser.json("GET", f"/api/news?order={order}&limit=4{cursor}")).json()
            seen += [story["id"] for story in page["items"]]
            cursor = f"&cursor={page['next']}" if page["next"] else None
            assert len(page["items"]) == 4 or cursor is None
        assert (len(seen), len(set(seen))) == (30, 30), order


async def test_top_goes_by_sources_pins_and_topics_and_damps_one_feed(
    browser: Browser, services: Services
) -> None:
    feeds = await newsroom(services)
    lonely, pinned = await feed(services, "lonely"), await feed(services, "pinned")
    [alone] = await bring(services, lonely, entry("Alone Gravenburg", hours=1))
    [pin] = await bring(services, pinned, entry("Pinned Astolfia", hours=1))
    [topic] = await bring(services, lonely, entry("Topic Menhir", hours=1.1))
    await tagged(services, topic, "science")
    who = await reader_of(services, browser, [*feeds, lonely, pinned], pinned=pinned)
    await browser.json(
        "PATCH", "/api/preferences", {"news": {"order": "top", "topics": ["science"]}}
    )
    titles = [story["title"] for story in await listed(browser)]
    assert titles == ["Topic Menhir", "Pinned Astolfia", QUAKE[2][0], "Alone Gravenburg"]
    latest = [story["title"] for story in await listed(browser, "?order=latest")]
    assert latest.index("Alone Gravenburg") < latest.index("Topic Menhir")
    [story] = await stories_of(services, [topic])
    why = (await browser.json("GET", f"/api/news/stories/{story}")).json()["why"]
    assert (why["topics"], why["pinned"], why["sources"]) == (0.6, 0.0, 0.0)
    assert "Why here?" in (await browser.get(f"/news/stories/{story}")).text
    assert who and alone and pin


async def test_a_story_stays_read_when_the_item_that_was_read_goes(
    browser: Browser, services: Services
) -> None:
    feeds = await newsroom(services)
    await reader_of(services, browser, feeds)
    [story] = await listed(browser)
    await browser.json("PUT", f"/api/news/stories/{story['id']}/read")
    for feed_id in feeds[:2]:
        await services.db.execute("DELETE FROM feed_items WHERE feed_id = $1", feed_id)
        assert [one["read"] for one in await listed(browser)] == [True]
    await browser.json("DELETE", f"/api/news/stories/{story['id']}/read")
    assert [one["read"] for one in await listed(browser)] == [False]


async def test_why_here_goes_by_what_gives_the_story_its_place(
    browser: Browser, services: Services
) -> None:
    own, other, quiet = await newsroom(services)
    # The others tell it later, with a tag of the reader's, and are not read, muted or quiet.
    await services.db.execute("UPDATE feed_items SET published_at = published_at - interval '20 hours' WHERE feed_id = $1", own)  # fmt: skip
    await tagged(services, await services.db.fetchval("SELECT id FROM feed_items WHERE feed_id = $1", other), "science")  # fmt: skip
    who = await reader_of(services, browser, [own, quiet])
    await subscribed(services, who, quiet, muted_until=NOW + timedelta(days=1))
    await subscribed(services, who, other, pinned=True, unsubscribed_at=NOW)
    await browser.json("PATCH", "/api/preferences", {"news": {"topics": ["science"]}})
    [story] = await listed(browser)
    why = (await browser.json("GET", f"/api/news/stories/{story['id']}")).json()["why"]
    assert (why["topics"], why["pinned"]) == (0.0, 0.0)
    assert 0.25 < why["freshness"] < 0.31
    assert why["sources"] > 0
    await browser.json("POST", "/api/news/filters", {"value": "quake"})
    assert await listed(browser) == []
    assert (await browser.get(f"/news/stories/{story['id']}")).status_code == 200


def row(number: int, feed_id: int, hours: float, also: int = 0) -> dict[str, Any]:
    """One row of a window."""
    return {"last_at": NOW - timedelta(hours=hours), "last_item": number, "feed_id": feed_id, "tags": [], "also_in": also, "pinned": False}  # fmt: skip


def test_the_figures_are_those_of_the_rule() -> None:
    why = news_top.why(
        told_at=NOW - timedelta(hours=12),
        now=NOW,
        tags=["a", "b"],
        topics=["a", "c"],
        sources=8,
        pinned=True,
    )
    assert (why.freshness, why.topics, why.sources, why.pinned) == (0.5, 0.3, 0.4, 0.3)
    assert round(why.total, 6) == 1.5


def test_further_stories_of_one_feed_count_less_and_less() -> None:
    rows = [row(n, 1, n / 100) for n in range(3)] + [row(9, 2, 4)]
    assert [one["last_item"] for one in news_top.ranked(rows, [], NOW)] == [0, 1, 9, 2]


@given(
    strategies.lists(
        strategies.tuples(strategies.integers(1, 4), strategies.floats(0, 200)), max_size=30
    )
)
def test_a_ranking_loses_and_doubles_nothing(given_rows: list[tuple[int, float]]) -> None:
    rows = [row(n, feed_id, hours) for n, (feed_id, hours) in enumerate(given_rows)]
    ranked = news_top.ranked(rows, [], NOW)
    assert sorted(one["last_item"] for one in ranked) == list(range(len(rows)))


async def test_search_shows_a_story_once_at_its_newest_item_with_the_words(
    browser: Browser, services: Services
) -> None:
    feeds = await newsroom(services)
    await bring(services, feeds[0], entry("Davao opens a library", hours=9))
    found = (await browser.json("GET", "/api/search?q=davao&kind=news")).json()["news"]
    assert [story["title"] for story in found] == [QUAKE[0][0], "Davao opens a library"]
    assert [story["also_in"] for story in found] == [2, 0]


async def test_a_mark_of_all_says_nothing_of_feeds_that_the_reader_does_not_read(
    browser: Browser, services: Services
) -> None:
    other, own = await feed(services, "other", default_on=False), await feed(services, "own")
    [first] = await bring(services, other, entry(*QUAKE[0]))
    await subscribed(services, who := await member(services), own)
    await browser.sign_in(who)
    await browser.json("POST", "/api/news/read-marks", {"before": datetime.now(UTC).isoformat()})
    [second] = await bring(services, own, entry(*QUAKE[1]))
    await services.db.execute(
        "UPDATE feed_items SET fetched_at = now() + interval '1 minute' WHERE id = $1", second
    )
    assert len(set(await stories_of(services, [first, second]))) == 1
    found = (await browser.json("GET", "/api/news?unread=true")).json()["items"]
    assert [one["item_id"] for one in found] == [second]
