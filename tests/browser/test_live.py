"""A page that is looked at while its reader changes it elsewhere: cards are exchanged in place, nothing moves unasked."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.domain.homepage import links, page_widgets
from app.domain.homepage.links import NewLink
from app.domain.homepage.page_widgets import Patch, Place
from app.domain.platform import notifications
from app.domain.platform.readers import Reader
from app.services import Services
from tests.people import member

EMAIL = "elsewhere@example.org"


@pytest.fixture
def page(site: Any, opened: Callable[..., Page]) -> Page:
    """A member's page with a note, which hears of changes."""

    async def furnished(services: Services) -> None:
        if await services.db.fetchval("SELECT true FROM users WHERE email = $1", EMAIL) is None:
            who = await member(services, EMAIL)
            await page_widgets.add(services, who, "home", "note", {"text": "old words"})

    site.behind(furnished)
    page = opened()
    site.sign_in(page, EMAIL)
    with page.expect_response("**/live?page=home"):
        page.goto(site.url)
    page.evaluate("window.stayed = true")
    return page


def elsewhere(site: Any, act: Callable[[Services, Reader], Any]) -> None:
    """Do something as the same member from another session."""

    async def done(services: Services) -> None:
        found = await services.db.fetchval("SELECT id FROM users WHERE email = $1", EMAIL)
        await act(services, Reader(id=found, kind="member", email=EMAIL))

    site.behind(done)


def noted(site: Any, page: Page, words: str) -> None:
    """Write into the note."""
    key = page.get_attribute("[data-kind=note]", "data-key") or ""
    asked = Patch(settings={"text": words})
    elsewhere(site, lambda services, who: page_widgets.patch(services, who, "home", key, asked))


def test_a_note_written_elsewhere_is_exchanged_in_place(site: Any, page: Page) -> None:
    noted(site, page, "new words")
    expect(page.locator("[data-kind=note]")).to_contain_text("new words")
    assert page.evaluate("window.stayed")


def test_a_card_under_the_mouse_waits_and_then_shows_the_last_change(site: Any, page: Page) -> None:
    card = page.locator("[data-kind=note]")
    shown = card.inner_text()
    card.hover()
    for words in ("first words", "last words"):
        with page.expect_response("**/widgets/changes?**"):
            noted(site, page, words)
    assert card.inner_text() == shown
    page.mouse.move(0, 0)
    expect(card).to_contain_text("last words")


@pytest.mark.parametrize("how", ["moved", "added"])
def test_a_page_arranged_elsewhere_is_offered_and_not_moved(
    site: Any, page: Page, how: str
) -> None:
    key = page.get_attribute("[data-kind=note]", "data-key") or ""
    acts = {
        "moved": lambda services, who: page_widgets.place(services, who, "home", key, Place(x=0, y=0)),
        "added": lambda services, who: page_widgets.add(services, who, "home", "note", {}),
    }  # fmt: skip
    elsewhere(site, acts[how])
    offer = page.get_by_role("button", name="This page was arranged elsewhere. Show it")
    expect(offer).to_be_visible()
    assert page.evaluate("window.stayed")
    offer.click()
    expect(offer).to_have_count(0)
    assert not page.evaluate("window.stayed")


def test_a_notice_rings_the_bell_of_an_open_page(site: Any, page: Page) -> None:
    bell = page.locator("#bell")
    expect(bell).not_to_contain_text("unread")

    async def told(services: Services, who: Reader) -> None:
        async with services.tx() as tx:
            await notifications.add(tx, who.id, "account", "Something happened")

    elsewhere(site, told)
    expect(bell).to_contain_text("1 unread")
    elsewhere(site, notifications.read)
    expect(bell).not_to_contain_text("unread")
    assert page.evaluate("window.stayed")


def test_a_link_added_elsewhere_shows_by_itself(site: Any, page: Page) -> None:
    new = NewLink("https://goats.example", "Goats")
    elsewhere(site, lambda services, who: links.add(services, who, new))
    expect(page.locator("[data-kind=links]")).to_contain_text("Goats")
    assert page.evaluate("window.stayed")
