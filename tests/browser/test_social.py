"""Connecting an account in Chromium, which applies form-action to redirects: with script and without."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, expect

from app.domain.homepage import social_posts
from app.domain.platform import memories
from app.domain.platform.flags import shipped
from app.services import Services

Open = Callable[..., Page]
ON = "UPDATE feature_flags SET enabled = true, rollout_percentage = 100 WHERE key = 'social_integration'"


async def switched_on(services: Services) -> None:
    await shipped.seed(services)
    await services.db.execute(ON)


async def fetched(services: Services) -> None:
    """What the worker does half an hour long; like it, it knows the flags."""
    await memories.read(services)
    for row in await services.db.fetch("SELECT id FROM social_accounts WHERE last_ok_at IS NULL"):
        await social_posts.refresh(services, row["id"])


def until_on(site: Any, page: Page) -> None:
    """Wait until the site has heard of the flag."""
    site.behind(switched_on)
    for _ in range(100):
        answer = page.goto(f"{site.url}/social")
        if answer is not None and answer.status == 200:
            return
        page.wait_for_timeout(100)
    raise AssertionError("the flag stayed off")


def complaint(site: Any, line: ConsoleMessage) -> bool:
    """Whether one of our own pages has something wrong; the platform's lack an icon."""
    return line.type == "error" and str(line.location["url"]).startswith(site.url)


@pytest.mark.parametrize("with_script", [True, False])
def test_an_account_is_connected_and_its_posts_are_shown(
    site: Any, opened: Open, with_script: bool
) -> None:
    page = opened(java_script_enabled=with_script)
    said: list[str] = []
    page.on("console", lambda line: complaint(site, line) and said.append(line.text))
    site.sign_in(page, f"social-{with_script}@example.org".lower())
    until_on(site, page)
    said.clear()
    page.get_by_role("button", name="Connect Instagram").click()
    page.get_by_role("button", name="Go on as ada.makes").click()
    page.wait_for_url(f"{site.url}/social")
    expect(page.locator("#social")).to_contain_text("ada.makes")
    expect(page.locator("#social")).to_contain_text("First look under way")
    site.behind(fetched)
    page.reload()
    expect(page.locator("#social .row")).to_have_count(20)
    expect(page.locator("#social")).to_contain_text("Up to date")
    assert said == []
    if with_script:
        looked_at(page, "page")
        page.goto(f"{site.url}/widgets/social")
        expect(page.locator("section.card .row")).to_have_count(6)
        looked_at(page, "widget")


def looked_at(page: Page, name: str) -> None:
    """Nothing serious for axe, nothing wider than the narrowest phone; pictures on wish."""
    found = Axe().run(page)
    serious = [
        one for one in found.response["violations"] if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    folder = os.environ.get("SHOTS")
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        if folder:
            page.screenshot(path=str(Path(folder) / f"{name}-{width}.png"), full_page=True)
