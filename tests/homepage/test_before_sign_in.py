"""What a visitor arranged and how it goes on after a sign-in: nothing lost, nothing twice, or nothing touched (§9 line 13)."""

from typing import Any

from app.domain.homepage import (
    merging,
    page_widgets,
    pages,
    template_drafts,
)
from app.domain.homepage.template_drafts import LockPatch
from app.domain.homepage.widget_edits import Patch, Place
from app.domain.platform import merges
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage.test_templates import ROOT, designed, publish
from tests.people import Browser, member
from tests.platform.visitors import TOKEN, carry, in_by_letter, visitor

ALL_ROWS = """
SELECT jsonb_build_array(
    (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.id) FROM pages p WHERE p.user_id = $1),
    (SELECT jsonb_agg(to_jsonb(w) ORDER BY w.page_id, w.key) FROM page_widgets w JOIN pages p ON p.id = w.page_id WHERE p.user_id = $1),
    (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.id) FROM page_changes c JOIN pages p ON p.id = c.page_id WHERE p.user_id = $1)
)::text
"""


async def arranged(services: Services, guest: Reader) -> list[Any]:
    """The widgets of a visitor's page after five changes, as anybody would tell them apart."""
    await page_widgets.add(services, guest, "home", "note", {"text": "before"})
    await page_widgets.place(services, guest, "home", "weather", Place(x=0, y=0))
    await page_widgets.patch(services, guest, "home", "news", Patch(title="Papers"))
    await page_widgets.remove(services, guest, "home", "search")
    await page_widgets.place(services, guest, "home", "links", Place(move="up", screen="phone"))
    return told(await pages.shown(services, guest))


def told(view: pages.PageView) -> list[Any]:
    """What is to be seen of a page."""
    names = (
        "type",
        "title",
        "settings",
        "x",
        "y",
        "w",
        "h",
        "phone_order",
        "phone_w",
        "phone_hidden",
    )
    return [[getattr(widget, name) for name in names] for widget in view.widgets]


async def test_an_untouched_page_becomes_the_visitors_whole(services: Services) -> None:
    guest, who = await visitor(services), await member(services)
    before = await arranged(services, guest)
    for _ in range(2):
        answer = await merges.answer(services, who, TOKEN, keep=True)
        assert answer.summary["pages"] == merges.Counts(1, 0)
        view = await pages.shown(services, who)
        assert told(view) == before and len(view.tabs) == 1
    assert await services.db.fetchval("SELECT count(*) FROM pages") == 1


async def test_a_touched_page_stays_and_the_visitors_stands_beside_it(services: Services) -> None:
    guest, who = await visitor(services), await member(services)
    before = await arranged(services, guest)
    mine = (await page_widgets.add(services, who, "home", "rss_feed")).page
    await merges.answer(services, who, TOKEN, keep=True)
    home = await pages.shown(services, who)
    assert told(home) == told(mine) and home.version == mine.version
    assert [tab.name for tab in home.tabs] == ["Home", merging.TAB]
    assert told(await pages.shown(services, who, "before-sign-in")) == before


async def test_a_no_leaves_the_members_pages_byte_for_byte(
    browser: Browser, services: Services
) -> None:
    guest, who = await visitor(services), await member(services)
    await arranged(services, guest)
    await page_widgets.add(services, who, "home", "rss_feed")
    await pages.add(services, who, "Work")
    mine, theirs = [await services.db.fetchval(ALL_ROWS, one.id) for one in (who, guest)]
    carry(browser)
    await in_by_letter(browser, services, who.email or "")
    await browser.post("/welcome", {"keep": "false"})
    assert await services.db.fetchval(ALL_ROWS, who.id) == mine
    assert await services.db.fetchval(ALL_ROWS, guest.id) == theirs


async def test_a_yes_in_the_browser_brings_page_and_links_once(
    browser: Browser, services: Services
) -> None:
    await browser.post("/links", {"url": "https://a.example/"})
    await browser.post("/widgets", {"type": "note", "page": "home"})
    await in_by_letter(browser, services)
    for _ in range(2):
        await browser.post("/welcome", {"keep": "true"})
    kinds = [w["type"] for w in (await browser.json("GET", "/api/pages/home")).json()["widgets"]]
    assert kinds.count("note") == 1 and kinds.count("quick_links") == 1
    assert (await browser.json("GET", "/api/links")).json()["total"] == 1
    text = (await browser.get("/welcome")).text
    assert "Links" in text and "Your page" in text


async def test_the_members_template_keeps_its_locks_over_the_visitors_page(
    services: Services,
) -> None:
    guest, who = await visitor(services), await member(services)
    await designed(services, "Visitors", audience="visitors")
    slug = await designed(services, "Members", audience="members")
    await template_drafts.patch(services, ROOT, slug, "search", LockPatch(lock="pinned"))
    await template_drafts.patch(services, ROOT, slug, "weather", LockPatch(lock="locked"))
    rule = await template_drafts.add(services, ROOT, slug, "note", {"text": "House rules"})
    await template_drafts.patch(services, ROOT, slug, rule.widget.key, LockPatch(lock="locked"))
    await publish(services, slug)
    untouched = {w.key: w for w in (await pages.shown(services, who)).widgets}
    await arranged(services, guest)
    await merges.answer(services, who, TOKEN, keep=True)
    found = {w.key: w for w in (await pages.shown(services, who)).widgets}
    for key in ("weather", rule.widget.key):
        assert told_of(found[key]) == told_of(untouched[key])
    assert "search" in found and found["news"].title == "Papers" and "note" in found


def told_of(widget: pages.Widget) -> tuple[Any, ...]:
    """The place and settings of a widget."""
    return widget.x, widget.y, widget.w, widget.h, widget.settings, widget.lock
