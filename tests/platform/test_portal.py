"""The admin portal: its front page, its navigation, and who sees what of it."""

import re

from app.services import Services
from app.web import admin_navigation
from app.web.routes import ENDPOINTS
from tests.people import Browser, member


async def links(browser: Browser, path: str = "/admin") -> set[str]:
    """The addresses that a page of the portal leads to."""
    answer = await browser.get(path)
    assert answer.status_code == 200
    return set(re.findall(r'href="(/admin[^"?]*)"', answer.text))


async def test_the_portal_is_for_admins_only(browser: Browser, services: Services) -> None:
    assert (await browser.get("/admin")).status_code == 303
    await browser.sign_in(await member(services))
    assert (await browser.get("/admin")).status_code == 404


async def test_a_role_is_shown_what_it_may_open_and_nothing_else(
    browser: Browser, services: Services
) -> None:
    for role in ("super_admin", "support", "ops", "read_only"):
        await browser.sign_in(await member(services, f"{role}@example.org", role=role))
        shown = await links(browser) - {"/admin"}
        for endpoint in ENDPOINTS:
            if endpoint.path in shown:
                answer = await browser.get(endpoint.path)
                assert answer.status_code == 200, (role, endpoint.path)
        assert ("/admin/jobs" in shown) == (role != "support")


async def test_every_page_of_the_portal_marks_where_it_is(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="super_admin"))
    text = (await browser.get("/admin/jobs/types")).text
    current = re.findall(r'<a href="([^"]+)" aria-current="page"', text)
    assert current.count("/admin") >= 1
    assert "/admin/jobs/types" in current
    assert "/admin/queues" not in current
    assert 'class="page page-wide portal"' not in (await browser.get("/news")).text


async def test_the_front_page_tells_a_figure_of_each_panel_that_has_one(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="super_admin"))
    found = (await browser.json("GET", "/admin/api")).json()
    figures = {panel["href"]: panel["figure"] for panel in found["items"]}
    assert figures["/admin/jobs"].startswith("dead: ")
    assert figures["/admin/queues"].startswith("due: ")


def test_every_list_of_the_portal_can_be_reached_from_its_navigation() -> None:
    named = {panel.href for panels in admin_navigation.GROUPS.values() for panel in panels}
    # Reached from their lists: one thing's own page, forms, and files for machines.
    inside = re.compile(r"[{.]|/admin$|/new$|/cohorts$|/suggestions$|/proposals$")
    lists = {e.path for e in ENDPOINTS if e.method == "GET" and e.path.startswith("/admin")}
    assert {path for path in lists if not inside.search(path)} <= named
