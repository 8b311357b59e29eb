"""Bounces: reports are read by their fields and never by their words, and say when an address is over."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from app.domain.platform import bounces, mail, sign_ins
from app.domain.platform.bounces import Report
from app.services import Services
from tests.people import member

FOLDER = Path(__file__).parent / "bounces"
# What each shape is: the type of its report and the status, or None where it is no report.
SHAPES: dict[str, tuple[str, str] | None] = {
    "user_unknown": ("permanent", "5.1.1"),
    "german_exchange": ("permanent", "5.1.10"),
    "policy_refusal": ("permanent", "5.7.26"),
    "mailbox_full": ("temporary", "4.2.2"),
    "expired": ("temporary", "4.4.7"),
    "still_trying": ("delayed", "4.4.1"),
    "arrived": ("none", "2.1.5"),
    "alias_of_two": ("permanent", "5.2.1"),
    "encoded_report": ("permanent", "5.1.2"),
    "international": ("permanent", "5.1.1"),
    "out_of_office": None,
    "person_answers": None,
    "old_style": None,
    "complaint": None,
}


def shape(name: str, return_path: str = "bounce+1.x@village.example") -> bytes:
    """One of the shapes, on its way to that return address."""
    return (FOLDER / f"{name}.eml").read_bytes().replace(b"RETURN", return_path.encode())


@pytest.mark.parametrize(("name", "right"), SHAPES.items(), ids=list(SHAPES))
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_each_shape_is_sorted_right(name: str, right: Any, ends: bytes) -> None:
    raw = shape(name).replace(b"\n", ends)
    report = bounces.read(message_from_bytes(raw, EmailMessage, policy=policy.default))
    assert (report and (report.type, report.status)) == right


def test_all_shapes_are_sorted() -> None:
    assert sorted(SHAPES) == sorted(path.stem for path in FOLDER.glob("*.eml"))


def test_what_their_server_said_is_kept_in_one_line() -> None:
    message = message_from_bytes(shape("user_unknown"), EmailMessage, policy=policy.default)
    report = bounces.read(message)
    assert report is not None
    assert report.diagnostic.endswith("rejected: User unknown in virtual mailbox table")
    assert "\n" not in report.diagnostic


async def sent(services: Services, days_ago: float, to: str = "ada@example.org") -> int:
    """A letter that was handed over so many days ago."""
    async with services.tx() as tx:
        email_id = await mail.send(tx, "test_email", to, asked_by="Ada", link="l")
    assert email_id is not None
    await services.db.execute(
        "UPDATE emails SET status = 'sent', sent_at = now() - $2::float8 * interval '1 day' WHERE id = $1",
        email_id,
        days_ago,
    )
    return email_id


async def disabled(services: Services) -> str | None:
    found: str | None = await services.db.fetchval(
        "SELECT email_disabled_why FROM users WHERE email_disabled_at IS NOT NULL"
    )
    return found


async def test_one_for_good_disables_the_address_at_once(services: Services) -> None:
    await member(services)
    email_id = await sent(services, 0)
    await bounces.take(services, email_id, Report("permanent", "5.1.1", "no"))
    assert await disabled(services) == "bounced: 5.1.1"
    assert await services.db.fetchval("SELECT status FROM emails") == "bounced"


async def test_five_for_now_without_an_arrival_disable_it(services: Services) -> None:
    await member(services)
    for n in range(5):
        assert await disabled(services) is None
        await bounces.take(services, await sent(services, 20 - n), Report("temporary", "4.2.2"))
    assert await disabled(services) == "bounced: 4.2.2"


async def test_an_arrival_between_begins_the_count_anew(services: Services) -> None:
    await member(services)
    for n in range(6):
        if n == 3:
            await sent(services, 16.5)
        await bounces.take(services, await sent(services, 20 - n), Report("temporary", "4.2.2"))
    assert await disabled(services) is None


async def test_a_month_old_bounce_and_a_delay_count_nothing(services: Services) -> None:
    await member(services)
    for n in range(4):
        await bounces.take(services, await sent(services, 9 - n), Report("temporary", "4.2.2"))
    await services.db.execute(
        "UPDATE email_bounces SET created_at = now() - interval '31 days' WHERE id = (SELECT min(id) FROM email_bounces)"
    )
    await bounces.take(services, await sent(services, 2), Report("delayed", "4.4.1"))
    await bounces.take(services, await sent(services, 1), Report("temporary", "4.2.2"))
    assert await disabled(services) is None


async def test_the_member_proves_the_address_again_by_signing_in(
    services: Services, changed: Any
) -> None:
    who = await member(services)
    await bounces.take(services, await sent(services, 0), Report("permanent", "5.1.1"))
    await sign_ins.ask(services, who.email or "", "browser", "/")
    text = await services.db.fetchval("SELECT text_body FROM emails WHERE template = 'sign_in'")
    token = text.split("token=")[1].split()[0]
    await sign_ins.by_link(services, token)
    assert await disabled(services) is None
