"""Templates: designed by the operator, chosen for each person, and merged with what people changed."""

import dataclasses
from typing import Any

import asyncpg
import pytest

from app.db import Database
from app.domain.homepage import (
    layout_templates,
    page_changes,
    page_widgets,
    pages,
    template_choice,
    template_drafts,
    template_impact,
    template_notices,
    template_publications,
)
from app.domain.homepage.layout_templates import NewTemplate, TemplateChange
from app.domain.homepage.pages import PageView
from app.domain.homepage.template_drafts import LockPatch
from app.domain.homepage.widget_edits import VISITOR_CEILING, Patch, Place
from app.domain.platform.flags import memory
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid
from app.services import Services
from tests.people import Browser, member
from tests.platform.visitors import visitor

ROOT = Reader(id=0, kind="member", role="super_admin")


async def designed(services: Services, name: str = "Front", **fields: Any) -> str:
    """A template of the built-in page, published as version 1; its slug."""
    template = await layout_templates.add(services, ROOT, NewTemplate(name, **fields))
    await template_publications.publish(services, ROOT, template.slug)
    return template.slug


async def publish(services: Services, slug: str) -> None:
    """Publish what is drawn up."""
    await template_publications.publish(services, ROOT, slug)


async def lock(services: Services, slug: str, key: str, kind: Any) -> None:
    """Lock one widget of a template and publish it."""
    await template_drafts.patch(services, ROOT, slug, key, LockPatch(lock=kind))
    await publish(services, slug)


def places(view: PageView) -> dict[str, tuple[int, int, int, int]]:
    """Where each widget stands."""
    return {w.key: (w.x, w.y, w.w, w.h) for w in view.widgets}


async def test_the_published_template_of_highest_priority_that_fits_is_chosen(
    services: Services,
) -> None:
    ada, guest = await member(services), await visitor(services)
    assert template_choice.chosen(services, ada).id == 0
    await services.db.execute("INSERT INTO feature_flags (key, enabled) VALUES ('new_front', true)")
    await memory.refresh(services)
    await designed(services, "All", priority=1)
    await designed(services, "Members", audience="members", priority=5)
    hidden = await designed(services, "Flagged", flag_key="new_front", priority=9)
    names = [template_choice.chosen(services, who).name for who in (ada, guest, None)]
    assert names == ["Members", "All", "All"]
    await layout_templates.change(services, ada, hidden, TemplateChange(flag_key=""))
    assert template_choice.chosen(services, None).name == "Flagged"
    await layout_templates.remove(services, ada, hidden)
    assert template_choice.chosen(services, None).name == "All"


async def test_a_flag_below_100_percent_counts_for_those_it_is_on_for_and_for_nobody_unknown(
    services: Services,
) -> None:
    ada, bob = await member(services), await member(services, "bob@example.org")
    sql = "INSERT INTO feature_flags (key, enabled, rollout_percentage, whitelist) VALUES ('new_front', true, 0, $1)"
    await services.db.execute(sql, [str(ada.id)])
    await memory.refresh(services)
    await designed(services, flag_key="new_front")
    found = [template_choice.chosen(services, who).name for who in (ada, bob, None)]
    assert found == ["Front", "", ""]
    await services.db.execute("UPDATE feature_flags SET rollout_percentage = 100")
    await memory.refresh(services)
    assert template_choice.chosen(services, None).name == "Front"


async def test_rows_of_a_published_version_never_change(services: Services) -> None:
    await designed(services)
    for statement in (
        "UPDATE template_widgets SET title = 'x'",
        "DELETE FROM template_widgets",
        "INSERT INTO template_widgets (template_id, version, key, type, x, y, w, h)"
        " SELECT id, 1, 'more', 'note', 0, 90, 2, 2 FROM layout_templates",
        "UPDATE layout_templates SET version = 0, state = 'draft'",
    ):
        with pytest.raises(asyncpg.RaiseError):
            async with services.tx() as tx:
                await tx.db.execute(statement)


