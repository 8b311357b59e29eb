"""The operators' desk of feeds: listing, changing, clearing, removing, and what members suggest."""

import html
import re
from urllib.parse import quote

from app.domain.homepage import listed_feeds
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed
from tests.people import Browser, member

NEW = {"url": "courier.example/feed", "title": "Courier", "pace": "breaking", "default_on": True}


async def admin(services: Services, role: str = "super_admin") -> Reader:
    """An admin with that role."""
    return await member(services, f"{role}@example.org", role=role)


async def state(services: Services, feed_id: int) -> tuple[object, ...]:
    """What decides whether and how a feed is fetched."""
    row = await services.db.fetchrow(
        "SELECT state, failures, error_code, etag, next_fetch_at <= now() AS due FROM feeds WHERE id = $1",
        feed_id,
    )
    return tuple(row)


async def test_a_feed_is_listed_found_and_changed(browser: Browser, services: Services) -> None:
    await browser.sign_in(await admin(services))
    made = (await browser.json("POST", "/api/admin/feeds", NEW)).json()
    assert (made["url"], made["pace"], made["default_on"]) == (
        "https://courier.example/feed", "breaking", True)  # fmt: skip
    assert (await browser.json("POST", "/api/admin/feeds", NEW)).status_code == 409
    listed = (await browser.json("GET", "/api/admin/feeds?state=active&q=couri")).json()["items"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert (await browser.json("GET", "/api/admin/feeds?state=failing")).json()["items"] == []
    form = {
        "_method": "PATCH",
        "default_on": "off",
        "title": "The Courier",
        "refresh_minutes": "15",
    }
    await browser.post(f"/admin/feeds/{made['id']}", form)
    page = await browser.get(f"/admin/feeds/{made['id']}")
    assert "The Courier" in page.text
    found = await listed_feeds.by_id(services, made["id"])
    assert (found.default_on, found.refresh_minutes, found.pace) == (False, 15, "breaking")


async def test_bad_addresses_are_refused_with_the_field(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await admin(services))
    for url in ("", "ftp://x.example", "https://user:pw@x.example/", "x.example/?apikey=12345", "nonsense"):  # fmt: skip
        answer = await browser.json("POST", "/api/admin/feeds", {"url": url})
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["url"])
    answer = await browser.json("POST", "/api/admin/feeds", {"url": "a.example", "tag": "gossip"})
    assert list(answer.json()["errors"]) == ["tag"]


async def test_a_new_address_begins_anew_and_off_is_not_fetched(
    browser: Browser, services: Services
) -> None:
    courier = await feed(services, "courier")
    other = await feed(services, "other")
    await services.db.execute(
        "UPDATE feeds SET state = 'failing', failures = 7, error_code = 'timeout', etag = 'x' WHERE id = $1", courier)  # fmt: skip
    await browser.sign_in(await admin(services))
    path = f"/api/admin/feeds/{courier}"
    await browser.json("PATCH", path, {"url": "https://courier.example/new"})
    assert await state(services, courier) == ("active", 0, None, None, True)
    await services.db.execute(
        "UPDATE feeds SET state = 'gone', failures = 7 WHERE id = $1", courier
    )
    await browser.json("DELETE", f"/api/admin/feeds/{courier}/failures")
    assert (await state(services, courier))[0] == "active"
    await browser.json("PATCH", path, {"state": "disabled"})
    assert (await state(services, courier))[4] is None
    assert (await browser.json("DELETE", f"/api/admin/feeds/{courier}/failures")).status_code == 404
    taken = await browser.json("PATCH", path, {"url": "https://other.example/feed"})
    assert (taken.status_code, (await listed_feeds.by_id(services, other)).id) == (409, other)


