"""The account: name, zone and language, a new address, ways in, sessions, and the letter about a new browser."""

import re
from typing import Any

from app.services import Services
from tests.people import Browser, cookie_of, member
from tests.platform.oauth_trips import travelling

LAST = "SELECT to_address::text, template, text_body FROM emails ORDER BY id DESC LIMIT 1"
LETTERS = "SELECT count(*) FROM emails WHERE template = $1"
STALE = "UPDATE sessions SET fresh_until = now() - interval '1 second'"
OLDER = "UPDATE users SET created_at = now() - interval '1 day'"


async def token_of(services: Services) -> str:
    return (
        (await services.db.fetchval("SELECT text_body FROM emails ORDER BY id DESC LIMIT 1"))
        .split("token=")[1]
        .split()[0]
    )


async def in_by_letter(
    browser: Browser, services: Services, email: str = "ada@example.org"
) -> None:
    await browser.post("/auth/login", {"email": email})
    assert (
        await browser.post("/auth/link", {"token": await token_of(services)})
    ).status_code == 303


async def test_name_zone_and_language_are_shown_and_changed(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    form: dict[str, Any] = {
        "_method": "PATCH",
        "name": "Ada B.",
        "time_zone": "Europe/Oslo",
        "locale": "en",
    }
    answer = await browser.post("/settings/account", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/account")
    page = (await browser.get("/settings/account")).text
    assert 'value="Ada B."' in page and 'value="Europe/Oslo" selected' in page
    twin = (await browser.json("PATCH", "/api/settings/account", {"time_zone": None})).json()
    assert (twin["name"], twin["time_zone"], twin["email"]) == ("Ada B.", None, "ada@example.org")


async def test_what_cannot_be_kept_is_said_beside_its_field_with_the_input(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    form = {"_method": "PATCH", "name": "New name", "time_zone": "Mars/Olympus"}
    answer = await browser.post("/settings/account", form)
    assert answer.status_code == 422
    assert "There is no such time zone." in answer.text and 'value="New name"' in answer.text
    for wrong in ({"name": ""}, {"name": "x" * 81}, {"locale": "tlh"}):
        assert (await browser.json("PATCH", "/api/settings/account", wrong)).status_code == 422


async def test_a_new_address_counts_once_its_letter_is_answered_and_the_old_one_is_told(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    asked = await browser.json("POST", "/api/settings/email", {"email": "New@Example.org"})
    assert (asked.status_code, asked.json()["email"]) == (202, "new@example.org")
    letter = await services.db.fetchrow(LAST)
    assert (letter["to_address"], letter["template"]) == ("new@example.org", "verify_address")
    token = await token_of(services)
    assert "Use this address" in (await browser.get(f"/auth/link?token={token}")).text
    account = (await browser.json("GET", "/api/settings/account")).json()
    assert account["email"] == "ada@example.org"
    assert (await browser.post("/auth/link", {"token": token})).status_code == 303
    account = (await browser.json("GET", "/api/settings/account")).json()
    assert account["email"] == "new@example.org"
    letter = await services.db.fetchrow(LAST)
    assert (letter["to_address"], letter["template"]) == ("ada@example.org", "address_changed")


async def test_an_address_change_needs_a_fresh_sign_in(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    await services.db.execute(STALE)
    answer = await browser.json("POST", "/api/settings/email", {"email": "new@example.org"})
    assert (answer.status_code, answer.json()["code"]) == (401, "step_up_needed")
    assert await services.db.fetchval("SELECT count(*) FROM emails") == 0


async def test_an_address_that_is_taken_shows_only_to_its_owner(
    browser: Browser, services: Services
) -> None:
    await member(services, "taken@example.org")
    await browser.sign_in(await member(services))
    answers = [
        await browser.json("POST", "/api/settings/email", {"email": email})
        for email in ("taken@example.org", "other@example.org")
    ]
    assert answers[0].text.replace("taken@", "other@") == answers[1].text
    await browser.json("POST", "/api/settings/email", {"email": "taken@example.org"})
    refused = await browser.post("/auth/link", {"token": await token_of(services)})
    assert refused.status_code == 409
    assert (await browser.json("GET", "/api/settings/account")).json()["email"] == "ada@example.org"


async def test_the_letter_of_an_address_change_signs_nobody_in(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    await browser.json("POST", "/api/settings/email", {"email": "new@example.org"})
    token = await token_of(services)
    browser.sign_out()
    await browser.post("/auth/link", {"token": token})
    assert (await browser.get("/settings/account")).status_code == 303


async def test_an_address_that_cannot_be_used_keeps_the_form(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    for email in ("ada@example.org", "x@mailinator.com", "nonsense"):
        answer = await browser.post("/settings/email", {"email": email})
        assert answer.status_code == 422 and f'value="{email}"' in answer.text


async def test_ways_in_are_listed_added_and_removed_but_the_last_stays(services: Services) -> None:
    async with travelling(services) as traveller:
        browser = traveller.browser
        await browser.sign_in(await member(services))
        assert "purpose=link" in (await browser.get("/settings/sign-in")).text
        for name in ("google", "apple"):
            answer = await traveller.go(name, query="purpose=link")
            assert answer.headers["location"] == "/settings/sign-in"
        ways = (await browser.json("GET", "/api/settings/sign-in")).json()
        assert [way["provider"] for way in ways["items"]] == ["letter", "apple", "google"]
        assert [one["name"] for one in ways["could_be_linked"]] == ["facebook"]
        gone = await browser.post("/settings/sign-in/apple", {"_method": "DELETE"})
        assert gone.headers["location"] == "/settings/sign-in"
        # Without letters Google is the last way in.
        await services.db.execute("UPDATE users SET email_disabled_at = now()")
        refused = await browser.json("DELETE", "/api/settings/sign-in/google")
        assert (refused.status_code, refused.json()["code"]) == (409, "last_way_in")


async def test_an_account_that_opens_one_door_opens_no_other(services: Services) -> None:
    async with travelling(services) as traveller:
        await traveller.go("google")
        await traveller.browser.sign_in(await member(services, "eve@example.org"))
        answer = await traveller.consent(await traveller.set_out("google", "purpose=link"))
        refused = await traveller.come_back("google", answer, "application/json")
        assert (refused.status_code, refused.json()["code"]) == (409, "linked_already")


async def test_removing_a_way_in_needs_a_fresh_sign_in_and_ones_own(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    assert (await browser.json("DELETE", "/api/settings/sign-in/google")).status_code == 404
    await services.db.execute(STALE)
    refused = await browser.json("DELETE", "/api/settings/sign-in/google")
    assert (refused.status_code, refused.json()["code"]) == (401, "step_up_needed")
    page = (await browser.get("/settings/sign-in")).text
    assert "First we make sure" not in page or "/auth/step-up" in page


async def test_signing_out_everywhere_else_keeps_this_browser(
    browser: Browser, services: Services
) -> None:
    who = await member(services)
    other = await cookie_of(services, who)
    await browser.sign_in(who)
    assert "Sign out everywhere else" in (await browser.get("/settings/sessions")).text
    answer = await browser.post("/settings/sessions", {"_method": "DELETE"})
    assert answer.headers["location"] == "/settings/sessions"
    assert (await browser.json("GET", "/api/settings/sessions")).json()["total"] == 1
    browser.carry(other)
    assert (await browser.json("GET", "/api/settings/sessions")).status_code == 401


async def test_a_new_browser_is_told_and_a_known_one_is_not(
    browser: Browser, services: Services
) -> None:
    await in_by_letter(browser, services)
    assert await services.db.fetchval(LETTERS, "new_sign_in") == 0
    await browser.post("/auth/logout")
    await in_by_letter(browser, services)
    assert await services.db.fetchval(LETTERS, "new_sign_in") == 0
    browser.sign_out()
    await in_by_letter(browser, services)
    assert await services.db.fetchval(LETTERS, "new_sign_in") == 1


async def test_a_member_of_longer_standing_is_told_of_the_first_browser_too(
    browser: Browser, services: Services
) -> None:
    await member(services)
    await services.db.execute(OLDER)
    await in_by_letter(browser, services)
    assert await services.db.fetchval(LETTERS, "new_sign_in") == 1


TEXT = "SELECT text_body FROM emails WHERE template = $1 ORDER BY id DESC LIMIT 1"


async def test_it_was_not_me_ends_all_sessions_by_its_button_only(
    browser: Browser, services: Services
) -> None:
    await member(services)
    await services.db.execute(OLDER)
    await in_by_letter(browser, services)
    link = re.search(
        r"http\S+(/auth/not-me\?token=\S+)", (await services.db.fetchrow(LAST))["text_body"]
    )
    assert link is not None
    token = link[1].split("=")[1]
    for _ in range(2):
        assert "It was not me" in (await browser.get(f"/auth/not-me?token={token}")).text
    assert (await browser.get("/settings/sessions")).status_code == 200
    # The letter ends sessions and opens none.
    assert (await browser.post("/auth/link", {"token": token})).status_code == 401
    assert (await browser.post("/auth/not-me", {"token": token})).status_code == 303
    assert (await browser.json("GET", "/api/settings/sessions")).status_code == 401
    assert (await browser.post("/auth/not-me", {"token": token})).status_code == 401


async def test_it_was_not_me_calls_off_a_change_of_address_that_waits(
    browser: Browser, services: Services
) -> None:
    await member(services)
    await services.db.execute(OLDER)
    await in_by_letter(browser, services)
    told = await services.db.fetchval(TEXT, "new_sign_in")
    asked = await browser.post("/settings/email", {"email": "thief@evil.example"})
    assert asked.status_code in (202, 303)
    link = await services.db.fetchval(TEXT, "verify_address")
    await browser.post("/auth/not-me", {"token": re.search(r"not-me\?token=(\S+)", told)[1]})  # type: ignore[index]
    browser.sign_out()
    token = re.search(r"link\?token=(\S+)", link)[1]  # type: ignore[index]
    assert (await browser.post("/auth/link", {"token": token})).status_code == 401
    assert await services.db.fetchval("SELECT email::text FROM users") == "ada@example.org"


async def test_an_admins_sign_in_is_audited(browser: Browser, services: Services) -> None:
    await member(services, "root@example.org", "ops")
    await in_by_letter(browser, services, "root@example.org")
    acts = await services.db.fetch("SELECT action FROM audit_log")
    assert [act["action"] for act in acts] == ["admin.signed_in"]
