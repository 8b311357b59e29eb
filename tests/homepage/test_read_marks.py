"""Read marks: a view is read up to here, that view alone, and it can be undone."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed, tagged
from tests.people import Browser, member


def later(minutes: int = 1) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


async def unread(browser: Browser) -> list[str]:
    """The titles that are unread."""
    items = (await browser.json("GET", "/api/news")).json()["items"]
    return [story["title"] for story in items if not story["read"]]


async def newsstand(browser: Browser, services: Services) -> tuple[int, int]:
    """A member with two feeds, one in a folder and with a tagged story."""
    who = await member(services)
    one, two = (
        await feed(services, "one", default_on=False),
        await feed(services, "two", default_on=False),
    )
    await subscribed(services, who, one, folder="Morning")
    await subscribed(services, who, two)
    await tagged(services, await item(services, one, "Harbour opens", minutes=1), "travel")
    await item(services, one, "Goats leave", minutes=2)
    await item(services, two, "Goats arrive", minutes=3)
    await browser.sign_in(who)
    return one, two


@pytest.mark.parametrize(
    ("view", "left"),
    [
        ({}, []),
        ({"tag": "travel"}, ["Goats leave", "Goats arrive"]),
        ({"folder": "Morning"}, ["Goats arrive"]),
        ({"q": "goats"}, ["Harbour opens"]),
        ({"q": "goats", "folder": "Morning"}, ["Harbour opens", "Goats arrive"]),
        ({"tag": "nothing"}, ["Harbour opens", "Goats leave", "Goats arrive"]),
    ],
)
async def test_a_mark_is_about_its_view_alone_and_an_undo_takes_it_back(
    browser: Browser, services: Services, view: dict[str, str], left: list[str]
) -> None:
    await newsstand(browser, services)
    answer = await browser.json("POST", "/api/news/read-marks", {"before": later(), **view})
    assert answer.status_code == 200
    assert await unread(browser) == left
    assert (await browser.json("POST", f"/api{answer.json()['undo']}")).status_code == 200
    assert len(await unread(browser)) == 3


async def test_a_mark_on_one_feed_leaves_the_others(browser: Browser, services: Services) -> None:
    one, _ = await newsstand(browser, services)
    await browser.json("POST", "/api/news/read-marks", {"before": later(), "feed": one})
    assert await unread(browser) == ["Goats arrive"]


async def test_a_wish_that_we_do_not_understand_marks_nothing(
    browser: Browser, services: Services
) -> None:
    await newsstand(browser, services)
    answer = await browser.json(
        "POST", "/api/news/read-marks", {"before": later(), "topic": "travel"}
    )
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["topic"])
    assert len(await unread(browser)) == 3


@pytest.mark.parametrize("view", [{"feed": 987654}, {"folder": "Nobody's"}])
async def test_a_feed_or_folder_that_is_not_mine_is_not_found(
    browser: Browser, services: Services, view: dict[str, Any]
) -> None:
    await newsstand(browser, services)
    secret = await feed(services, "secret", visibility="member")
    for wish in (view, {"feed": secret}):
        answer = await browser.json("POST", "/api/news/read-marks", {"before": later(), **wish})
        assert answer.status_code == 404
    assert await services.db.fetchval("SELECT count(*) FROM news_watermarks") == 0


async def test_a_mark_said_twice_is_one_and_keeps_what_was_before(
    browser: Browser, services: Services
) -> None:
    await newsstand(browser, services)
    first, second = later(-90), later(-1)
    await browser.json("POST", "/api/news/read-marks", {"before": first})
    answers = [
        await browser.json("POST", "/api/news/read-marks", {"before": second}) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert datetime.fromisoformat(answers[1].json()["previous"]) == datetime.fromisoformat(first)
    await browser.json("POST", "/api/news/read-marks", {"before": later(-60)})
    mark = await services.db.fetchval("SELECT read_before FROM news_watermarks")
    assert mark == datetime.fromisoformat(second)
    for _ in range(2):
        await browser.json("POST", f"/api{answers[1].json()['undo']}")
        mark = await services.db.fetchval("SELECT read_before FROM news_watermarks")
        assert mark == datetime.fromisoformat(first)


async def test_without_script_the_notice_undoes_it(browser: Browser, services: Services) -> None:
    await newsstand(browser, services)
    referrer = {"referer": "http://testserver/news?tag=travel"}
    page = (await browser.get("/news?tag=travel")).text
    assert "Mark “Travel” as read" in page
    form = re.search(r'action="/news/read-marks">(.*?)</form>', page, re.DOTALL)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', form[1])) if form else {}
    assert fields["tag"] == "travel"
    assert (
        await browser.post("/news/read-marks", {**fields, "before": later()}, headers=referrer)
    ).status_code == 303
    undo = re.search(
        r'action="(/news/read-marks/\d+/undos)"', (await browser.get("/news?tag=travel")).text
    )
    assert undo
    back = await browser.post(undo[1], headers=referrer)
    assert (back.status_code, back.headers["location"]) == (303, "/news?tag=travel")
    assert len(await unread(browser)) == 3


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("", "Mark all as read"),
        ("?folder=Morning", "Mark “Morning” as read"),
        ("?q=goats", "Mark what was found as read"),
    ],
)
async def test_the_button_says_what_it_marks(
    browser: Browser, services: Services, query: str, label: str
) -> None:
    await newsstand(browser, services)
    assert label in (await browser.get(f"/news{query}")).text


async def test_what_was_marked_unread_is_read_by_a_later_mark(
    browser: Browser, services: Services
) -> None:
    await newsstand(browser, services)
    await browser.json("POST", "/api/news/read-marks", {"before": later(-1)})
    await services.db.execute("UPDATE feed_items SET fetched_at = now() - interval '1 hour'")
    story = (await browser.json("GET", "/api/news")).json()["items"][0]
    await browser.json("DELETE", f"/api/news/stories/{story['id']}/read")
    assert await unread(browser) == ["Harbour opens"]
    answer = await browser.json("POST", "/api/news/read-marks", {"before": later()})
    assert await unread(browser) == []
    await browser.json("POST", f"/api{answer.json()['undo']}")
    assert await unread(browser) == ["Harbour opens"]


async def test_a_number_that_is_no_time_is_not_found(browser: Browser, services: Services) -> None:
    await newsstand(browser, services)
    assert (await browser.json("POST", f"/api/news/read-marks/{10**19}/undos")).status_code == 404
