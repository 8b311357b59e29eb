"""Members, roles, tokens and seeing the site as someone, in Chromium: on a phone, and without script."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.people import member

PANELS = (
    "/admin/users",
    "/admin/users/roles",
    "/admin/users/services",
    "/admin/impersonations",
    "/settings/tokens",
    "/settings/activity",
)
WIDER = "document.documentElement.scrollWidth - innerWidth"


def looked_at(page: Page, name: str) -> None:
    """Keep a picture where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("width", [320, 1280])
def test_the_panels_fit_the_window(site: Site, opened: Callable[..., Page], width: int) -> None:
    page = opened(width=width)
    site.sign_in(page, "root@example.org", "super_admin")
    for path in PANELS:
        page.goto(site.url + path)
        looked_at(page, f"{width}{path.replace('/', '-')}")
        assert page.evaluate(WIDER) <= 0, path


@pytest.mark.parametrize("script", [True, False])
def test_an_admin_sees_the_site_as_a_member_and_stops(
    site: Site, opened: Callable[..., Page], script: bool
) -> None:
    page = opened(width=390, java_script_enabled=script)
    email = f"seen-{script}@example.org".lower()
    target = site.behind(lambda services: member(services, email))
    site.sign_in(page, "root@example.org", "super_admin")
    page.goto(f"{site.url}/admin/users?q={email}")
    page.get_by_role("link", name=f"seen-{script}").first.click()
    looked_at(page, f"person-{script}")
    page.get_by_text("See the site as this person").click()
    form = page.locator("form", has=page.get_by_role("button", name="See the site as them"))
    form.get_by_label("Why").fill("They cannot find their links.")
    form.get_by_role("button", name="See the site as them").click()
    page.wait_for_url(site.url + "/")
    for path in ("/", "/news", "/nowhere"):
        page.goto(site.url + path)
        banner = page.get_by_text("You see the site as")
        assert banner.is_visible()
        page.mouse.wheel(0, 900)
        looked_at(page, f"banner-{script}{path.replace('/', '-')}")
        box = banner.bounding_box()
        assert box and 0 <= box["y"] < 200
    page.get_by_role("button", name="Stop").click()
    page.wait_for_url(f"{site.url}/admin/users/{target.id}")
    assert page.get_by_text("You see the site as yourself again").is_visible()


def test_a_role_is_changed_in_place(site: Site, opened: Callable[..., Page]) -> None:
    page = opened(width=390)
    target = site.behind(lambda services: member(services, "promoted@example.org"))
    site.sign_in(page, "root@example.org", "super_admin")
    page.goto(f"{site.url}/admin/users/roles/{target.id}")
    page.get_by_text("Change the role").click()
    page.get_by_label("Role", exact=True).select_option("ops")
    page.locator("#f-role-reason").fill("Runs the queues")
    page.get_by_role("button", name="Yes, change it").click()
    page.get_by_text("manage_system").first.wait_for()
    looked_at(page, "role")


def test_a_token_is_made_and_shown_once(site: Site, opened: Callable[..., Page]) -> None:
    page = opened(width=390)
    site.sign_in(page, "scripts@example.org")
    page.goto(f"{site.url}/settings/tokens")
    page.get_by_text("Make a token").click()
    page.get_by_label("What it is for").fill("Backup")
    page.get_by_label("read", exact=True).check()
    page.get_by_role("button", name="Make token").click()
    page.get_by_text("vil_").first.wait_for()
    looked_at(page, "token")
    assert len(page.locator("pre code").inner_text()) > 40
    page.goto(f"{site.url}/settings/tokens")
    assert page.locator("pre code").count() == 0
