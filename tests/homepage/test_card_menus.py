"""The menu of a card on the page itself: Settings, Move, Hide on phone, Remove, as plain forms that lead back (chapter 20 §6)."""

import re

from app.domain.homepage import pages
from app.services import Services
from tests.people import Browser, member

REMOVE = {"_method": "DELETE"}
HIDE = {"_method": "PATCH", "phone_hidden": "on"}
UP = {"_method": "PUT", "move": "up", "screen": "phone"}
WEATHER = "/pages/home/widgets/weather"


def menu_of(page: str, key: str) -> str:
    """The markup of one card's menu."""
    found = re.search(rf'<div id="widget-{key}-menu" class="menu".*?</div>', page, re.S)
    assert found, f"{key} has no menu"
    return found[0]


async def test_the_menu_of_each_card_has_the_four_entries(browser: Browser) -> None:
    page = (await browser.get("/")).text
    for key in ("news", "weather", "links"):
        menu = menu_of(page, key)
        for label in ("Settings", "Move", "Move down", "Hide on phone", "Remove"):
            assert f"<span>{label}</span>" in menu, (key, label)
        assert f'href="/pages/home/widgets/{key}?then=page"' in menu
        assert f'href="/?edit=1#at-{key}"' in menu
    alone = (await browser.get("/widgets/weather")).text
    assert "Remove" not in menu_of(alone, "weather") and "My places" in menu_of(alone, "weather")


async def test_a_removed_card_is_gone_and_comes_back_by_undo(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    answer = await browser.post(f"{WEATHER}?then=page", REMOVE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    page = (await browser.get("/")).text
    assert 'id="widget-weather"' not in page and "Removed from this page." in page
    undo = re.search(r'action="(/pages/home/undos\?then=page)"', page)
    assert undo
    answer = await browser.post(undo[1])
    assert answer.headers["location"] == "/"
    assert 'id="widget-weather"' in (await browser.get("/")).text


async def test_a_card_is_moved_on_the_phone_and_hidden_there(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    await browser.sign_in(ada)
    answer = await browser.post(f"{WEATHER}/place?then=page", UP)
    assert answer.headers["location"] == "/#widget-weather"
    assert "Moved." in (await browser.get("/")).text
    answer = await browser.post(f"{WEATHER}?then=page", HIDE)
    assert answer.headers["location"] == "/#widget-weather"
    page = (await browser.get("/")).text
    assert "Your phone does not show it any more." in page
    assert "Show on phone" in menu_of(page, "weather")
    [weather] = [one for one in (await pages.shown(services, ada)).widgets if one.key == "weather"]
    assert weather.phone_hidden and weather.phone_order == 2


async def test_settings_opened_on_the_page_lead_back_to_it(browser: Browser) -> None:
    form = (await browser.get(f"{WEATHER}?then=page")).text
    assert f'action="{WEATHER}?then=page"' in form and 'href="/#widget-weather"' in form
    answer = await browser.post(
        f"{WEATHER}?then=page", {"_method": "PATCH", "title": "Out there", "whole": "on"}
    )
    assert answer.headers["location"] == "/#widget-weather"
    assert "Out there" in (await browser.get("/")).text


async def test_a_visitor_s_first_change_from_the_menu_says_how_long_it_is_kept(
    browser: Browser,
) -> None:
    answer = await browser.post(f"{WEATHER}?then=page", REMOVE)
    assert answer.headers["location"] == "/" and "vu_anon_id" in answer.headers["set-cookie"]
    assert "Saved on this browser for 30 days." in (await browser.get("/")).text
