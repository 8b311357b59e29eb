"""The curators' list of tags: changing it, merging with undo, deciding on what the model proposed."""

from app.domain.homepage import tag_merges, tag_proposals
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.homepage.newsroom import feed, item, tagged
from tests.people import Browser, member

NEW = {"slug": "gardens", "name": "Gardens", "keywords": "Rose, rose\nOp-Ed", "description": "x"}


async def root(services: Services, browser: Browser) -> None:
    """Sign in as who may do everything."""
    await browser.sign_in(await member(services, "root@example.org", role="super_admin"))


async def on(services: Services, item_id: int) -> set[str]:
    """The tags of an item."""
    found = "SELECT t.slug FROM item_tags it JOIN tags t ON t.id = it.tag_id WHERE it.item_id = $1"
    return {row["slug"] for row in await services.db.fetch(found, item_id)}


async def test_a_tag_is_added_changed_and_retired(browser: Browser, services: Services) -> None:
    await root(services, browser)
    made = (await browser.json("POST", "/api/admin/tags", NEW)).json()
    assert (made["keywords"], made["state"]) == (["rose", "op ed"], "active")
    assert (await browser.json("POST", "/api/admin/tags", NEW)).status_code == 409
    for slug in ("Bad Slug", "proposals"):
        bad = await browser.json("POST", "/api/admin/tags", NEW | {"slug": slug})
        assert list(bad.json()["errors"]) == ["slug"]
    await browser.post(
        "/admin/tags/gardens", {"_method": "PATCH", "name": "Green", "keywords": "oak"}
    )
    assert "Green" in (await browser.get("/admin/tags")).text
    await browser.json("PATCH", "/api/admin/tags/gardens", {"state": "retired"})
    assert "gardens" not in (await browser.get("/news")).text
    assert (await browser.get("/admin/tags/nothing")).status_code == 404


async def test_a_merge_is_counted_made_and_undone(browser: Browser, services: Services) -> None:
    courier = await feed(services, "courier")
    one, both = await item(services, courier, "One"), await item(services, courier, "Both")
    for item_id, slug in ((one, "yoga"), (both, "yoga"), (both, "sports")):
        await tagged(services, item_id, slug)
    await services.db.execute("UPDATE feeds SET tag_id = (SELECT id FROM tags WHERE slug = 'yoga')")
    await root(services, browser)
    path = "/api/admin/tags/yoga/merges"
    tried = (await browser.json("POST", path, {"into": "sports", "dry_run": True})).json()
    assert (tried["items"], tried["feeds"], tried["id"]) == (2, 1, None)
    await browser.json("POST", path, {"into": "sports"})
    await run_jobs(services, "merge_tags")
    assert (await on(services, one), await on(services, both)) == ({"sports"}, {"sports"})
    assert "went into sports" in (await browser.get("/admin/tags/yoga")).text
    await browser.json("DELETE", path)
    await run_jobs(services, "undo_tag_merge")
    assert (await on(services, one), await on(services, both)) == ({"yoga"}, {"yoga", "sports"})
    slug = "SELECT t.slug FROM feeds f JOIN tags t ON t.id = f.tag_id"
    assert await services.db.fetchval(slug) == "yoga"


async def test_a_merge_is_final_after_seven_days_and_refuses_itself(
    browser: Browser, services: Services
) -> None:
    await tagged(services, await item(services, await feed(services, "courier"), "One"), "yoga")
    await services.db.execute("INSERT INTO tags (slug, name) VALUES ('sports', 'Sports')")
    await root(services, browser)
    path = "/api/admin/tags/yoga/merges"
    for into in ("yoga", "nothing"):
        answer = await browser.json("POST", path, {"into": into})
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["into"])
    await browser.json("POST", path, {"into": "sports"})
    await run_jobs(services, "merge_tags")
    await services.db.execute("UPDATE tag_merges SET created_at = now() - interval '8 days 1 hour'")
    assert (await browser.json("DELETE", path)).status_code == 409
    await tag_merges.purge(services)
    assert await services.db.fetchval("SELECT count(*) FROM tag_merge_items") == 0


async def test_proposals_are_counted_once_decided_and_stay_decided(
    browser: Browser, services: Services
) -> None:
    for number in range(7):
        await tag_proposals.note(services, [("Beekeeping", f"Bees {number}"), ("BEEKEEPING", "x")])
    await root(services, browser)
    (waiting,) = (await browser.json("GET", "/api/admin/tags/proposals")).json()["items"]
    assert (waiting["seen"], len(waiting["examples"])) == (7, 5)
    assert "Wanted 7 times" in (await browser.get("/admin/tags/proposals")).text
    path = f"/api/admin/tags/proposals/{waiting['id']}"
    await browser.json("PATCH", path, {"decision": "reject"})
    await tag_proposals.note(services, [("beekeeping", "again")])
    assert (await browser.json("GET", "/api/admin/tags/proposals")).json()["items"] == []
    assert (await browser.json("PATCH", path, {"decision": "accept"})).status_code == 404


async def test_a_proposal_becomes_a_tag_or_a_keyword(browser: Browser, services: Services) -> None:
    await services.db.execute("INSERT INTO tags (slug, name) VALUES ('local', 'Local')")
    await tag_proposals.note(services, [("Night markets", "a"), ("Hill walks", "b"), ("東京", "c")])
    await root(services, browser)
    ids = {one["name"]: one["id"] for one in (await browser.json("GET", "/api/admin/tags/proposals")).json()["items"]}  # fmt: skip
    await browser.json("PATCH", f"/api/admin/tags/proposals/{ids['Night markets']}", {"decision": "accept"})  # fmt: skip
    merge = {"decision": "merge", "into": "local"}
    await browser.json("PATCH", f"/api/admin/tags/proposals/{ids['Hill walks']}", merge)
    refused = await browser.json("PATCH", f"/api/admin/tags/proposals/{ids['東京']}", {"decision": "accept"})  # fmt: skip
    assert refused.status_code == 422
    rows = await services.db.fetch("SELECT slug, keywords FROM tags ORDER BY slug")
    assert [tuple(row) for row in rows] == [("local", ["hill walks"]), ("night-markets", [])]
