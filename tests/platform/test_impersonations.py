"""Seeing the site as someone: the banner, what stays closed, the minute it ends, and what the member learns."""

import pytest

from app.domain.platform import impersonations
from app.domain.platform.readers import Reader
from app.services import Services
from app.web.routes import ENDPOINTS
from app.web.seen_as import NEVER
from tests.people import Browser, member

REASON = "They cannot find their links."


async def seen_as(
    browser: Browser, services: Services, role: str = "support", **wish: object
) -> Reader:
    """A browser in which an admin sees the site as a member."""
    target = await member(services, "target@example.org")
    await browser.sign_in(await member(services, f"{role}@example.org", role))
    asked = {"user_id": target.id, "reason": REASON, **wish}
    answer = await browser.json("POST", "/admin/api/impersonations", asked)
    assert answer.status_code == 201, answer.text
    return target


PAGES = ("/", "/news", "/links", "/preferences", "/settings/activity", "/nowhere", "/admin/jobs")


async def test_the_member_hears_of_it_in_the_bell_at_once(
    browser: Browser, services: Services
) -> None:
    target = await seen_as(browser, services)
    row = await services.db.fetchrow("SELECT user_id, title, body, url FROM notifications")
    assert (row["user_id"], row["url"]) == (target.id, "/settings/activity")
    assert row["title"] == "An admin saw the site as you" and REASON in row["body"]


async def test_every_page_has_the_banner_in_its_bytes(browser: Browser, services: Services) -> None:
    await seen_as(browser, services)
    for path in (*PAGES, *PAGES):
        text = (await browser.get(path)).text
        assert "You see the site as Target · 15 min left" in text, path
        assert 'action="/admin/impersonations/current"' in text
    twin = await browser.json("GET", "/api/links")
    assert twin.headers["x-impersonating"]


async def test_the_members_own_page_never_has_the_banner(
    browser: Browser, services: Services
) -> None:
    target = await seen_as(browser, services)
    await browser.get("/")
    await browser.sign_in(target)
    for path in PAGES:
        answer = await browser.get(path)
        assert "You see the site as" not in answer.text
        assert "x-impersonating" not in answer.headers


async def test_the_site_is_the_members_and_not_the_admins(
    browser: Browser, services: Services
) -> None:
    target = await member(services, "owner@example.org")
    await browser.sign_in(target)
    await browser.json("POST", "/api/links", {"url": "https://target.example/"})
    admin = await member(services, role="super_admin")
    await browser.sign_in(admin)
    wish = {"user_id": target.id, "reason": REASON}
    await browser.json("POST", "/admin/api/impersonations", wish)
    assert "target.example" in (await browser.get("/links")).text
    assert (await browser.json("GET", "/admin/api/users")).status_code == 404


async def test_reading_is_the_default_and_writes_are_for_a_super_admin_who_asks(
    browser: Browser, services: Services
) -> None:
    await seen_as(browser, services)
    refused = await browser.json("POST", "/api/links", {"url": "https://a.example/"})
    assert (refused.status_code, refused.json()["code"]) == (403, "impersonating")
    await browser.json("DELETE", "/admin/api/impersonations/current")
    target = await member(services, "other@example.org")
    wish = {"user_id": target.id, "reason": REASON, "writes": True}
    answer = await browser.json("POST", "/admin/api/impersonations", wish)
    assert answer.status_code == 403


async def test_a_write_is_the_members_and_is_written_down_with_both_ids(
    browser: Browser, services: Services
) -> None:
    target = await seen_as(browser, services, "super_admin", writes=True)
    answer = await browser.json("POST", "/api/links", {"url": "https://a.example/"})
    assert answer.status_code == 201
    assert await services.db.fetchval("SELECT user_id FROM quick_links") == target.id
    row = await services.db.fetchrow(
        "SELECT actor_id, as_user_id, after FROM audit_log WHERE action = 'impersonation.wrote'"
    )
    assert row["actor_id"] not in (None, target.id) and row["as_user_id"] == target.id
    assert row["after"]["path"] == "/links"


LINKS = (
    "SELECT u.email::text, l.url FROM quick_links l JOIN users u ON u.id = l.user_id ORDER BY l.id"
)


