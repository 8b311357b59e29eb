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
async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(found => ['serious', 'critical'].includes(found.impact))
  .map(found => `${found.id}: ${found.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')}`)
"""
SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifted += entry.value; })
  .observe({type: 'layout-shift', buffered: true});
"""
# The bars that scroll by themselves are meant to be wider than the screen; the page never is.
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PAGES = (
    "/", "/?edit=1", "/news", "/news/stories/1", "/news/filters", "/news/saved", "/feeds", "/feeds/catalogue",
    "/feeds/1", "/weather/places", "/links", "/search?q=harbour", "/preferences", "/auth/login", "/settings/sessions",
    "/pages", "/widgets", "/pages/home/history", "/admin/jobs", "/admin/jobs/types", "/admin/jobs/schedules",
    "/admin/jobs/workers", "/admin/queues", "/cabinet", "/bot", "/dev/mail", "/no-such-page",
)  # fmt: skip
ALL_WIDTHS = [(scheme, width) for scheme in ("light", "dark") for width in (390, 1280)]


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
    # A page that is meant to be missing is no complaint.
    page.on("response", lambda answer: answer.status >= 500 and said.append(answer.url))
    return said


def not_the_404(said: list[str]) -> list[str]:
    return [line for line in said if "status of 404" not in line]


@pytest.mark.parametrize(("scheme", "width"), ALL_WIDTHS)
@pytest.mark.parametrize("path", PAGES)
def test_axe_and_the_console_find_nothing(
    site: Any, opened: Open, admin: str, path: str, scheme: str, width: int
) -> None:
    page = opened(width, color_scheme=scheme, bypass_csp=False)
    site.sign_in(page, admin)
    said = complaints(page)
    page.goto(site.url + path)
    # evaluate runs in the page without a script element, so that our CSP stays as it is.
    page.evaluate(AXE)
    assert page.evaluate(AUDIT) == []
    assert (not_the_404(said) if path == "/no-such-page" else said) == []


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_a_small_phone(
    site: Any, opened: Open, admin: str, path: str
) -> None:
    page = opened(320)
    site.sign_in(page, admin)
    page.goto(site.url + path)
    assert page.evaluate(TOO_WIDE) <= 0


def test_a_stranger_s_pages_are_accessible_too(site: Any, opened: Open) -> None:
    page = opened(390)
    for path in ("/", "/?edit=1", "/news", "/auth/login", "/feeds/catalogue"):
        page.goto(site.url + path)
        page.evaluate(AXE)
        assert page.evaluate(AUDIT) == [], path


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
    page.on("response", answers.append)
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
    page.on("request", asked.append)
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
        return str(await services.db.fetchval("SELECT text_body FROM emails ORDER BY id DESC LIMIT 1"))

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
    page.get_by_text("Dark", exact=True).click()
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
    with page.expect_request("**/live?page=home"):
        page.goto(site.url)
    page.evaluate("window.stayed = true")
    page.wait_for_timeout(1000)
    site.behind(published)
    page.get_by_role("button", name="1 new story").click()
    expect(page.locator("#grid")).to_contain_text("Fresh goats")
    assert page.evaluate("window.stayed")
