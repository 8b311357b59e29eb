"""Verdicts on tags: one hides the tag for its person, three that agree change it for all."""

import pytest

from app.domain.homepage import news_rows
from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed, tagged
from tests.people import Browser, member


async def tags_seen(browser: Browser) -> list[str]:
    """The tags of the first story as this reader sees it."""
    return [
        tag["slug"] for tag in (await browser.json("GET", "/api/news")).json()["items"][0]["tags"]
    ]


async def story(services: Services) -> int:
    """One item tagged sports, on a list that knows food too."""
    item_id = await item(services, await feed(services, "courier"), "Bread prices rise")
    await tagged(services, item_id, "sports")
    await services.db.execute("INSERT INTO tags (slug, name) VALUES ('food', 'Food')")
    return item_id


async def say(browser: Browser, item_id: int, slug: str, verdict: str) -> int:
    """What a reader holds of a tag; the status of the answer."""
    path = f"/api/news/items/{item_id}/tags/{slug}/verdict"
    return (await browser.json("PUT", path, {"verdict": verdict})).status_code


async def test_one_verdict_hides_the_tag_for_its_person_alone(
    browser: Browser, services: Services
) -> None:
    item_id = await story(services)
    who = await member(services)
    await services.db.execute(
        "INSERT INTO feed_subscriptions (user_id, feed_id) SELECT $1, id FROM feeds", who.id
    )
    await browser.sign_in(who)
    assert await say(browser, item_id, "sports", "wrong") == 200
    assert await tags_seen(browser) == []
    assert (await browser.json("GET", "/api/news?tag=sports")).json()["items"] == []
    await say(browser, item_id, "food", "missing")
    assert await tags_seen(browser) == ["food"]
    browser.sign_out()
    assert await tags_seen(browser) == ["sports"]
    browser.sign_out()


async def test_three_members_who_agree_change_it_for_all(
    browser: Browser, services: Services
) -> None:
    item_id = await story(services)
    for number in range(3):
        await browser.sign_in(await member(services, f"m{number}@example.org"))
        await say(browser, item_id, "sports", "wrong")
        await say(browser, item_id, "sports", "wrong")
        await say(browser, item_id, "food", "missing")
        browser.sign_out()
        assert await tags_seen(browser) == (["food"] if number == 2 else ["sports"])
    assert await services.db.fetchval("SELECT tagged_by FROM feed_items") == "person"


async def test_visitors_count_for_themselves_only(browser: Browser, services: Services) -> None:
    item_id = await story(services)
    for _ in range(4):
        browser.sign_out()
        await say(browser, item_id, "sports", "wrong")
        assert await tags_seen(browser) == []
    browser.sign_out()
    assert await tags_seen(browser) == ["sports"]


async def test_bad_verdicts_and_what_one_may_not_see_are_refused(
    browser: Browser, services: Services
) -> None:
    item_id = await story(services)
    secret = await item(
        services, await feed(services, "s", visibility="member", default_on=False), "S"
    )
    await browser.sign_in(await member(services))
    assert await say(browser, item_id, "sports", "perhaps") == 422
    assert await say(browser, item_id, "nothing", "wrong") == 404
    assert await say(browser, secret, "sports", "wrong") == 404
    form = {"_method": "PUT", "verdict": "wrong"}
    answer = await browser.post(f"/news/items/{item_id}/tags/sports/verdict", form)
    assert answer.status_code == 303


async def test_what_a_reader_says_has_a_tag_is_found_however_far_back(
    browser: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news_rows, "RARE_AFTER", 1)
    item_id = await story(services)
    courier = await services.db.fetchval("SELECT id FROM feeds")
    for number in range(60):
        await item(services, courier, f"Filler {number}", minutes=-1 - number)
    await subscribed(services, who := await member(services), courier)
    await browser.sign_in(who)
    await say(browser, item_id, "food", "missing")
    await say(browser, item_id, "sports", "missing")
    for slug in ("food", "sports"):
        found = (await browser.json("GET", f"/api/news?tag={slug}&limit=2")).json()
        assert [one["item_id"] for one in found["items"]] == [item_id], slug


async def test_the_menu_of_a_story_says_not_about_this(
    browser: Browser, services: Services
) -> None:
    item_id = await story(services)
    page = (await browser.get("/news")).text
    assert "Not about sports" in page
    assert f"/news/items/{item_id}/tags/sports/verdict" in page
