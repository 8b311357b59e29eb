"""Findings: written once while they are open, closed by what mends them or by hand, and listed for those who look."""

import pytest

from app.domain.homepage import documents
from app.domain.platform import quality_checks
from app.domain.platform.flags import shipped
from app.services import Services
from tests.homepage import newsroom
from tests.homepage.job_runs import run_jobs
from tests.people import Browser, member

OPEN = "SELECT name, bad, sample, says FROM quality_checks WHERE closed_at IS NULL ORDER BY id"


async def open_ones(services: Services) -> list[tuple[object, ...]]:
    """What is open: name, how many, sample."""
    return [(row["name"], row["bad"], row["sample"]) for row in await services.db.fetch(OPEN)]


@pytest.fixture
async def admin(browser: Browser, services: Services) -> Browser:
    """A browser of an admin who keeps the site running."""
    await browser.sign_in(await member(services, "ops@example.org", role="ops"))
    return browser


async def test_a_finding_is_written_once_while_it_is_open(services: Services) -> None:
    assert await quality_checks.add(services, "orphans", "item 7", "A picture is gone")
    assert not await quality_checks.add(services, "orphans", "item 7", "Still gone")
    assert await quality_checks.add(services, "orphans", "item 8")
    assert await quality_checks.close(services, "orphans", "item 7")
    assert not await quality_checks.close(services, "orphans", "item 7")
    assert await quality_checks.add(services, "orphans", "item 7")
    assert len(await open_ones(services)) == 2


