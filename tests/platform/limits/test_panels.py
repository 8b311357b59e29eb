"""The panels: limits changed with a reason, violations by filter, bans added and lifted, and a list for firewalls."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.platform import bans, limiters, rate_limits, rate_violations
from app.domain.platform.limiters import Limit, Subject
from app.services import Services
from tests.people import Browser, member

ONE = "/admin/rate-limits/search/anonymous"


@pytest.fixture
async def admin(services: Services, browser: Browser) -> Browser:
    """The browser of an admin who may change limits."""
    await browser.sign_in(await member(services, "ops@example.org", role="ops"))
    return browser


async def test_a_limit_is_changed_with_a_reason_and_audited(admin: Browser) -> None:
    assert (await admin.json("PATCH", ONE, {"limit_count": 3})).status_code == 422
    changed = {"limit_count": 3, "reason": "Scrapers since noon."}
    answer = await admin.json("PATCH", "/admin/api/rate-limits/search/anonymous", changed)
    assert answer.status_code == 200
    assert answer.json()["limit_count"] == 3
    assert answer.json()["window_seconds"] == 60
    row = await admin.services.db.fetchrow(
        "SELECT * FROM audit_log WHERE action = 'rate_limit.changed' ORDER BY id DESC LIMIT 1"
    )
    assert (row["target_id"], row["reason"]) == ("search:anonymous", "Scrapers since noon.")
    assert (row["before"]["limit_count"], row["after"]["limit_count"]) == (20, 3)


async def test_a_changed_limit_holds_after_the_next_look(admin: Browser, alone: Services) -> None:
    await admin.json("PATCH", ONE, {"limit_count": 3, "window_seconds": 10, "reason": "Try."})
    limiter = alone.memory["limits"]
    assert limiter.limit("search", "anonymous") == Limit(20, 60)
    await limiters.refresh(alone)
    assert limiter.limit("search", "anonymous") == Limit(3, 10)


async def test_the_form_of_a_limit_works_without_script(admin: Browser) -> None:
    page = await admin.get(ONE)
    assert 'name="limit_count"' in page.text and 'value="20"' in page.text
    wrong = await admin.post(ONE, {"_method": "PATCH", "limit_count": "-1", "reason": "Because"})
    assert wrong.status_code == 422
    assert "at least 0" in wrong.text and 'value="Because"' in wrong.text
    right = await admin.post(ONE, {"_method": "PATCH", "limit_count": "7", "reason": "Because"})
    assert (right.status_code, right.headers["location"]) == (303, "/admin/rate-limits")
    assert ">7</a>" in (await admin.get("/admin/rate-limits")).text


@pytest.mark.parametrize("action", ["login", "login_address", "page"])
async def test_nobody_is_locked_out_by_a_limit_of_nothing(admin: Browser, action: str) -> None:
    path = f"/admin/rate-limits/{action}/anonymous"
    change = {"limit_count": 0, "reason": "Quiet, please."}
    answer = await admin.json("PATCH", f"/admin/api{path[6:]}", change)
    assert answer.status_code == 422
    assert "nobody could sign in" in answer.json()["errors"]["limit_count"]
    page = await admin.post(path, {"_method": "PATCH", **change})
    assert page.status_code == 422 and 'value="Quiet, please."' in page.text
    assert (await admin.json("PATCH", path, change | {"limit_count": 1})).status_code == 200
    closed = await admin.json("PATCH", "/admin/rate-limits/search/anonymous", change)
    assert closed.status_code == 200


async def test_a_ban_by_number_is_told_to_the_member(admin: Browser, services: Services) -> None:
    who = await member(services)
    ban = {"user_id": who.id, "hours": 24, "reason": "Selling fish."}
    assert (await admin.json("POST", "/admin/api/bans", ban)).status_code == 201
    letters = await services.db.fetch(
        "SELECT template, text_body FROM emails WHERE user_id = $1", who.id
    )
    assert [letter["template"] for letter in letters] == ["banned"]
    assert "Selling fish." in letters[0]["text_body"]


async def test_an_unknown_limit_is_not_there(admin: Browser) -> None:
    assert (await admin.get("/admin/rate-limits/search/nobody")).status_code == 404
    assert (await admin.get("/admin/rate-limits/goats/trusted")).status_code == 404


async def test_seeding_twice_changes_nothing_and_keeps_what_an_admin_changed(
    admin: Browser,
) -> None:
    assert await rate_limits.seed(admin.services) == 60
    await admin.json("PATCH", ONE, {"limit_count": 3, "reason": "Try."})
    assert await rate_limits.seed(admin.services) == 0
    assert (await rate_limits.one(admin.services, "search", "anonymous")).limit_count == 3
    listed = (await admin.json("GET", "/admin/api/rate-limits")).json()
    assert listed["total"] == len(listed["items"]) == 60


async def violate(services: Services, user_id: int) -> None:
    """One member and two addresses over limits."""
    for subject, action in (
        (Subject(user_id, None), "search"),
        (Subject(None, "203.0.113.7"), "search"),
        (Subject(None, "2001:db8::/64"), "page"),
    ):
        await rate_violations.write(services, subject, action, "logged_in", 2)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("user_id={id}", 1),
        ("ip_address=203.0.113.7", 1),
        ("ip_address=203.0.113.0/24", 1),
        ("ip_address=2001:db8::77", 1),
        ("action=search", 2),
        ("since=2020-01-01T00:00", 3),
        ("since=2199-01-01T00:00:00Z", 0),
        ("limit=2", 2),
    ],
)
async def test_violations_are_found_by_filter(admin: Browser, query: str, count: int) -> None:
    who = await member(admin.services)
    await violate(admin.services, who.id)
    address = f"/admin/rate-limits/violations?{query.format(id=who.id)}"
    assert len((await admin.json("GET", address)).json()["items"]) == count
    assert (await admin.get(address)).status_code == 200


async def test_a_filter_that_is_none_says_so(admin: Browser) -> None:
    for query in ("ip_address=goats", "since=noon"):
        answer = await admin.get(f"/admin/rate-limits/violations?{query}")
        assert answer.status_code == 422
        assert "Please write" in answer.text


async def test_who_may_only_look_sees_no_people(services: Services, browser: Browser) -> None:
    await violate(services, (await member(services)).id)
    await ban(services, network="203.0.113.7")
    await browser.sign_in(await member(services, "look@example.org", role="read_only"))
    for path in ("/admin/rate-limits/violations", "/admin/bans"):
        for answer in (await browser.get(path), await browser.json("GET", path)):
            assert answer.status_code == 200
            assert "203.0.113" not in answer.text and "2001:db8" not in answer.text
    probe = await browser.get("/admin/rate-limits/violations?ip_address=203.0.113.7")
    assert probe.status_code == 403
    assert (await browser.get("/admin/bans.txt")).status_code == 403
    assert "Ban somebody" not in (await browser.get("/admin/bans")).text


async def ban(services: Services, **whom: Any) -> bans.Ban:
    """A ban by rule for an hour."""
    end = datetime.now(UTC) + timedelta(hours=1)
    return await bans.add(services, None, reason="Too much.", ends_at=end, **whom)


async def test_a_network_is_banned_and_let_in_again_by_plain_forms(admin: Browser) -> None:
    form: dict[str, object] = {"network": "203.0.113.9/24", "hours": "24", "reason": "Scraping."}
    answer = await admin.post("/admin/bans", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/bans")
    page = (await admin.get("/admin/bans")).text
    assert "203.0.113.0/24" in page and "Yes, lift" in page
    ban_id = await admin.services.db.fetchval("SELECT max(id) FROM bans")
    lifted = await admin.post(f"/admin/bans/{ban_id}", {"_method": "DELETE"})
    assert lifted.status_code == 303
    assert "203.0.113.0/24" not in (await admin.get("/admin/bans")).text
    assert "203.0.113.0/24" in (await admin.get("/admin/bans?past=on")).text
    assert (await admin.json("DELETE", f"/admin/api/bans/{ban_id}")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": "127.0.0.1", "hours": 1, "reason": "Try."},
        {"network": "203.0.113.7", "reason": "No end."},
        {"network": "203.0.113.7", "ends_at": "2020-01-01T00:00", "reason": "A past end."},
        {"network": "203.0.113.7", "ends_at": "noon", "reason": "No time."},
        {"hours": 1, "reason": "Nobody."},
        {"network": "203.0.113.7", "hours": 1},
    ],
)
async def test_a_ban_that_cannot_be_is_refused(admin: Browser, wrong: dict[str, object]) -> None:
    answer = await admin.json("POST", "/admin/api/bans", wrong)
    assert answer.status_code == 422 and answer.json()["errors"]
    assert (await admin.post("/admin/bans", wrong)).status_code == 422
    assert await admin.services.db.fetchval("SELECT count(*) FROM bans") == 0


async def test_a_ban_by_the_twin_answers_the_ban(admin: Browser) -> None:
    who = await member(admin.services)
    body = {"user_id": who.id, "ends_at": "2199-01-24T12:00:00Z", "reason": "Spam."}
    answer = await admin.json("POST", "/admin/api/bans", body)
    assert answer.status_code == 201
    assert answer.json()["user_id"] == who.id
    assert answer.json()["ends_at"].startswith("2199-01-24T12:00:00")


async def test_a_firewall_reads_one_network_a_line(admin: Browser) -> None:
    for network in ("203.0.113.7", "2001:db8::/48", "198.51.100.0/24", "203.0.113.7"):
        await ban(admin.services, network=network)
    await ban(admin.services, user_id=(await member(admin.services)).id)
    answer = await admin.get("/admin/api/bans.txt")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "198.51.100.0/24\n203.0.113.7/32\n2001:db8::/48\n"
    assert (await admin.get("/admin/bans.txt")).text == answer.text


async def test_bans_go_on_by_cursor(admin: Browser) -> None:
    for n in range(5):
        await ban(admin.services, network=f"203.0.113.{n}")
    first = (await admin.json("GET", "/admin/api/bans?limit=3")).json()
    rest = (await admin.json("GET", f"/admin/api/bans?limit=3&cursor={first['next']}")).json()
    found = [one["network"] for one in first["items"] + rest["items"]]
    assert found == [f"203.0.113.{n}/32" for n in (4, 3, 2, 1, 0)]
    assert rest["next"] is None
