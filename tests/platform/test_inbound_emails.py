"""Letters in: handed over by address, held when nobody expects them, believed only as far as our server vouches."""

import dataclasses
from typing import Any

import pytest

from app.domain.platform import inbound_emails, inbound_letters, mail_addresses
from app.domain.platform.inbound_emails import Outcome, Place
from app.domain.platform.inbound_letters import InboundLetter
from app.errors import Invalid
from app.services import Services
from tests.people import member
from tests.platform.postbox import ROWS, letter, returned, sent

HOST = "testserver"


async def came(services: Services, raw: bytes, uid: int = 1) -> Any:
    """The row of a letter after it came in."""
    await inbound_emails.take(services, Place("box", 1, uid), raw, len(raw))
    return (await services.db.fetch(ROWS))[-1]


async def test_a_bounce_finds_its_letter_and_its_member(services: Services) -> None:
    who = await member(services)
    email_id = await sent(services, who.email or "", user_id=who.id)
    row = await came(services, returned(services, email_id))
    assert (row["status"], row["why"], row["automatic"]) == ("handled", "permanent 5.1.1", True)
    why = await services.db.fetchval("SELECT email_disabled_why FROM users WHERE id = $1", who.id)
    assert why == "bounced: 5.1.1"


async def test_a_return_address_in_capitals_is_the_same(services: Services) -> None:
    raw = returned(services, await sent(services))
    address = mail_addresses.made(services.settings, "bounce", await sent(services)).split("@")[0]
    row = await came(services, raw.replace(address.encode(), address.upper().encode()))
    assert row["status"] == "handled"


async def test_a_forged_return_address_is_held_and_does_nothing(services: Services) -> None:
    who = await member(services)
    email_id = await sent(services, who.email or "", user_id=who.id)
    address = mail_addresses.made(services.settings, "bounce", email_id)
    forged = f"bounce+{email_id}.{'0' * 20}@{HOST}"
    raw = returned(services, email_id).replace(address.encode(), forged.encode())
    assert (await came(services, raw))["status"] == "held"
    assert await services.db.fetchval("SELECT count(*) FROM email_bounces") == 0


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("out_of_office", "ignored"),
        ("arrived", "ignored"),
        ("person_answers", "held"),
        ("complaint", "held"),
        ("still_trying", "handled"),
    ],
)
async def test_what_is_no_failure_harms_nobody(services: Services, name: str, status: str) -> None:
    who = await member(services)
    email_id = await sent(services, who.email or "", user_id=who.id)
    assert (await came(services, returned(services, email_id, name)))["status"] == status
    assert await services.db.fetchval("SELECT email_disabled_at FROM users") is None


async def test_a_letter_to_unsubscribe_ends_one_sort_of_letter(services: Services) -> None:
    who = await member(services)
    email_id = await sent(services, who.email or "", user_id=who.id, kind="notice")
    address = mail_addresses.made(services.settings, "unsubscribe", email_id)
    row = await came(services, letter(address))
    assert (row["status"], row["why"]) == ("handled", "no more ops_alert")
    off = await services.db.fetchrow("SELECT user_id, type, wanted FROM notification_choices")
    assert tuple(off) == (who.id, "ops_alert", False)


async def test_a_letter_of_more_than_30_days_ends_nothing(services: Services) -> None:
    who = await member(services)
    email_id = await sent(services, who.email or "", user_id=who.id, kind="notice")
    await services.db.execute("UPDATE emails SET created_at = now() - interval '31 days'")
    address = mail_addresses.made(services.settings, "unsubscribe", email_id)
    assert (await came(services, letter(address)))["status"] == "held"


@pytest.mark.parametrize("to", [f"info@{HOST}", f"reply+7@{HOST}", "someone@else.example", ""])
async def test_letters_to_any_other_address_are_held(services: Services, to: str) -> None:
    row = await came(services, letter(to))
    assert (row["status"], row["subject"]) == ("held", "Hello 1")


@pytest.mark.parametrize("raw", [b"", b"\x00\xff\xfe" * 99, b"no header at all\n\nx", b"X: y\n\n"])
async def test_what_cannot_be_read_is_kept_as_it_is(services: Services, raw: bytes) -> None:
    assert (await came(services, raw))["status"] == "unparsable"


async def test_strange_bytes_in_headers_hurt_nobody(services: Services) -> None:
    raw = b"From: \xff\xfe <a\x00b@example.org>\nTo: =?utf-8?q?=ff=00?= <x@testserver>\nSubject: \xe4\x00\n\n"
    row = await came(services, raw)
    assert row["status"] == "held"
    assert "\x00" not in row["subject"]