@pytest.mark.parametrize("ending", ["stopped", "at its minute", "signed out", "another tab"])
async def test_a_stale_tab_acts_as_nobody_but_the_admin_after_the_end(
    browser: Browser, services: Services, ending: str
) -> None:
    target = await seen_as(browser, services, "super_admin", writes=True)
    page = (await browser.get("/links")).text
    assert "You see the site as" in page
    if ending == "stopped":
        await browser.post("/admin/impersonations/current", {"_method": "DELETE"})
    elif ending == "another tab":
        stretch = await services.db.fetchval("SELECT max(id) FROM impersonation_audit")
        await impersonations.finish(services, stretch)
    elif ending == "at its minute":
        await services.db.execute(
            "UPDATE impersonation_audit SET started_at = now() - interval '16 min', expires_at = now() - interval '1 min'"
        )
    else:
        await services.db.execute("UPDATE sessions SET ended_at = now() WHERE impersonation_id > 0")
    # The forms of the page that stands open yet, and what its scripts ask.
    await browser.post("/links", {"url": "https://stale.example/"})
    for path in ("/links", "/widgets/changes?page=home", "/notifications"):
        answer = await browser.fragment(path)
        assert "x-impersonating" not in answer.headers and "Target" not in answer.text
    owners = {row["email"] for row in await services.db.fetch(LINKS)}
    assert target.email not in owners
    assert (owners == {"super_admin@example.org"}) is (ending != "signed out")


def closed() -> list[tuple[str, str]]:
    """Every address of the map that stays the member's own, with a value for each of its parts."""
    found = []
    for endpoint in ENDPOINTS:
        if not NEVER.isdisjoint(endpoint.path.split("/")):
            path = endpoint.path.replace(":int}", "}").replace(":path}", "}")
            found.append((endpoint.method, path.replace("{", "1").replace("}", "")))
    return found


@pytest.mark.parametrize("writes", [False, True])
async def test_what_is_the_members_own_stays_closed(
    browser: Browser, services: Services, writes: bool
) -> None:
    await seen_as(browser, services, "super_admin", writes=writes)
    for method, path in closed():
        if path.startswith("/admin"):
            continue
        path = path.replace("1id", "1").replace("1provider", "google")
        answer = await browser.ask(method, path, headers={"hx-request": "true"})
        assert answer.status_code == 403, f"{method} {path}"
        assert "Stop first" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/auth/login",
        "/settings/sessions",
        "/settings/tokens",
        "/auth/logout",
        "/privacy-choices",
        "/welcome",
    ],
)
def test_the_ways_in_and_the_tokens_are_on_the_closed_list(path: str) -> None:
    assert path in [address for _method, address in closed()]


async def test_it_is_over_at_the_minute(browser: Browser, services: Services) -> None:
    target = await seen_as(browser, services)
    await services.db.execute("UPDATE impersonation_audit SET expires_at = now()")
    answer = await browser.get("/admin/users")
    assert answer.status_code == 200
    assert "You see the site as" not in answer.text
    stretch = await services.db.fetchval("SELECT id FROM impersonation_audit")
    await impersonations.end_at_its_minute(services, stretch)
    await impersonations.end_at_its_minute(services, stretch)
    ends = await services.db.fetch(
        "SELECT as_user_id FROM audit_log WHERE action = 'impersonation.ended'"
    )
    assert [row["as_user_id"] for row in ends] == [target.id]


async def test_its_end_is_written_in_the_ledger_when_it_begins(
    browser: Browser, services: Services
) -> None:
    await seen_as(browser, services, minutes=7)
    jobs = await services.db.fetch(
        "SELECT job_type, extract(epoch FROM run_at - created_at) / 60 AS minutes FROM delayed_jobs ORDER BY run_at"
    )
    assert [row["job_type"] for row in jobs] == ["end_impersonation", "tell_seen_as_you"]
    assert [round(row["minutes"]) for row in jobs] == [7, 24 * 60]