async def test_a_locked_widget_is_the_operators_and_says_so(services: Services) -> None:
    slug, ada = await designed(services), await member(services)
    await lock(services, slug, "weather", "locked")
    for act in (
        page_widgets.place(services, ada, "home", "weather", Place(x=0, y=0)),
        page_widgets.place(services, ada, "home", "weather", Place(size="l")),
        page_widgets.place(services, ada, "home", "weather", Place(move="up", screen="phone")),
        page_widgets.patch(services, ada, "home", "weather", Patch(title="Mine")),
        page_widgets.patch(services, ada, "home", "weather", Patch(phone_hidden=True)),
        page_widgets.remove(services, ada, "home", "weather"),
    ):
        with pytest.raises(Conflict, match="“Weather” is the same for everybody") as refused:
            await act
        assert refused.value.code == "locked"
    assert not (await pages.shown(services, ada)).is_touched


async def test_a_pinned_widget_moves_and_stays(services: Services) -> None:
    slug, ada = await designed(services), await member(services)
    await lock(services, slug, "weather", "pinned")
    await page_widgets.place(services, ada, "home", "weather", Place(x=0, y=2, w=6))
    view = await page_widgets.patch(services, ada, "home", "weather", Patch(title="Outside"))
    assert places(view)["weather"] == (0, 2, 6, 3)
    for act in (
        page_widgets.remove(services, ada, "home", "weather"),
        page_widgets.patch(services, ada, "home", "weather", Patch(phone_hidden=True)),
    ):
        with pytest.raises(Conflict, match="has to stay"):
            await act


async def test_others_go_around_a_locked_widget_and_it_stays_where_it_is(
    services: Services,
) -> None:
    slug, ada = await designed(services), await member(services)
    await lock(services, slug, "weather", "locked")
    view = await page_widgets.remove(services, ada, "home", "search")
    assert places(view)["weather"] == (8, 2, 4, 3) and places(view)["news"] == (0, 0, 8, 6)
    view = await page_widgets.place(services, ada, "home", "news", Place(x=4, y=0))
    assert places(view)["news"] == (4, 5, 8, 6)
    view = await page_widgets.place(services, ada, "home", "links", Place(move="up"))
    assert places(view)["weather"] == (8, 2, 4, 3)


async def test_a_locked_widget_keeps_its_place_on_the_phone(services: Services) -> None:
    slug, ada = await designed(services), await member(services)
    await lock(services, slug, "news", "locked")
    view = await page_widgets.place(
        services, ada, "home", "links", Place(move="up", screen="phone")
    )
    view = await page_widgets.place(services, ada, "home", "links", Place(y=0, screen="phone"))
    order = [w.key for w in sorted(view.widgets, key=lambda w: w.phone_order)]
    assert order[:3] == ["links", "news", "search"]


async def test_a_new_version_comes_over_what_people_changed(services: Services) -> None:
    slug, ada = await designed(services), await member(services)
    await page_widgets.remove(services, ada, "home", "search")
    await page_widgets.patch(services, ada, "home", "news", Patch(title="My news"))
    await page_widgets.place(services, ada, "home", "weather", Place(x=0, y=0))
    rows = await services.db.fetch("SELECT * FROM page_widgets ORDER BY key")
    note = await template_drafts.add(services, ROOT, slug, "note", {"text": "Hello"})
    await template_drafts.place(services, ROOT, slug, note.widget.key, Place(x=0, y=0))
    await template_drafts.patch(
        services, ROOT, slug, "links", LockPatch(title="Places", lock="locked")
    )
    await publish(services, slug)
    assert await services.db.fetch("SELECT * FROM page_widgets ORDER BY key") == rows
    view = await pages.shown(services, ada)
    found = {w.key: w for w in view.widgets}
    assert "search" not in found and found["news"].title == "My news"
    assert places(view)[note.widget.key] == (0, 0, 4, 3) and places(view)["weather"] == (0, 3, 4, 3)
    assert (found["links"].title, found["links"].lock) == ("Places", "locked")


async def test_what_nobody_moved_follows_the_template(services: Services) -> None:
    slug, ada = await designed(services), await member(services)
    await page_widgets.remove(services, ada, "home", "search")
    kept = await services.db.fetch("SELECT key, removed FROM page_widgets")
    assert [dict(row) for row in kept] == [{"key": "search", "removed": True}]
    await template_drafts.place(services, ROOT, slug, "weather", Place(x=8, y=2, w=4, h=5))
    await publish(services, slug)
    assert places(await pages.shown(services, ada))["weather"] == (8, 0, 4, 5)


