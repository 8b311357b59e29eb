"""The pages of privacy: asking, undoing, receipts, staff; all without script, and their twins."""

import re
from typing import Any

from app.domain.platform.privacy import receipts, requests
from app.domain.platform.privacy.registry import PLACES
from app.services import Services
from tests.people import Browser, member

PAGE = "/settings/privacy"


async def letter(services: Services, template: str) -> str:
    """The text of the one letter of that template."""
    rows = await services.db.fetch("SELECT text_body FROM emails WHERE template = $1", template)
    assert len(rows) == 1
    return str(rows[0]["text_body"])


async def test_the_page_shows_every_place_and_why(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    page = (await browser.get(PAGE)).text
    told = (await browser.json("GET", PAGE)).json()
    assert all(place.about in page.replace("&#39;", "'") for place in PLACES)
    assert len(told["kept"]) == len(PLACES)


async def test_a_copy_is_asked_for_with_one_press(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    answer = await browser.post("/settings/privacy/exports")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}#requests")
    page = (await browser.fragment(PAGE)).text
    assert "Asked for" in page and "Put together" in page


async def test_a_second_copy_is_refused_and_names_the_first(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    first = await browser.json("POST", "/api/gdpr/export")
    second = await browser.json("POST", "/api/gdpr/export")
    assert (first.status_code, second.status_code) == (202, 429)
    assert f"Request {first.json()['id']} of" in second.json()["detail"]


async def test_privacy_wants_a_fresh_sign_in(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    await browser.services.db.execute("UPDATE sessions SET fresh_until = now() - interval '1 s'")
    for path in ("/api/gdpr/export", "/api/gdpr/delete", "/api/settings/privacy/exports"):
        answer = await browser.json("POST", path, {"phrase": requests.PHRASE})
        assert (answer.status_code, answer.json()["code"]) == (401, "step_up_needed")


async def test_a_wrong_phrase_deletes_nobody(browser: Browser) -> None:
    who = await member(browser.services)
    await browser.sign_in(who)
    answer = await browser.post("/settings/privacy/deletion", {"phrase": "delete my data"})
    assert answer.status_code == 422
    assert "DELETE MY DATA, in capitals" in answer.text
    assert (await browser.json("GET", PAGE)).json()["requests"]["items"] == []


async def test_a_deletion_signs_out_everywhere_and_kills_keys(browser: Browser) -> None:
    services, who = browser.services, await member(browser.services)
    await services.db.execute(
        "INSERT INTO api_tokens (user_id, name, prefix, token_hash, scopes, expires_at)"
        " VALUES ($1, 'x', 'vil_', 'x', '{read}', now() + interval '1 day')",
        who.id,
    )
    await browser.sign_in(who)
    answer = await browser.json("POST", "/api/gdpr/delete", {"phrase": requests.PHRASE})
    assert answer.status_code == 202
    assert answer.json()["wish"]["status"] == "waiting"
    assert (await browser.json("GET", PAGE)).status_code == 401
    left = "SELECT count(*) FROM api_tokens WHERE revoked_at IS NULL"
    assert await services.db.fetchval(left) == 0
    delay = "SELECT run_at - created_at > interval '167 hours' FROM gdpr_requests"
    assert await services.db.fetchval(delay)


async def test_the_link_of_the_letter_keeps_the_account(browser: Browser) -> None:
    services, who = browser.services, await member(browser.services)
    await browser.sign_in(who)
    await browser.post("/settings/privacy/deletion", {"phrase": requests.PHRASE})
    browser.sign_out()
    [link] = re.findall(
        r"/settings/privacy/deletion\?token=\S+", await letter(services, "deletion_scheduled")
    )
    assert "Keep my account" in (await browser.get(link)).text
    assert (await browser.get(link)).status_code == 200, "looking changes nothing"
    form = {"_method": "DELETE", "token": link.partition("token=")[2]}
    assert (await browser.post("/settings/privacy/deletion", form)).status_code == 303
    await browser.sign_in(who)
    told = (await browser.json("GET", PAGE)).json()["requests"]["items"]
    assert told[0]["status"] == "cancelled"
    assert "stays" in (
        await services.db.fetchval(
            "SELECT subject FROM emails WHERE template = 'deletion_cancelled'"
        )
    )
    again = await browser.ask(
        "DELETE", "/api/settings/privacy/deletion", json={"token": form["token"]}
    )
    assert again.status_code == 404


async def test_a_receipt_is_shown_to_anybody_and_says_that_it_is_real(browser: Browser) -> None:
    await receipts.add(browser.services, "token", {"quick_links: Links you keep at hand": 7})
    page = (await browser.get("/receipts/token")).text
    told = (await browser.json("GET", "/api/receipts/token")).json()
    assert "Real" in page and "Links you keep at hand" in page and "Nothing was found in" in page
    assert told["real"] and sum(line["erased"] for line in told["lines"]) == 7


async def test_a_receipt_that_we_did_not_give_is_unknown(browser: Browser) -> None:
    assert (await browser.get("/receipts/nonsense")).status_code == 404


async def signed_in_admin(browser: Browser) -> Any:
    """A browser of somebody who may handle privacy for others."""
    admin = await member(browser.services, "boss@example.org", role="super_admin")
    await browser.sign_in(admin)
    return admin


async def test_staff_ask_with_a_reason_and_the_person_is_told(browser: Browser) -> None:
    services, who = browser.services, await member(browser.services)
    await signed_in_admin(browser)
    body = {"member": "ada@example.org", "request_type": "DELETION", "reason": "asked by phone"}
    answer = await browser.json("POST", "/admin/api/privacy-requests", body)
    assert answer.status_code == 202
    assert "We were asked to erase" in await letter(services, "deletion_scheduled")
    row = await services.db.fetchrow(
        "SELECT reason, target_id FROM audit_log WHERE action = 'privacy.deletion_asked'"
    )
    assert (row["reason"], row["target_id"]) == ("asked by phone", str(who.id))
    again = await browser.json("POST", "/admin/api/privacy-requests", body)
    assert again.status_code == 429


async def test_staff_can_call_a_request_off(browser: Browser) -> None:
    services, who = browser.services, await member(browser.services)
    await signed_in_admin(browser)
    form = {"member": str(who.id), "request_type": "EXPORT", "reason": "by letter"}
    assert (await browser.post("/admin/privacy-requests", form)).status_code == 303
    page = (await browser.get("/admin/privacy-requests")).text
    assert "by letter" in page and f"Member {who.id}" in page
    found = await services.db.fetchval("SELECT id FROM gdpr_requests")
    form = {"_method": "DELETE", "reason": "a mistake"}
    assert (await browser.post(f"/admin/privacy-requests/{found}", form)).status_code == 303
    assert (await browser.post(f"/admin/privacy-requests/{found}", form)).status_code == 409
    act = "SELECT reason FROM audit_log WHERE action = 'privacy.cancelled'"
    assert await services.db.fetchval(act) == "a mistake"


async def test_staff_without_the_permission_see_nothing(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services, role="support"))
    assert (await browser.get("/admin/privacy-requests")).status_code == 403
    await browser.sign_in(await member(browser.services, "eve@example.org"))
    assert (await browser.get("/admin/privacy-requests")).status_code == 404


async def test_staff_name_nobody_who_is_not_there(browser: Browser) -> None:
    await signed_in_admin(browser)
    form = {"member": "nobody@example.org", "request_type": "EXPORT", "reason": "x"}
    answer = await browser.post("/admin/privacy-requests", form)
    assert answer.status_code == 422
    assert "no member with this number" in answer.text