async def test_a_new_name_asks_the_publisher_for_nothing(
    browser: Browser, services: Services
) -> None:
    courier = await feed(services, "courier")
    await services.db.execute("UPDATE feeds SET next_fetch_at = now() + interval '1 day'")
    await browser.sign_in(await admin(services))
    path = f"/api/admin/feeds/{courier}"
    await browser.json("PATCH", path, {"title": "The Courier", "default_on": False})
    assert (await state(services, courier))[4] is False
    await browser.json("PATCH", path, {"pace": "breaking"})
    assert (await state(services, courier))[4] is True


async def test_a_feed_that_is_listed_again_is_fetched_again(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await admin(services))
    made = (await browser.json("POST", "/api/admin/feeds", NEW)).json()
    await browser.json("DELETE", f"/api/admin/feeds/{made['id']}")
    again = (await browser.json("POST", "/api/admin/feeds", NEW)).json()
    await listed_feeds.delete_removed(services, made["id"])
    assert (again["id"], again["state"]) == (made["id"], "active")
    assert await state(services, made["id"]) == ("active", 0, None, None, True)


async def test_what_was_typed_is_shown_again_beside_what_is_wrong(
    browser: Browser, services: Services
) -> None:
    courier = await feed(services, "courier")
    await browser.sign_in(await admin(services))
    form = {"_method": "PATCH", "title": "Typed name", "url": "ftp://typed.example", "pace": "slow"}
    page = await browser.post(f"/admin/feeds/{courier}", form)
    assert page.status_code == 422
    assert "Typed name" in page.text and "ftp://typed.example" in page.text
    assert re.search(r'value="slow"[^>]*checked', page.text)


async def test_ops_reads_and_refreshes_and_changes_nothing(
    browser: Browser, services: Services
) -> None:
    courier = await feed(services, "courier")
    await services.db.execute("UPDATE feeds SET next_fetch_at = now() + interval '1 day'")
    await browser.sign_in(await admin(services, "ops"))
    assert (await browser.get("/admin/feeds")).status_code == 200
    assert "List feed" not in (await browser.get("/admin/feeds")).text
    assert (await browser.json("PATCH", f"/api/admin/feeds/{courier}", {"title": "x"})).status_code == 403  # fmt: skip
    await browser.json("POST", f"/api/admin/feeds/{courier}/refreshes")
    assert (await state(services, courier))[4] is True


async def test_what_members_brought_is_not_on_the_desk(
    browser: Browser, services: Services
) -> None:
    secret = await feed(services, "secretpaper", visibility="member", default_on=False)
    await browser.sign_in(await admin(services))
    assert "ecretpaper" not in (await browser.get("/admin/feeds")).text
    assert (await browser.get(f"/admin/feeds/{secret}")).status_code == 404
    assert "ecretpaper" not in (await browser.get("/admin/feeds/suggestions")).text


async def test_a_removed_feed_leaves_the_lists_at_once_and_saved_stories_hold_it(
    browser: Browser, services: Services
) -> None:
    courier = await feed(services, "courier")
    story = await item(services, courier, "Kept for later")
    await browser.sign_in(who := await admin(services))
    await browser.json("PUT", f"/api/news/items/{story}/saved")
    refused = await browser.json("DELETE", f"/api/admin/feeds/{courier}")
    assert (refused.status_code, "1 person has saved" in refused.text) == (409, True)
    await browser.json("DELETE", f"/api/news/items/{story}/saved")
    await browser.json("DELETE", f"/api/admin/feeds/{courier}", {"reason": "closed"})
    assert (await browser.json("GET", f"/api/admin/feeds/{courier}")).status_code == 404
    await listed_feeds.delete_removed(services, courier)
    left = "SELECT (SELECT count(*) FROM feeds WHERE id = $1) + (SELECT count(*) FROM feed_items) + (SELECT count(*) FROM stories)"
    assert await services.db.fetchval(left, courier) == 0
    acts = await services.db.fetch("SELECT action FROM audit_log WHERE actor_id = $1", who.id)
    assert [act["action"] for act in acts] == ["feed.removed"]