async def test_a_new_look_takes_the_place_of_the_last(services: Services) -> None:
    await quality_checks.record(services, "orphans", 30, range(30))
    await quality_checks.record(services, "orphans", 2, [1, 2])
    assert await open_ones(services) == [("orphans", 2, ["1", "2"])]
    await quality_checks.record(services, "orphans", 0)
    assert await open_ones(services) == []
    rows = await services.db.fetch(
        "SELECT bad, cardinality(sample) FROM quality_checks ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [(30, 20), (2, 2), (0, 0)]


async def test_a_check_that_nobody_described_is_a_mistake(services: Services) -> None:
    with pytest.raises(LookupError):
        await quality_checks.add(services, "made_up", "x")


async def test_findings_are_listed_and_closed_by_hand(admin: Browser, services: Services) -> None:
    await quality_checks.add(services, "orphans", "item 7", "Its picture is gone")
    found = (await admin.json("GET", "/admin/api/ops/quality")).json()
    assert (found["total"], found["items"][0]["sample"]) == (1, ["item 7"])
    page = (await admin.get("/admin/ops/quality")).text
    assert "Rows that point to something that is gone" in page and "Its picture is gone" in page
    address = f"/admin/ops/quality/{found['items'][0]['id']}"
    assert (await admin.post(address, {"_method": "DELETE"})).status_code == 303
    assert (await admin.json("DELETE", f"/admin/api{address[6:]}")).status_code == 404
    assert "Nothing is open" in (await admin.get("/admin/ops/quality")).text
    action = "SELECT action FROM audit_log ORDER BY id DESC LIMIT 1"
    assert await services.db.fetchval(action) == "finding.closed"


async def test_who_may_only_look_closes_nothing(browser: Browser, services: Services) -> None:
    await quality_checks.add(services, "orphans", "item 7")
    await browser.sign_in(await member(services, role="read_only"))
    assert "/admin/ops/quality/" not in (await browser.get("/admin/ops/quality")).text
    number = await services.db.fetchval("SELECT id FROM quality_checks")
    assert (await browser.json("DELETE", f"/admin/api/ops/quality/{number}")).status_code == 403


async def test_figures_tell_what_is_open(services: Services) -> None:
    await quality_checks.record(services, "orphans", 3, [1])
    await quality_checks.show_figures(services)
    assert quality_checks.BAD_ROWS.labels("orphans")._value.get() == 3
    assert quality_checks.BAD_ROWS.labels("preferences")._value.get() == 0


async def test_a_flag_changed_without_a_reason_is_a_finding(
    admin: Browser, services: Services
) -> None:
    await shipped.seed(services)
    await admin.sign_in(await member(services, "root@example.org", role="super_admin"))
    for body in ({"enabled": False, "reason": "It is time"}, {"enabled": True}):
        answer = await admin.json("PATCH", "/admin/api/feature-flags/radar_overlay", body)
        assert answer.status_code == 200, answer.text
    [(name, _, [subject])] = await open_ones(services)
    assert (name, subject.startswith("radar_overlay version ")) == ("flag_reasons", True)


PREFERENCES = "INSERT INTO preferences (user_id, schema_version, doc) VALUES ($1, $2, $3)"


async def test_preferences_that_cannot_be_read_show_defaults_and_are_found(
    browser: Browser, services: Services
) -> None:
    who = await member(services)
    await services.db.execute(PREFERENCES, who.id, 1, {"theme": {"mode": "purple"}})
    await browser.sign_in(who)
    for path in ("/", "/preferences", "/news", "/widgets"):
        assert (await browser.get(path)).status_code == 200
    await documents.check(services)
    assert await open_ones(services) == [("preferences", 1, [f"member {who.id}"])]
    await services.db.execute("UPDATE preferences SET doc = '{}'")
    await documents.check(services)
    assert await open_ones(services) == []


async def test_a_document_of_an_unknown_version_is_found(services: Services) -> None:
    who = await member(services)
    await services.db.execute(PREFERENCES, who.id, 0, {})
    await documents.check(services)
    [found] = await open_ones(services)
    assert found == ("documents_without_version", 1, [f"preferences of {who.id}"])


PAGE = "INSERT INTO pages (user_id, slug, name) VALUES ($1, 'home', 'Home') RETURNING id"
WIDGET = """
INSERT INTO page_widgets (page_id, key, origin, type, settings, x, y, w, h)
VALUES ($1, $2, 'own', $3, $4, 0, $5, 4, 4)
"""


async def test_a_widget_with_spoilt_settings_shows_its_defaults_and_is_found(
    browser: Browser, services: Services
) -> None:
    who = await member(services)
    page = await services.db.fetchval(PAGE, who.id)
    await services.db.execute(WIDGET, page, "own1", "note", {"text": 7, "shout": True}, 0)
    await services.db.execute(WIDGET, page, "own2", "rss_feed", {"feed_id": 10**9}, 4)
    await browser.sign_in(who)
    assert (await browser.get("/")).status_code == 200
    await documents.check(services)
    assert await open_ones(services) == [
        ("widget_settings", 1, [f"page {page}, own1"]),
        ("orphans", 1, [f"feed of widget own2 on page {page}"]),
    ]


YESTERDAY = """
UPDATE feed_items SET fetched_at = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 hour'
"""
WORD = "INSERT INTO tags (slug, name) VALUES ('rain', 'Rain') RETURNING id"
TAG = "INSERT INTO item_tags (item_id, tag_id, origin) VALUES ($1, $2, 'rules')"


async def test_a_day_under_80_percent_tagged_is_found_until_it_is_tagged(
    services: Services,
) -> None:
    paper = await newsroom.feed(services, "paper")
    items = [await newsroom.item(services, paper, f"Title {number}") for number in range(10)]
    await services.db.execute(YESTERDAY)
    word = await services.db.fetchval(WORD)
    for item in items[:7]:
        await services.db.execute(TAG, item, word)
    await documents.check(services)
    [row] = await services.db.fetch(OPEN)
    assert (row["name"], row["says"]) == ("untagged_days", "70% of 10 items have a tag.")
    await services.db.execute(TAG, items[7], word)
    await documents.check(services)
    assert await open_ones(services) == []


async def test_what_only_its_owner_reads_needs_no_tag(services: Services) -> None:
    who = await member(services)
    own = await newsroom.feed(services, "own")
    await services.db.execute(
        "UPDATE feeds SET visibility = 'private', owner_id = $2, url = NULL, url_enc = 'x', default_on = false WHERE id = $1",
        own,
        who.id,
    )
    for number in range(3):
        await newsroom.item(services, own, f"Title {number}")
    await services.db.execute(YESTERDAY)
    await documents.check(services)
    assert await open_ones(services) == []


async def test_an_open_finding_that_is_found_again_takes_the_new_words(services: Services) -> None:
    assert await quality_checks.add(services, "ai_books", "2026-11", "one")
    first = await services.db.fetchrow("SELECT id, looked_at FROM quality_checks")
    assert not await quality_checks.add(services, "ai_books", "2026-11", "two")
    [row] = await services.db.fetch("SELECT id, looked_at, says FROM quality_checks")
    assert tuple(row) == (*first, "two")


async def test_the_nightly_job_looks(services: Services) -> None:
    async with services.tx() as tx:
        await tx.enqueue("check_documents")
    assert await run_jobs(services, "check_documents") == 1
    names = {row["name"] for row in await services.db.fetch("SELECT name FROM quality_checks")}
    assert names == {"preferences", "documents_without_version", "widget_settings", "orphans"}
