"""The way of a visitor who signs in, on a phone and without script; and the choices that anybody has."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.services import Services
from tests.browser.test_pages import audited

Open = Callable[..., Page]
LETTER = "SELECT text_body FROM emails WHERE to_address = $1 ORDER BY id DESC LIMIT 1"


def signed_in(site: Any, page: Page, email: str) -> None:
    """Sign in with the code of a letter."""

    async def letter(services: Services) -> str:
        return str(await services.db.fetchval(LETTER, email))

    page.goto(site.url + "/auth/login?next=/links")
    page.get_by_label("Your mail address").fill(email)
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_label("code")).to_be_visible()
    code = re.search(r"\b(\d{6})\b", site.behind(letter))
    assert code is not None
    page.get_by_label("code").fill(code[1])
    page.get_by_role("button", name="Sign in").click()


def set_up(site: Any, page: Page) -> None:
    """Keep one link as a visitor."""
    page.goto(site.url + "/links")
    page.locator("input[name=url]").first.fill("https://tides.example/")
    page.locator("form", has=page.locator("input[name=url]")).first.get_by_role("button").click()
    expect(page.locator("main")).to_contain_text("tides.example")


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_what_a_visitor_set_up_goes_over_with_one_tap(
    site: Any, opened: Open, script: bool
) -> None:
    page = opened(390, java_script_enabled=script)
    set_up(site, page)
    signed_in(site, page, f"keeper-{script}@example.org".lower())
    buttons = page.locator("#welcome button")
    boxes = [buttons.nth(n).bounding_box() for n in range(2)]
    # The two answers are of one size, which fits a thumb.
    assert len({(box["width"], box["height"]) for box in boxes if box}) == 1
    assert boxes[0] is not None and boxes[0]["height"] >= 48
    if script:
        assert audited(page) == {}
    page.get_by_role("button", name="Keep what you set up here").click()
    expect(page.locator("h1")).to_have_text("Kept")
    if script:
        assert audited(page) == {}
    page.get_by_role("link", name="Go on").click()
    expect(page.locator("main")).to_contain_text("tides.example")


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_choices_are_made_without_signing_in(site: Any, opened: Open, script: bool) -> None:
    page = opened(390, java_script_enabled=script)
    page.goto(site.url + "/news")
    page.get_by_role("link", name="Privacy choices").click()
    if script:
        assert audited(page) == {}
    page.get_by_role("switch", name="Suggestions").check()
    with page.expect_response(lambda answer: answer.request.method != "GET"):
        page.get_by_role("button", name="Save these").click()
    page.wait_for_load_state("networkidle")
    page.reload()
    expect(page.get_by_role("switch", name="Suggestions")).to_be_checked()
    expect(page.get_by_role("switch", name="Figures")).not_to_be_checked()
    page.get_by_role("button", name="Allow none").click()
    expect(page.get_by_role("switch", name="Suggestions")).not_to_be_checked()
