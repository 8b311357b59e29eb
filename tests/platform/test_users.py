"""Users, as admins see and help them: search, one person, bans, sign-outs, letters, and what the person learns of it."""

from datetime import UTC, datetime, timedelta

import pytest

from app.services import Services
from tests.people import Browser, cookie_of, member

SOON = (datetime.now(UTC) + timedelta(days=2)).isoformat()


async def found(browser: Browser, words: str) -> list[str]:
    answer = await browser.json("GET", f"/admin/api/users?q={words}")
    assert answer.status_code == 200
    return [row["email"] for row in answer.json()["items"]]


async def test_people_are_found_by_number_address_and_name(
    browser: Browser, services: Services
) -> None:
    ada = await member(services, "ada@example.org")
    await member(services, "bo_b@example.com")
    await browser.sign_in(await member(services, "support@example.net", "support"))
    assert await found(browser, str(ada.id)) == ["ada@example.org"]
    assert await found(browser, "ADA@EXAMPLE") == ["ada@example.org"]
    assert await found(browser, "Bo_b") == ["bo_b@example.com"]
    assert await found(browser, "B%25b") == []
    assert await found(browser, "9" * 40) == []
    assert "ada@example.org" in (await browser.get("/admin/users?q=ada")).text


async def test_the_list_goes_on_by_cursor(browser: Browser, services: Services) -> None:
    for number in range(5):
        await member(services, f"m{number}@example.org")
    await browser.sign_in(await member(services, "support@example.net", "support"))
    seen, cursor = [], ""
    while cursor is not None:
        answer = await browser.json(
            "GET", f"/admin/api/users?q=example.org&limit=2&cursor={cursor}"
        )
        seen += [row["email"] for row in answer.json()["items"]]
        cursor = answer.json()["next"]
    assert seen == [f"m{number}@example.org" for number in (4, 3, 2, 1, 0)]


async def test_opening_a_person_is_recorded_and_they_see_it(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    admin = await member(services, "support@example.net", "support")
    await browser.sign_in(admin)
    assert "ada@example.org" in (await browser.get(f"/admin/users/{ada.id}")).text
    row = await services.db.fetchrow("SELECT actor_id, action, target_id FROM audit_log")
    assert tuple(row) == (admin.id, "user.viewed", str(ada.id))
    await browser.sign_in(ada)
    [act] = (await browser.json("GET", "/api/settings/activity")).json()["items"]
    assert (act["action"], act["by"]) == ("user.viewed", "support")


async def test_a_ban_is_felt_written_down_and_told_by_letter(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    theirs = await cookie_of(services, ada)
    await browser.sign_in(await member(services, "support@example.net", "support"))
    form = {"_method": "PUT", "until": SOON[:16], "reason": "Selling fish"}
    assert (await browser.post(f"/admin/users/{ada.id}/ban", form)).status_code == 303
    letter = await services.db.fetchrow("SELECT template, text_body FROM emails")
    assert letter["template"] == "banned" and "Selling fish" in letter["text_body"]
    browser.carry(theirs)
    assert (await browser.json("PATCH", "/api/preferences", {"clock": "12"})).status_code == 403
    await browser.sign_in(await member(services, "other@example.net", "support"))
    path = f"/admin/api/users/{ada.id}/ban"
    assert (await browser.json("DELETE", path, {"reason": "Enough"})).status_code == 200
    assert (await browser.json("DELETE", path, {})).status_code == 404
    browser.carry(theirs)
    assert (await browser.json("PATCH", "/api/preferences", {"clock": "12"})).status_code == 200


@pytest.mark.parametrize("until", ["yesterday", "2001-01-01", "2999-01-01", ""])
async def test_a_ban_ends_at_a_time_to_come(
    browser: Browser, services: Services, until: str
) -> None:
    ada = await member(services)
    await browser.sign_in(await member(services, "support@example.net", "support"))
    form = {"_method": "PUT", "until": until, "reason": "Selling fish"}
    assert (await browser.post(f"/admin/users/{ada.id}/ban", form)).status_code == 422


async def test_nobody_bans_themselves_and_support_no_admin(
    browser: Browser, services: Services
) -> None:
    support = await member(services, "support@example.net", "support")
    ops = await member(services, "ops@example.net", "ops")
    await member(services, "last@example.net", "super_admin")
    root = await member(services, "root@example.net", "super_admin")
    ban = {"until": SOON, "reason": "x"}
    for who, target, status in (
        (support, support, 403),
        (support, ops, 403),
        (root, root, 403),
        (root, ops, 200),
    ):
        await browser.sign_in(who)
        answer = await browser.json("PUT", f"/admin/api/users/{target.id}/ban", ban)
        assert answer.status_code == status, (who.role, target.role)


async def test_a_person_is_signed_out_everywhere(browser: Browser, services: Services) -> None:
    ada = await member(services)
    theirs = await cookie_of(services, ada)
    await browser.sign_in(await member(services, "support@example.net", "support"))
    path = f"/admin/api/users/{ada.id}/sign-outs"
    answer = await browser.json("POST", path, {"reason": "Lost phone"})
    assert answer.json()["sessions"] == 0
    browser.carry(theirs)
    assert (await browser.json("GET", "/api/settings/sessions")).status_code == 401


async def test_a_fresh_letter_goes_to_the_person_and_not_to_the_admin(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    await browser.sign_in(await member(services, "support@example.net", "support"))
    path = f"/admin/api/users/{ada.id}/letters"
    answer = await browser.json("POST", path, {"reason": "Their mail was lost"})
    assert answer.status_code == 200
    letter = await services.db.fetchrow("SELECT to_address::text, text_body FROM emails")
    assert letter["to_address"] == "ada@example.org"
    link = next(word for word in letter["text_body"].split() if "token=" in word)
    assert link.partition("token=")[2] not in answer.text