async def test_a_dropped_widget_goes_unless_the_person_had_changed_it(services: Services) -> None:
    slug, ada, bob = await designed(services), await member(services), await member(services, "b@example.org")  # fmt: skip
    await page_widgets.patch(services, ada, "home", "links", Patch(title="My links"))
    await page_widgets.remove(services, bob, "home", "search")
    await template_drafts.remove(services, ROOT, slug, "links")
    await publish(services, slug)
    mine = {w.key: w for w in (await pages.shown(services, ada)).widgets}
    assert (mine["links"].origin, mine["links"].title) == ("own", "My links")
    assert "links" not in places(await pages.shown(services, bob))
    await page_widgets.remove(services, ada, "home", "links")
    assert "links" not in places(await pages.shown(services, ada))


async def test_one_notice_says_what_changed_until_it_is_put_away(browser: Browser) -> None:
    services = browser.services
    slug, ada = await designed(services), await member(services)
    await browser.sign_in(ada)
    await page_widgets.remove(services, ada, "home", "search")
    assert "The site changed this page" not in (await browser.get("/")).text
    await template_drafts.remove(services, ROOT, slug, "links")
    await lock(services, slug, "weather", "locked")
    text = (await browser.get("/")).text
    assert "“Weather” is now the same for everybody; “Links” is no longer part of it." in text
    assert "“Weather”" in (await browser.json("GET", "/api/pages/home")).json()["said"]
    answer = await browser.post("/pages/home/acknowledgements")
    assert answer.headers["location"] == "/"
    assert "The site changed this page" not in (await browser.get("/")).text


async def test_a_step_that_a_lock_now_forbids_is_left_out_with_a_sentence(
    browser: Browser,
) -> None:
    services = browser.services
    slug, ada = await designed(services), await member(services)
    await browser.sign_in(ada)
    await page_widgets.patch(services, ada, "home", "news", Patch(title="My news"))
    await page_widgets.patch(services, ada, "home", "weather", Patch(title="Outside"))
    await lock(services, slug, "weather", "locked")
    page = (await browser.json("POST", "/api/pages/home/undos")).json()
    assert page["said"].startswith("A step was left out: “Weather”")
    assert "My news" not in [w["title"] for w in page["widgets"]]
    assert not (await page_changes.reach(services, ada, "home")).can_undo
    await page_changes.redo(services, ada, "home")
    answer = await browser.post("/pages/home/redos")
    assert answer.cookies["vu_said"] == "step_skipped"


async def test_impact_counts_whom_a_publication_touches(services: Services) -> None:
    slug, ada = await designed(services, audience="members"), await member(services)
    await member(services, "bob@example.org")
    await visitor(services)
    await page_widgets.patch(services, ada, "home", "links", Patch(title="My links"))
    await page_widgets.patch(services, ada, "home", "weather", Patch(title="Outside"))
    await template_drafts.remove(services, ROOT, slug, "links")
    await template_drafts.patch(services, ROOT, slug, "weather", LockPatch(lock="locked"))
    found = await template_impact.of(services, slug)
    counts = (found.members, found.visitors, found.arranged, found.set_aside, found.become_own)
    assert counts == (2, 0, 1, 1, 1)
    assert [one.what for one in found.differences] == ["locked", "removed"]


async def test_what_would_fail_as_a_persons_layout_cannot_be_published(services: Services) -> None:
    slug = await designed(services)
    for _ in range(8):
        await template_drafts.add(services, ROOT, slug, "note", {})
    with pytest.raises(Invalid) as refused:
        await publish(services, slug)
    assert refused.value.errors[""] == "For this audience a page holds at most 12 widgets."
    await layout_templates.change(services, ROOT, slug, TemplateChange(audience="members"))
    await services.db.execute(
        "UPDATE template_widgets SET type = 'tickers' WHERE key LIKE 't%note'"
    )
    with pytest.raises(Invalid) as refused:
        await publish(services, slug)
    assert "one of the offered widgets" in str(refused.value.errors)
    assert (await layout_templates.by_slug(services, slug)).version == 1