async def test_the_21st_letter_of_a_sender_in_an_hour_is_held(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answered(_services: Services, _letter: InboundLetter) -> Outcome:
        return Outcome("handled")

    monkeypatch.setitem(inbound_emails.HANDLERS, "reply", answered)
    rows = [await came(services, letter(f"reply+7@{HOST}", number=n), n) for n in range(21)]
    assert [row["status"] for row in rows] == ["handled"] * 20 + ["held"]
    other = await came(services, letter(f"reply+7@{HOST}", sender="eve@x.org", number=99), 99)
    assert other["status"] == "handled"


async def test_thousands_of_reports_of_one_server_are_no_flood(services: Services) -> None:
    ids = [await sent(services, f"a{n}@example.org") for n in range(25)]
    rows = [await came(services, returned(services, one), one) for one in ids]
    assert {row["status"] for row in rows} == {"handled"}


async def test_a_handler_that_fails_leaves_the_letter_held_and_nothing_half_done(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def half(tx: Services, _letter: InboundLetter) -> Outcome:
        await member(tx)
        raise Invalid("This cannot be used.")

    monkeypatch.setitem(inbound_emails.HANDLERS, "reply", half)
    row = await came(services, letter(f"reply+7@{HOST}"))
    assert (row["status"], row["why"]) == ("held", "This cannot be used.")
    assert await services.db.fetchval("SELECT count(*) FROM users") == 0


async def test_a_report_with_bytes_that_are_no_text_is_taken(services: Services) -> None:
    raw = returned(services, await sent(services, "ada@example.org"))
    for strange in (b"\x00", b"\xff"):
        assert b"Diagnostic-Code: " in raw
        raw = raw.replace(b"Diagnostic-Code: ", b"Diagnostic-Code: smtp; " + strange)
    assert (await came(services, raw))["status"] == "handled"


async def test_a_letter_that_trips_its_handler_stops_none_after_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumbling(tx: Services, letter: InboundLetter) -> Outcome:
        raise UnicodeEncodeError("ascii", "ä", 0, 1, "as the standard library does")

    monkeypatch.setitem(inbound_emails.HANDLERS, "reply", stumbling)
    assert (await came(services, letter(f"reply+7@{HOST}")))["status"] == "held"


async def test_one_letter_is_taken_once(services: Services) -> None:
    raw = letter(f"info@{HOST}")
    for place in (Place("box", 1, 1), Place("box", 1, 1), Place("box", 2, 9)):
        await inbound_emails.take(services, place, raw, len(raw))
    assert await services.db.fetchval("SELECT count(*) FROM inbound_emails") == 1


VERDICTS = {
    "Authentication-Results: mail.ours; spf=pass smtp.mailfrom=x; dkim=fail (bad) header.d=y\n": ("pass", "fail"),
    "Authentication-Results: mail.evil; spf=pass; dkim=pass\n": (None, None),
    "Authentication-Results: mail.ours; spf=softfail\nAuthentication-Results: mail.ours; spf=pass; dkim=pass\n": ("softfail", None),
    "Authentication-Results: mail.ours.evil; spf=pass\nDKIM-Signature: v=1\nReceived-SPF: pass\n": (None, None),
    "": (None, None),
}  # fmt: skip


@pytest.mark.parametrize(("head", "right"), VERDICTS.items())
async def test_spf_and_dkim_count_only_from_our_own_server(
    services: Services, head: str, right: tuple[str | None, str | None]
) -> None:
    changed = dataclasses.replace(services.settings, mail_server_id="mail.ours")
    ours = dataclasses.replace(services, settings=changed)
    row = await came(ours, letter(f"info@{HOST}", head=head))
    assert (row["spf"], row["dkim"]) == right


@pytest.mark.parametrize(
    "head",
    [
        "Auto-Submitted: auto-replied\n",
        "Precedence: bulk\n",
        "List-Id: <x.y>\n",
        "Return-Path: <>\n",
    ],
)
def test_letters_of_machines_are_known(head: str) -> None:
    found = inbound_letters.read(letter("a@b", head=head), HOST, HOST)
    person = inbound_letters.read(letter("a@b", head="Auto-Submitted: no\n"), HOST, HOST)
    assert found is not None
    assert person is not None
    assert (found.automatic, person.automatic) == (True, False)
