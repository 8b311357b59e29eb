"""The first steps of a new member: five at most, ticked by what they did, gone when done or put away (chapter 20 §6)."""

import re

import pytest

from app.domain.homepage import first_steps, page_widgets, preferences, teasers
from app.domain.homepage.teasers import Source
from app.services import Services
from tests.homepage.market import switched_on
from tests.people import Browser, member

NAMES = ("Arrange your page", "Choose your topics", "Follow a stock", "Say who you are")


def list_of(page: str) -> str:
    """The markup of the list, or nothing."""
    found = re.search(r'<section class="first-steps".*?</section>', page, re.S)
    return found[0] if found else ""


async def test_a_visitor_sees_no_list_and_a_new_member_does(
    browser: Browser, services: Services
) -> None:
    assert "first-steps" not in (await browser.get("/")).text
    switched_on(services)
    await browser.sign_in(await member(services))
    found = list_of((await browser.get("/")).text)
    assert all(name in found for name in NAMES) and "0 of 4 done" in found
    for href in re.findall(r'href="([^"#]+)', found):
        assert (await browser.get(href)).status_code == 200, href
    assert "first-steps" not in (await browser.get("/?edit=1")).text


async def test_what_a_member_does_is_ticked_at_once(browser: Browser, services: Services) -> None:
    switched_on(services)
    ada = await member(services)
    await browser.sign_in(ada)
    assert "is-done" not in list_of((await browser.get("/")).text)
    await browser.post("/settings/account", {"_method": "PATCH", "name": "Ada", "time_zone": ""})
    await browser.json("PATCH", "/api/preferences", {"news": {"topics": ["science"]}})
    found = list_of((await browser.get("/")).text)
    assert found.count('class="is-done"') == 2
    await page_widgets.remove(services, ada, "home", "links")
    assert list_of((await browser.get("/")).text).count('class="is-done"') == 3


async def test_the_list_is_gone_when_all_is_done(browser: Browser, services: Services) -> None:
    switched_on(services)
    ada = await member(services)
    await browser.sign_in(ada)
    await first_steps.note(services, ada, "profile")
    await first_steps.note(services, ada, "topics")
    await page_widgets.remove(services, ada, "home", "links")
    assert "3 of 4 done" in list_of((await browser.get("/")).text)
    await browser.json("PUT", "/api/stocks/LNTN/watch")
    assert list_of((await browser.get("/")).text) == ""


async def test_a_list_that_was_put_away_never_comes_back(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    await browser.sign_in(ada)
    await preferences.patch(services, ada, {"units": "imperial"})
    answer = await browser.post("/first-steps", {"_method": "DELETE"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert list_of((await browser.get("/")).text) == ""
    mine = (await browser.json("GET", "/api/preferences")).json()
    assert (mine["onboarding"], mine["units"]) == (["put_away"], "imperial")
    assert (await browser.json("DELETE", "/api/first-steps")).status_code == 200
    assert list_of((await browser.get("/")).text) == ""
    browser.sign_out()
    assert (await browser.json("DELETE", "/api/first-steps")).status_code == 401


async def test_the_good_sites_are_a_step_where_the_site_has_them(
    browser: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.sign_in(await member(services))

    async def version(*_: object) -> int:
        return 1

    monkeypatch.setitem(teasers.SOURCES, "directory", Source(version, version))  # type: ignore[arg-type]
    assert 'href="/good-sites"' in list_of((await browser.get("/")).text)


async def test_a_document_that_remembers_ten_already_takes_no_eleventh(services: Services) -> None:
    ada = await member(services)
    ten = [f"step-{number}" for number in range(preferences.MOST_STEPS)]
    await preferences.patch(services, ada, {"onboarding": ten, "news": {"topics": ["science"]}})
    await first_steps.note(services, ada, "profile")
    doc = await services.db.fetchval("SELECT doc FROM preferences WHERE user_id = $1", ada.id)
    assert doc["onboarding"] == ten
