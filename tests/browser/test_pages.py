"""Every page in Chromium: accessible, quiet, narrow enough, light, ours alone, and usable without script or mouse."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from playwright.sync_api import Page, Request, Response, expect

from app.domain.homepage import links
from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed
from tests.people import member

Open = Callable[..., Page]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
AUDIT = """
async rules => (await axe.run(document, {resultTypes: ['violations'], ...rules})).violations
  .filter(found => ['serious', 'critical'].includes(found.impact))
  .map(found => `${found.id}: ${found.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')}`)
"""
CONTRAST = {"runOnly": ["color-contrast"]}
SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifted += entry.value; })
  .observe({type: 'layout-shift', buffered: true});
"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PAGES = (
    "/", "/?edit=1", "/news", "/news/stories/1", "/news/filters", "/news/saved", "/feeds", "/feeds/catalogue",
    "/feeds/1", "/weather/places", "/links", "/search?q=harbour", "/preferences", "/auth/login", "/settings/sessions",
    "/settings/account", "/settings/sign-in",
    "/pages", "/widgets", "/pages/home/history", "/admin/jobs", "/admin/jobs/types", "/admin/jobs/schedules",
    "/admin/jobs/workers", "/admin/queues", "/cabinet", "/bot", "/dev/mail", "/no-such-page",
)  # fmt: skip


@pytest.fixture(scope="module")
def admin(site: Any) -> str:
    """An admin with something on each list."""

    async def furnished(services: Services) -> None:
        who = await member(services, "root@example.org", "super_admin")
        await links.add(services, who, links.NewLink(url="https://example.org/", title="Example"))

    site.behind(furnished)
    return "root@example.org"


def complaints(page: Page) -> list[str]:
    """What the browser's console will say from now on, refusals of the CSP among it."""
    said: list[str] = []
    page.on("console", lambda line: line.type in ("error", "warning") and said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("response", lambda answer: answer.status >= 500 and said.append(answer.url))
    return said


@pytest.mark.parametrize("path", PAGES)
def test_axe_and_the_console_find_nothing(site: Any, opened: Open, admin: str, path: str) -> None:
    page = opened(1280)
    site.sign_in(page, admin)
    said = complaints(page)
    page.goto(site.url + path)
    assert audited(page) == {}
    assert [line for line in said if "status of 404" not in line or "no-such" not in path] == []


def audited(page: Page) -> dict[str, list[str]]:
    """What axe finds on this page: all of it in light, the contrasts again in dark, on a desktop and on a phone."""
    # evaluate runs without a script element, so that our CSP stays as it is.
    page.evaluate(AXE)
    found = {}
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme, rules in (("light", None), ("dark", CONTRAST)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found[f"{scheme} {width}"] = page.evaluate(AUDIT, rules)
    return {look: faults for look, faults in found.items() if faults}


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_a_small_phone(
    site: Any, opened: Open, admin: str, path: str
) -> None:
    page = opened(320)
    site.sign_in(page, admin)
    page.goto(site.url + path)
    assert page.evaluate(TOO_WIDE) <= 0


def test_the_audit_sees_a_fault(site: Any, opened: Open) -> None:
    page = opened()
    page.goto(site.url + "/auth/login")
    page.evaluate("document.querySelector('main label').remove()")
    assert "label" in str(audited(page)["light 1280"])


def test_no_link_of_ours_leads_nowhere(site: Any, opened: Open, admin: str) -> None:
    page = opened()
    site.sign_in(page, admin)
    hrefs: set[str] = set()
    for path in ("/", "/news", "/feeds", "/feeds/1", "/links", "/pages", "/admin/jobs"):
        page.goto(site.url + path)
        hrefs |= set(
            page.evaluate("[...document.querySelectorAll('a[href^=\"/\"]')].map(a => a.pathname)")
        )
    answers = {
        href: page.request.get(site.url + href, max_redirects=0).status
        for href in hrefs - {"/track/click"}
    }
    assert {href: status for href, status in answers.items() if status >= 400} == {}


def test_the_deep_look_finds_the_site_s_own_store(site: Any, opened: Open) -> None:
    report = opened().request.get(site.url + "/health/deep").json()
    assert report["parts"]["storage"] == "up"


def test_a_stranger_s_pages_are_accessible_too(site: Any, opened: Open) -> None:
    page = opened(390)
    for path in ("/", "/?edit=1", "/news", "/auth/login", "/feeds/catalogue"):
        page.goto(site.url + path)
        assert audited(page) == {}, path


@pytest.mark.parametrize("width", [390, 1280])
def test_the_front_page_does_not_shift(site: Any, opened: Open, width: int) -> None:
    page = opened(width)
    page.add_init_script(SHIFTS)
    page.goto(site.url)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shifted") <= 0.1


def test_the_first_page_is_light(site: Any, opened: Open) -> None:
    page = opened()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(site.url)
    page.wait_for_load_state("networkidle")
    packed = {answer.url: len(gzip.compress(answer.body())) for answer in answers}
    scripts = sum(size for url, size in packed.items() if ".js" in url)
    print(f"page {sum(packed.values())} bytes, scripts {scripts} bytes")
    assert scripts <= 60 * 1024
    assert sum(packed.values()) <= 100 * 1024


def test_no_page_asks_another_origin(site: Any, opened: Open, admin: str) -> None:
    page = opened()
    site.sign_in(page, admin)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    for path in PAGES:
        page.goto(site.url + path)
    hosts = {urlsplit(request.url).netloc for request in asked if request.url[:5] != "data:"}
    assert hosts == {urlsplit(site.url).netloc}


def plain(opened: Open, site: Any, path: str) -> Page:
    """A page in a browser without JavaScript."""
    page = opened(java_script_enabled=False)
    page.goto(site.url + path)
    return page


def press(page: Page, name: str, within: str = "main") -> None:
    page.locator(within).get_by_role("button", name=name, exact=True).first.click()
    page.wait_for_load_state()


def test_without_script_a_member_signs_in_by_the_code(site: Any, opened: Open) -> None:
    page = plain(opened, site, "/auth/login")
    page.get_by_label("Your mail address").fill("plain@example.org")
    press(page, "Send me a link")

    async def text(services: Services) -> str:
        return str(
            await services.db.fetchval("SELECT text_body FROM emails ORDER BY id DESC LIMIT 1")
        )

    code = re.search(r"\b(\d{6})\b", site.behind(text))
    assert code
    page.get_by_label("The code of six digits").fill(code[1])
    press(page, "Sign in")
    page.goto(site.url + "/settings/sessions")
    expect(page.locator("main")).to_contain_text("This browser")


def test_without_script_a_link_a_place_and_a_filter_are_added(site: Any, opened: Open) -> None:
    page = plain(opened, site, "/links")
    page.get_by_label("Address").fill("https://library.example/")
    page.get_by_label("Title").fill("Library")
    press(page, "Add link")
    expect(page.locator("#links .rows")).to_contain_text("Library")
    page.goto(site.url + "/weather/places")
    page.get_by_label("City or postal code").fill("Montréal")
    press(page, "Add place")
    expect(page.locator("#places .rows")).to_contain_text("Montréal")
    page.goto(site.url + "/news/filters")
    page.get_by_label("Word, phrase or tag").fill("gazette")
    press(page, "Mute")
    page.goto(site.url + "/news")
    expect(page.locator("main")).to_contain_text("Courier story")
    expect(page.locator("main")).not_to_contain_text("Gazette story")


def test_without_script_a_story_is_saved(site: Any, opened: Open) -> None:
    page = plain(opened, site, "/news")
    row = page.locator("[data-story]").first
    title = row.locator("a").first.inner_text()
    row.locator("[popovertarget]").first.click()
    row.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_load_state()
    page.goto(site.url + "/news/saved")
    expect(page.locator("main")).to_contain_text(title)


def test_without_script_the_theme_changes(site: Any, opened: Open) -> None:
    page = plain(opened, site, "/preferences")
    page.get_by_label("Dark", exact=True).check()
    press(page, "Save")
    page.goto(site.url)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_tab_comes_to_skip_link_navigation_search_and_customize(site: Any, opened: Open) -> None:
    page = opened()
    page.goto(site.url)
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.matches('input') ? 'Search' : document.activeElement.textContent.trim()"))  # fmt: skip
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    wanted = ["Skip to the content", "Village", "News", "Search", "Customize"]
    assert [word for word in reached if word in wanted][: len(wanted)] == wanted
    page.goto(site.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_new_news_is_offered_to_a_member_without_a_reload(site: Any, opened: Open) -> None:
    page = opened()

    async def reads(services: Services) -> int:
        who, paper = await member(services, "live@example.org"), await feed(services, "evening", default_on=False)  # fmt: skip
        await item(services, paper, "Old goats")
        await subscribed(services, who, paper)
        return paper

    async def published(services: Services) -> None:
        await item(services, paper, "Fresh goats", minutes=-1)
        await services.db.execute("UPDATE feeds SET version = version + 1 WHERE id = $1", paper)

    paper = site.behind(reads)
    site.sign_in(page, "live@example.org")
    with page.expect_response("**/live?page=home"):
        page.goto(site.url)
    page.evaluate("window.stayed = true")
    site.behind(published)
    page.get_by_role("button", name="1 new story").click()
    expect(page.locator("#grid")).to_contain_text("Fresh goats")
    assert page.evaluate("window.stayed")