async def test_a_draft_is_nobodys_page_and_can_be_thrown_away(services: Services) -> None:
    slug, ada = await designed(services), await member(services)
    await template_drafts.remove(services, ROOT, slug, "news")
    assert "news" in places(await pages.shown(services, ada))
    view = await template_drafts.discard(services, ROOT, slug)
    assert "news" in places(view)
    with pytest.raises(Conflict, match="people do not have yet"):
        await publish(services, slug)


async def test_strangers_get_the_template_in_the_shared_answer(browser: Browser) -> None:
    before = await browser.get("/")
    slug = await designed(browser.services, audience="visitors")
    await template_drafts.patch(
        browser.services, ROOT, slug, "links", LockPatch(title="Our places")
    )
    await publish(browser.services, slug)
    browser.client._transport.app.state["shared"].too_old = 0
    after = await browser.get("/")
    assert "Our places" in after.text and after.headers["etag"] != before.headers["etag"]


async def test_a_ready_page_of_a_member_is_made_anew_after_a_publication(browser: Browser) -> None:
    browser.client._transport.app.state["hub"].listening = True
    await browser.sign_in(await member(browser.services))
    first = await browser.get("/")
    slug = await designed(browser.services)
    await template_drafts.patch(
        browser.services, ROOT, slug, "links", LockPatch(title="Our places")
    )
    await publish(browser.services, slug)
    again = await browser.get("/", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 200 and "Our places" in again.text


async def test_the_editor_shows_a_lock_and_why(browser: Browser) -> None:
    slug = await designed(browser.services)
    await lock(browser.services, slug, "weather", "locked")
    page = (await browser.get("/?edit=1")).text
    assert page.count("The site keeps this widget as it is for everybody.") >= 1
    assert 'id="arrange-weather"' not in page and 'id="arrange-news"' in page


class Meddled(Database):
    """A database in which another process publishes the next version while one statement follows another."""

    async def fetch(self, query: str, *values: Any) -> Any:
        """Fetch, and then publish."""
        rows = await super().fetch(query, *values)
        await self.execute("UPDATE layout_templates SET version = 2")
        return rows


async def test_a_publication_while_templates_are_read_empties_no_page(services: Services) -> None:
    slug = await designed(services)
    await template_drafts.remove(services, ROOT, slug, "stocks")
    meddled = dataclasses.replace(services, db=Meddled(None, services.db.connection))
    await template_choice.refresh(meddled)
    base = template_choice.chosen(services, None)
    assert (base.version, len(base.items)) == (1, 5)
    await template_choice.refresh(services)
    base = template_choice.chosen(services, None)
    assert (base.version, len(base.items)) == (2, 4)


async def test_a_notice_names_nothing_that_its_reader_does_not_have(services: Services) -> None:
    slug, ada = await designed(services), await member(services)
    await page_widgets.patch(services, ada, "home", "news", Patch(title="Mine"))
    social = await template_drafts.add(services, ROOT, slug, "social_feed", {})
    wish = LockPatch(title="Secret plan", lock="locked")
    await template_drafts.patch(services, ROOT, slug, social.widget.key, wish)
    await publish(services, slug)
    assert social.widget.key not in places(await pages.shown(services, ada))
    assert "Secret plan" not in (await template_notices.shown(services, ada)).said


async def test_a_full_page_for_members_is_not_opened_to_visitors(services: Services) -> None:
    slug = await designed(services, audience="members")
    for _ in range(VISITOR_CEILING):
        await template_drafts.add(services, ROOT, slug, "note", {})
    # What is only drawn up is nobody's yet.
    await layout_templates.change(services, ROOT, slug, TemplateChange(audience="all"))
    await layout_templates.change(services, ROOT, slug, TemplateChange(audience="members"))
    await publish(services, slug)
    with pytest.raises(Invalid) as refused:
        await layout_templates.change(services, ROOT, slug, TemplateChange(audience="all"))
    assert list(refused.value.errors) == ["audience"]
    assert len((await pages.shown(services, None)).widgets) < VISITOR_CEILING