async def test_stop_works_without_script(browser: Browser, services: Services) -> None:
    target = await seen_as(browser, services)
    answer = await browser.post("/admin/impersonations/current", {"_method": "DELETE"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/admin/users/{target.id}"
    assert (await browser.get("/admin/users")).status_code == 200
    assert (await browser.json("DELETE", "/admin/api/impersonations/current")).status_code == 404


async def test_one_at_a_time(browser: Browser, services: Services) -> None:
    target = await member(services, "a@example.org")
    admin = await member(services, "b@example.org", "support")
    wish = {"user_id": target.id, "reason": REASON}
    for status in (201, 409):
        await browser.sign_in(admin)
        answer = await browser.json("POST", "/admin/api/impersonations", wish)
        assert answer.status_code == status
    await services.db.execute("UPDATE impersonation_audit SET expires_at = now()")
    answer = await browser.json("POST", "/admin/api/impersonations", wish)
    assert answer.status_code == 201


async def test_whoever_signed_out_instead_of_stopping_can_begin_again(
    browser: Browser, services: Services
) -> None:
    target = await seen_as(browser, services)
    await services.db.execute("UPDATE sessions SET ended_at = now(), ended_why = 'signed_out'")
    admin = await services.db.fetchval("SELECT impersonator_id FROM impersonation_audit")
    await browser.sign_in(Reader(id=admin, kind="member"))
    wish = {"user_id": target.id, "reason": REASON}
    assert (await browser.json("POST", "/admin/api/impersonations", wish)).status_code == 201
    ends = "SELECT count(*) FROM audit_log WHERE action = 'impersonation.ended'"
    assert await services.db.fetchval(ends) == 1


@pytest.mark.parametrize(
    "flaw", ["role = 'ops'", "banned_until = now() + interval '1 day'", "closed_at = now()"]
)
async def test_only_members_without_role_and_ban_are_seen_as(
    browser: Browser, services: Services, flaw: str
) -> None:
    target = await seen_as(browser, services)
    await services.db.execute(f"UPDATE users SET {flaw} WHERE id = $1", target.id)
    # It ends while it lasts, and does not begin again.
    assert "You see the site as" not in (await browser.get("/admin/users")).text
    wish = {"user_id": target.id, "reason": REASON}
    await services.db.execute("UPDATE impersonation_audit SET ended_at = now()")
    answer = await browser.json("POST", "/admin/api/impersonations", wish)
    assert answer.status_code == 404


async def test_an_admin_who_loses_the_right_sees_the_site_as_themselves(
    browser: Browser, services: Services
) -> None:
    await seen_as(browser, services)
    await services.db.execute("UPDATE users SET role = 'ops' WHERE role = 'support'")
    assert (await browser.json("GET", "/admin/api/jobs")).status_code == 200


@pytest.mark.parametrize("wish", [{"reason": "too short"}, {"minutes": 61}, {"minutes": 0}])
async def test_a_reason_of_ten_letters_and_at_most_an_hour(
    browser: Browser, services: Services, wish: dict[str, object]
) -> None:
    target = await member(services, "a@example.org")
    await browser.sign_in(await member(services, "b@example.org", "support"))
    asked = {"user_id": target.id, "reason": REASON, **wish}
    assert (await browser.json("POST", "/admin/api/impersonations", asked)).status_code == 422
    form = await browser.post("/admin/impersonations", asked)
    assert form.status_code == 422


async def test_the_member_sees_it_at_once_and_gets_a_letter(
    browser: Browser, services: Services
) -> None:
    target = await seen_as(browser, services)
    await browser.get("/links")
    stretch = await services.db.fetchval("SELECT id FROM impersonation_audit")
    await impersonations.tell(services, stretch)
    await impersonations.tell(services, stretch)
    letters = await services.db.fetch("SELECT to_address::text, text_body FROM emails")
    assert [row["to_address"] for row in letters] == [target.email]
    assert REASON in letters[0]["text_body"]
    await browser.sign_in(target)
    page = await browser.get("/settings/activity")
    assert "began to see the site as you" in page.text
    assert "support@example.org" not in page.text


async def test_the_list_shows_who_saw_the_site_as_whom(
    browser: Browser, services: Services
) -> None:
    await seen_as(browser, services)
    await browser.get("/links")
    await browser.json("DELETE", "/admin/api/impersonations/current")
    [row] = (await browser.json("GET", "/admin/api/impersonations")).json()["items"]
    assert row["target_name"] == "Target" and row["ended_at"] and row["pages"] >= 1
    assert REASON in (await browser.get("/admin/impersonations")).text


async def test_an_admin_who_is_banned_meanwhile_changes_nothing_as_the_member(
    browser: Browser, services: Services
) -> None:
    await seen_as(browser, services, "super_admin", writes=True)
    link = {"url": "https://goats.example/"}
    assert (await browser.json("POST", "/api/links", link)).status_code == 201
    await services.db.execute(BANNED)
    answer = await browser.json("POST", "/api/links", {"url": "https://sheep.example/"})
    assert (answer.status_code, answer.json()["code"]) == (403, "banned")
    assert (await browser.get("/links")).status_code == 200


BANNED = "UPDATE users SET banned_until = now() + interval '1 day' WHERE role = 'super_admin'"