async def test_a_default_that_goes_is_gone_from_visitors_pages(
    browser: Browser, services: Services
) -> None:
    await item(services, await feed(services, "steady"), "Steady news")
    courier = await feed(services, "courier")
    await item(services, courier, "Gone tomorrow")
    assert "Gone tomorrow" in (first := await browser.get("/widgets/news")).text
    await browser.sign_in(await admin(services))
    await browser.json("PATCH", f"/api/admin/feeds/{courier}", {"default_on": False})
    browser.sign_out()
    again = await browser.get("/widgets/news", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, "Gone tomorrow" in again.text) == (200, False)


async def suggestion(services: Services, browser: Browser) -> int:
    """A feed that a member reads and suggests."""
    found = await feed(services, "village-green", visibility="member", default_on=False)
    await item(services, found, "Maypole mended")
    await subscribed(services, reader := await member(services), found)
    await browser.sign_in(reader)
    await browser.json("POST", f"/api/feeds/{found}/suggestions")
    return found


async def test_a_suggestion_is_accepted_and_its_member_told(
    browser: Browser, services: Services
) -> None:
    found = await suggestion(services, browser)
    await services.db.execute("INSERT INTO tags (slug, name) VALUES ('local', 'Local')")
    await browser.sign_in(await admin(services))
    assert "Maypole mended" in (await browser.get("/admin/feeds/suggestions")).text
    path = f"/api/admin/feeds/suggestions/{found}"
    left = await browser.json("PATCH", path, {"decision": "accept", "tag": "local"})
    assert left.json()["items"] == []
    assert (await listed_feeds.by_id(services, found)).tag == "local"
    assert (await browser.json("PATCH", path, {"decision": "accept"})).status_code == 404
    assert "in the catalogue" in await services.db.fetchval("SELECT title FROM notifications")


async def test_a_rejection_needs_a_reason_and_leaves_the_reader_their_feed(
    browser: Browser, services: Services
) -> None:
    found = await suggestion(services, browser)
    await browser.sign_in(await admin(services))
    path = f"/api/admin/feeds/suggestions/{found}"
    answer = await browser.json("PATCH", path, {"decision": "reject", "reason": "dull"})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["reason"])
    await browser.json("PATCH", path, {"decision": "reject", "reason": "spam"})
    row = await services.db.fetchrow("SELECT visibility, rejected_for FROM feeds WHERE id = $1", found)  # fmt: skip
    assert tuple(row) == ("member", "spam")
    reader = await services.db.fetchval("SELECT user_id FROM feed_subscriptions WHERE feed_id = $1", found)  # fmt: skip
    assert await services.db.fetchval("SELECT body FROM notifications WHERE user_id = $1", reader)


async def test_no_feed_is_lost_or_shown_twice_when_the_last_one_left_the_list_or_got_a_new_name(
    browser: Browser, services: Services
) -> None:
    ids = [await feed(services, name) for name in ("alpha", "bravo", "charlie", "delta")]
    await browser.sign_in(await admin(services))
    at = "/api/admin/feeds?limit=2"
    first = (await browser.json("GET", at)).json()
    assert [one["id"] for one in first["items"]] == ids[:2]
    for change in ("visibility = 'member'", "visibility = 'listed', title = 'Zulu'"):
        await services.db.execute(f"UPDATE feeds SET {change} WHERE id = $1", ids[1])
        cursor = quote(first["next"])
        following = (await browser.json("GET", f"{at}&cursor={cursor}")).json()["items"]
        assert [one["id"] for one in following] == ids[2:]
    await services.db.execute("DELETE FROM feeds WHERE id = $1", ids[1])
    page = await browser.get("/admin/feeds?limit=1")
    link = html.unescape(re.search(r'href="([^"]*cursor=[^"]*)"', page.text)[1])  # type: ignore[index]
    shown = (await browser.get(f"{link}&limit=1")).text
    assert "Charlie" in shown and "Alpha" not in shown
    assert (await browser.json("GET", f"{at}&cursor=nonsense")).status_code == 422
