"""Locks in Chromium: every way of arranging goes around a locked widget alike, and the operator designs by mouse."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app.domain.homepage import layout_templates, template_drafts, template_publications
from app.domain.homepage.layout_templates import NewTemplate
from app.domain.homepage.template_drafts import LockPatch
from app.domain.platform.readers import Reader
from app.services import Services
from tests.browser.test_editing import by_form, by_keys, by_mouse, layout, places

ROOT = Reader(id=0, kind="member", role="super_admin")
Open = Callable[..., Page]


async def publish(services: Services) -> str:
    """A template for members whose weather is locked and whose news stay; its slug."""
    template = await layout_templates.add(services, ROOT, NewTemplate("Town", audience="members"))
    await template_drafts.patch(services, ROOT, template.slug, "weather", LockPatch(lock="locked"))
    await template_drafts.patch(services, ROOT, template.slug, "news", LockPatch(lock="pinned"))
    await template_publications.publish(services, ROOT, template.slug)
    return template.slug


class Town(NamedTuple):
    """The site while that template is published, and where it is designed."""

    site: Any
    at: str


@pytest.fixture
def town(site: Any) -> Iterator[Town]:
    """The site while that template is published."""
    slug = site.behind(publish)
    yield Town(site, f"/admin/templates/{slug}")
    site.behind(lambda services: layout_templates.remove(services, ROOT, slug))


def arranging(town: Town, opened: Open, email: str, **options: Any) -> Page:
    """The editor of a new member, once the site has heard of the template."""
    page = opened(**options)
    page.set_viewport_size({"width": 1280, "height": 1500})
    town.site.sign_in(page, email)
    page.goto(f"{town.site.url}/?edit=1")
    for _ in range(20):
        if page.locator("#at-weather .is-locked").count():
            return page
        page.wait_for_timeout(100)
        page.reload()
    raise AssertionError("The template does not come.")


def test_every_way_goes_around_a_locked_widget_alike(town: Town, opened: Open) -> None:
    mouse = arranging(town, opened, "mouse@example.org")
    by_mouse(mouse, "#handle-links .icon", 0, -8)
    found = places(mouse)
    assert (found["links"], found["weather"]) == ((0, 0, 12, 2), (8, 2, 4, 3))
    assert (found["search"][:2], found["news"][:2]) == ((0, 5), (0, 7))
    keys = arranging(town, opened, "keys@example.org")
    by_keys(keys, "links", ("ArrowUp", 8))
    assert layout(keys) == layout(mouse)
    plain = arranging(town, opened, "plain@example.org", java_script_enabled=False)
    by_form(plain, "links", "Move up", 2)
    assert layout(plain) == layout(mouse)


def test_a_lock_is_shown_with_its_reason_and_takes_no_handle(town: Town, opened: Open) -> None:
    page = arranging(town, opened, "locks@example.org")
    expect(page.locator("#at-weather .is-locked")).to_have_attribute(
        "title", "The site keeps this widget as it is for everybody."
    )
    expect(page.locator("#at-weather .handle, #at-weather .grow, #arrange-weather")).to_have_count(
        0
    )
    page.locator("#arrange-news-button").click()
    menu = page.locator("#arrange-news")
    expect(menu).to_contain_text("The site wants this widget on every page.")
    expect(menu.get_by_role("button", name="Remove")).to_have_count(0)
    assert serious(page) == []


def serious(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    found = Axe().run(page).response["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]


def test_the_operator_designs_by_mouse_and_reads_whom_it_reaches(town: Town, opened: Open) -> None:
    page = opened()
    page.set_viewport_size({"width": 1280, "height": 1500})
    town.site.sign_in(page, "root@example.org", "super_admin")
    for path in ("/admin/templates", town.at, f"{town.at}/impact", f"{town.at}/preview"):
        page.goto(town.site.url + path)
        assert serious(page) == [], path
    page.goto(f"{town.site.url}{town.at}/layout")
    by_mouse(page, "#handle-weather .icon", -8, 6)
    expect(page.locator("#at-weather")).to_have_attribute("data-x", "0")
    assert serious(page) == []
    page.locator("#done").click()
    expect(page.locator("#template")).to_contain_text("another place")
    page.get_by_role("button", name="Publish version 2").click()
    expect(page.locator("#notices")).to_contain_text("Published. It holds at once.")
