"""Letters for admins: seen by those who may see people, opened on record, sent again with a reason."""

from typing import Any

import pytest

from app.box import Box
from app.domain.platform import mail, mailboxes
from app.services import Services
from tests.conftest import client_on
from tests.people import Browser, member
from tests.platform.postbox import letter, opened, returned, sent

ACTS = "SELECT action, target_kind, target_id, reason FROM audit_log ORDER BY id"


async def acts(services: Services) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await services.db.fetch(ACTS)]


@pytest.mark.parametrize(
    ("role", "answer"), [("super_admin", 200), ("support", 200), ("ops", 403), ("read_only", 403)]
)
async def test_letters_are_for_those_who_may_see_people(
    browser: Browser, services: Services, role: str, answer: int
) -> None:
    await browser.sign_in(await member(services, role=role))
    email_id = await sent(services)
    for path in ("/admin/emails", f"/admin/emails/{email_id}", "/admin/inbound-emails"):
        assert (await browser.get(path)).status_code == answer


async def test_the_list_is_filtered_and_goes_on(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services, role="support"))
    for n in range(3):
        await sent(services, f"a{n}@example.org")
    first = (await browser.json("GET", "/admin/api/emails?limit=2&status=sent")).json()
    rest = (await browser.json("GET", f"/admin/api/emails?cursor={first['next']}")).json()
    assert [item["to_address"][:2] for item in first["items"] + rest["items"]] == ["a2", "a1", "a0"]
    one = await browser.get("/admin/emails?to=A1%40example.org")
    assert "a1@example.org" in one.text
    assert "a2@example.org" not in one.text
    assert (await browser.get("/admin/emails?status=nonsense")).status_code == 422


async def test_opening_a_letter_is_recorded_and_shows_what_came_back(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="support"))
    email_id = await sent(services)
    async with opened(services) as postbox:
        postbox.server.add(returned(services, email_id))
        await mailboxes.poll(postbox.services, 0)
    page = await browser.get(f"/admin/emails/{email_id}")
    assert "User unknown in virtual mailbox table" in page.text
    assert ("email.read", "email", str(email_id), None) in await acts(services)
    assert (await browser.get("/admin/emails/999999")).status_code == 404


async def test_no_admin_sees_what_would_open_an_account(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="super_admin"))
    async with services.tx() as tx:
        secret = await mail.send(tx, "sign_in", "a@x.org", link="https://canary", code="424242")
        masked = await mail.send(
            tx, "test_email", "a@x.org", asked_by="A", link="https://x.org/r?token=canary"
        )
    for email_id in (secret, masked):
        shown = await browser.get(f"/admin/emails/{email_id}")
        twin = await browser.json("GET", f"/admin/api/emails/{email_id}")
        for text in (shown.text, twin.text):
            assert "canary" not in text
            assert "424242" not in text
    again = f"/admin/emails/{secret}/resends"
    assert (await browser.post(again, {"reason": "they asked"})).status_code == 409


async def test_sending_again_makes_a_new_letter_with_its_reason(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="support"))
    email_id = await sent(services)
    path = f"/admin/emails/{email_id}/resends"
    assert (await browser.post(path)).status_code == 422
    answer = await browser.json("POST", f"/admin/api/emails/{email_id}/resends", {"reason": "lost"})
    made = answer.json()
    assert (answer.status_code, made["status"]) == (202, "queued")
    assert made["id"] != email_id
    ids = await services.db.fetchval("SELECT count(DISTINCT message_id) FROM emails")
    assert ids == 2
    assert ("email.resent", "email", str(email_id), "lost") in await acts(services)


async def test_a_letter_on_its_way_is_not_sent_again(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services, role="support"))
    email_id = await sent(services)
    await services.db.execute("UPDATE emails SET status = 'queued'")
    answer = await browser.post(f"/admin/emails/{email_id}/resends", {"reason": "x"})
    assert answer.status_code == 409


async def test_a_test_letter_goes_where_the_operator_says(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="ops"))
    own = await browser.json("POST", "/admin/api/test-email", {})
    other = await browser.post("/admin/test-email", {"to": "Bob@example.org"})
    bad = await browser.json("POST", "/admin/api/test-email", {"to": "nobody"})
    assert (own.status_code, other.status_code, bad.status_code) == (202, 303, 422)
    assert own.json()["status_url"].startswith("/admin/api/emails/")
    rows = await services.db.fetch(
        "SELECT to_address::text AS at, template FROM emails ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("ada@example.org", "test_email"),
        ("bob@example.org", "test_email"),
    ]
    assert [act[0] for act in await acts(services)].count("email.tested") == 2


async def test_a_letter_in_is_read_on_record_and_handed_over_again(
    services: Services, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(services, box) as postbox, client_on(postbox.services) as client:
        browser = Browser(client, postbox.services)
        await browser.sign_in(await member(services, role="support"))
        postbox.server.add(letter("info@testserver"))
        await mailboxes.poll(postbox.services, 0)
        [row] = await postbox.rows()
        assert "Hello 1" in (await browser.get("/admin/inbound-emails?status=held")).text
        assert "Good morning." in (await browser.get(f"/admin/inbound-emails/{row['id']}")).text
        number = row["id"]
        retry = f"/admin/inbound-emails/{number}/retries"
        assert (await browser.post(retry, {"reason": "now there is a handler"})).status_code == 303
        await services.db.execute("UPDATE inbound_emails SET status = 'handled'")
        assert (await browser.post(retry, {"reason": "again"})).status_code == 409
    said = [act[0] for act in await acts(services)]
    assert "inbound_email.read" in said
    assert "inbound_email.retried" in said


async def test_the_page_says_when_the_mailbox_cannot_be_read(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="support"))
    async with opened(services) as postbox:
        await postbox.server.stop()
        await mailboxes.poll(postbox.services, 0)
    page = await browser.get("/admin/inbound-emails")
    assert "could not be read 1 time in a row (unreachable)" in page.text
