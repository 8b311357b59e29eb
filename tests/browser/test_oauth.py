"""Signing in with the vendors in Chromium: their pages are on another site, so that cookies keep to their rules."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from app.services import Services

Open = Callable[..., Page]


def forget(site: Any) -> None:
    """Make the vendors' people strangers again."""

    async def forgotten(services: Services) -> None:
        await services.db.execute("DELETE FROM users WHERE email = ANY($1)", ["ada@example.org"])

    site.behind(forgotten)


@pytest.mark.parametrize("with_script", [True, False])
def test_apples_form_comes_without_cookies_and_still_signs_in(
    site: Any, opened: Open, with_script: bool
) -> None:
    forget(site)
    page = opened(java_script_enabled=with_script)
    posts: list[Request] = []
    page.on("request", lambda sent: sent.method == "POST" and posts.append(sent))
    page.goto(f"{site.url}/auth/login?next=/news")
    page.get_by_role("link", name="Apple").click()
    assert urlsplit(page.url).hostname == "localhost"
    page.get_by_role("button", name="Go on as Ada Berg").click()
    if not with_script:
        page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{site.url}/news")
    [form] = [sent for sent in posts if sent.url == f"{site.url}/auth/apple/callback"]
    headers = form.all_headers()
    assert "vu_flow" not in headers.get("cookie", "")
    # A trip leaves its tie behind only on the GET, where it is checked.
    kept = {cookie["name"]: cookie for cookie in page.context.cookies(site.url)}
    assert kept["vu_session"]["sameSite"] == "Lax" and kept["vu_session"]["httpOnly"]


@pytest.mark.parametrize("name", ["Google", "Facebook"])
def test_the_other_vendors_lead_back_by_a_link(site: Any, opened: Open, name: str) -> None:
    forget(site)
    page = opened(java_script_enabled=False)
    page.goto(f"{site.url}/auth/login?next=/news")
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Go on as Ada Berg").click()
    if name == "Google":
        page.wait_for_url(f"{site.url}/news")
    else:
        expect(page.get_by_role("heading", name="One more step")).to_be_visible()
        expect(page.get_by_label("Your mail address")).to_have_value("ada@example.org")


def test_the_policy_refuses_nothing_on_the_way(site: Any, opened: Open) -> None:
    page = opened()
    said: list[str] = []
    page.on("console", lambda line: line.type == "error" and said.append(line.text))
    site.sign_in(page, "linker@example.org")
    page.goto(f"{site.url}/settings/sign-in")
    page.get_by_role("link", name="Add Google").click()
    page.get_by_role("button", name="Go on as Ben Holm").click()
    page.wait_for_url(f"{site.url}/settings/sign-in")
    expect(page.locator("#ways")).to_contain_text("ben@example.org")
    assert said == []
