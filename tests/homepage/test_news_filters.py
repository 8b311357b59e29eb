"""Filters: words, phrases and tags that are left out before paging."""

import re

import pytest

from app.domain.homepage.headline_words import telling
from app.domain.homepage.news_filters import pattern
from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed, tagged
from tests.people import Browser, member


async def titles(browser: Browser) -> list[str]:
    answer = await browser.json("GET", "/api/news")
    return [story["title"] for story in answer.json()["items"]]


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        ("election", True),
        ("ÉLECTION", True),
        ("elect", False),
        ("elect*", True),
        ("early election", True),
        ("election early", False),
        ("lection", False),
    ],
)
async def test_a_muted_word_is_a_word_or_phrase_without_case_and_accents(
    browser: Browser, services: Services, rule: str, gone: bool
) -> None:
    await item(services, await feed(services, "courier"), "An early Élection, again")
    answer = await browser.json("POST", "/api/news/filters", {"value": rule})
    assert answer.status_code == 200
    assert (await titles(browser) == []) is gone


async def test_a_word_is_found_beside_one_that_is_too_long_to_be_looked_up(
    browser: Browser, services: Services
) -> None:
    courier = await feed(services, "courier")
    await item(services, courier, "An early election", text="\u0436" * 1500)
    await item(services, courier, "Another day", text="\u0436" * 1500)
    for rule in ("goats", "late election", "elect*"):
        await browser.json("POST", "/api/news/filters", {"value": rule})
    assert await titles(browser) == ["Another day"]


async def test_tags_can_be_muted_and_only_some_words_wanted(
    browser: Browser, services: Services
) -> None:
    courier = await feed(services, "courier")
    await tagged(services, await item(services, courier, "Cup final", minutes=1), "sports")
    await item(services, courier, "Harbour opens", minutes=2)
    await item(services, courier, "Harbour closes", minutes=3)
    await browser.json("POST", "/api/news/filters", {"kind": "mute_tag", "value": "sports"})
    assert await titles(browser) == ["Harbour opens", "Harbour closes"]
    await browser.json("POST", "/api/news/filters", {"kind": "only_word", "value": "opens"})
    assert await titles(browser) == ["Harbour opens"]


async def test_a_word_can_be_muted_in_one_feed_only(browser: Browser, services: Services) -> None:
    one, two = await feed(services, "one"), await feed(services, "two")
    await item(services, one, "Goats here", minutes=1)
    await item(services, two, "Goats there", minutes=2)
    await browser.json("POST", "/api/news/filters", {"value": "goats", "feed_id": one})
    assert await titles(browser) == ["Goats there"]


async def test_filters_are_ones_own_and_the_same_twice_is_one(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, "a@example.org"))
    for _ in range(2):
        mine = (await browser.json("POST", "/api/news/filters", {"value": "goats"})).json()
    assert mine["total"] == 1
    filter_id = mine["items"][0]["id"]
    await browser.sign_in(await member(services, "b@example.org"))
    assert (await browser.json("DELETE", f"/api/news/filters/{filter_id}")).status_code == 404
    assert (await browser.json("GET", "/api/news/filters")).json()["total"] == 0


async def test_an_empty_word_is_refused_with_the_field(browser: Browser) -> None:
    for value in ("", "   ", "*"):
        answer = await browser.json("POST", "/api/news/filters", {"value": value})
        assert answer.json()["errors"]["value"]
    page = await browser.post("/news/filters", {"value": "x" * 61})
    assert "60 characters" in page.text


async def test_the_page_shows_filters_and_takes_them_away(browser: Browser) -> None:
    await browser.post("/news/filters", {"value": "goats"})
    filter_id = (await browser.json("GET", "/api/news/filters")).json()["items"][0]["id"]
    assert "goats" in (await browser.get("/news/filters")).text
    await browser.post(f"/news/filters/{filter_id}", {"_method": "DELETE"})
    assert "goats" not in (await browser.get("/news/filters")).text


def test_signs_in_a_word_never_reach_the_pattern_as_operators() -> None:
    assert pattern(["(.*)+", "a|b", "[x"]) == r"(^| )(a b|x)( |$)"


def test_the_words_of_a_headline_are_those_that_tell_something() -> None:
    assert telling("After a long evening, Foxgrove agrees on a cycle lane in 2026") == [
        "long", "evening", "Foxgrove", "agrees", "cycle", "lane",
    ]  # fmt: skip
    assert telling("Die Bürgermeisterin über den Hafen") == ["Bürgermeisterin", "Hafen"]
    assert telling("Goats and GOATS: goats") == ["Goats"]
    assert len(telling(" ".join(f"word{n}x" for n in range(30)))) == 8
    assert telling("") == []


async def test_a_word_of_a_headline_is_muted_with_one_press_which_leads_back(
    browser: Browser, services: Services
) -> None:
    who, paper = await member(services), await feed(services, "courier")
    await browser.sign_in(who)
    await subscribed(services, who, paper)
    for title in ("Goats cross the bridge", "A calm day"):
        await item(services, paper, title)
    stories = (await browser.json("GET", "/api/news")).json()["items"]
    story = next(one for one in stories if "bridge" in one["title"])
    from_home = {"referer": "http://testserver/"}
    page = (await browser.get(f"/news/filters?story={story['id']}", headers=from_home)).text
    assert story["title"] in page and "Mute “bridge”" in page
    assert '<input type="hidden" name="back" value="/">' in page
    muted = await browser.post("/news/filters", {"value": "bridge", "back": "/"})
    assert muted.status_code == 303 and muted.headers["location"] == "/"
    home = await browser.get("/")
    assert "Muted." in home.text and await titles(browser) == ["A calm day"]
    undo = re.search(r'action="(/news/filters/\d+)"', home.text)
    assert undo
    undone = await browser.post(undo[1], {"_method": "DELETE"}, headers=from_home)
    assert undone.headers["location"] == "/" and len(await titles(browser)) == 2


async def test_muting_leads_to_no_other_site_and_knows_no_hidden_story(
    browser: Browser, services: Services
) -> None:
    answer = await browser.post("/news/filters", {"value": "x", "back": "//evil.example/"})
    assert answer.headers["location"] == "/"
    assert (await browser.get("/news/filters?story=404")).status_code == 200
    secret = await feed(services, "secret", visibility="member", default_on=False)
    await item(services, secret, "Nobody knows")
    number = await services.db.fetchval(
        "SELECT story_id FROM feed_items WHERE feed_id = $1", secret
    )
    assert "Nobody" not in (await browser.get(f"/news/filters?story={number}")).text


async def test_a_filter_that_is_over_already_is_refused(browser: Browser) -> None:
    form = {"kind": "mute_word", "value": "goats", "until": "2020-01-01T00:00:00Z", "back": "/news"}
    answer = await browser.json("POST", "/api/news/filters", form)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["until"])
