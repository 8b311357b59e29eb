"""Mail: a row and a job in one transaction; handed over once; refused for now, for good, or not at all."""

import dataclasses
from email.message import EmailMessage
from typing import Any

import pytest

from app.domain.platform import emails, mail
from app.errors import Defer, Problem, ServiceDown
from app.services import Services
from tests.people import Browser, member


class PostOffice:
    """A mail server that answers as told."""

    def __init__(self, error: Problem | None = None) -> None:
        self.error, self.letters, self.senders = error, list[EmailMessage](), list[str]()

    async def send(self, message: EmailMessage, *, sender: str) -> str:
        if self.error:
            raise self.error
        self.letters.append(message)
        self.senders.append(sender)
        return "250 queued"


async def letter(services: Services, to: str = "ops@example.org", **options: Any) -> int:
    async with services.tx() as tx:
        found = await mail.send(
            tx, "ops_alert", to, headline="h", sentence="s", link="l", **options
        )
    assert found is not None
    return found


async def status(services: Services) -> str:
    return str(await services.db.fetchval("SELECT status FROM emails ORDER BY id DESC LIMIT 1"))


def by(services: Services, office: PostOffice) -> Services:
    return dataclasses.replace(services, outside={"smtp": office})


@pytest.mark.parametrize(
    ("kind", "queue"),
    [("transactional", "HIGH"), ("notice", "DEFAULT"), ("ops", "DEFAULT"), ("digest", "LOW")],
)
async def test_a_letter_is_a_row_and_a_job_of_its_family(
    services: Services, kind: str, queue: str
) -> None:
    email_id = await letter(services, kind=kind)
    job = await services.db.fetchrow(
        "SELECT queue, payload FROM delayed_jobs WHERE job_type = 'send_email'"
    )
    assert job["queue"] == queue
    assert email_id in job["payload"].values()


async def test_it_is_handed_over_once_as_text_and_html(services: Services) -> None:
    office = PostOffice()
    email_id = await letter(services)
    for _ in range(2):
        await mail.deliver(by(services, office), email_id)
    assert len(office.letters) == 1
    kinds = [part.get_content_type() for part in office.letters[0].walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert "<style" not in office.letters[0].as_string()
    assert await status(services) == "sent"


async def test_its_return_address_names_the_letter_and_proves_it(services: Services) -> None:
    office = PostOffice()
    email_id = await letter(services)
    await mail.deliver(by(services, office), email_id)
    [sender] = office.senders
    assert sender.startswith(f"bounce+{email_id}.")
    assert sender.endswith(f"@{services.settings.mail_host}")


async def test_refused_for_now_waits_longer_each_time_and_fails_after_the_sixth(
    services: Services,
) -> None:
    email_id = await letter(services)
    away = by(services, PostOffice(ServiceDown("away", code="timeout")))
    waits = []
    for _ in range(6):
        with pytest.raises(ServiceDown) as refused:
            await mail.deliver(away, email_id)
        waits.append(refused.value.retry_after)
    assert waits == [60, 300, 1800, 7200, 21_600, None]
    assert await status(services) == "failed"


async def test_refused_for_good_is_written_down_with_what_the_server_said(
    services: Services,
) -> None:
    email_id = await letter(services)
    refused = Problem("The mail server does not take this letter.", code="mail_refused")
    refused.reply = "550 no"  # type: ignore[attr-defined]
    await mail.deliver(by(services, PostOffice(refused)), email_id)
    row = await services.db.fetchrow("SELECT status, smtp_reply FROM emails")
    assert tuple(row) == ("failed", "550 no")


@pytest.mark.parametrize("code", ["breaker_open", "not_configured"])
async def test_a_server_that_was_not_asked_costs_no_attempt(services: Services, code: str) -> None:
    email_id = await letter(services)
    with pytest.raises(Defer):
        await mail.deliver(by(services, PostOffice(ServiceDown("rests", code=code))), email_id)
    row = await services.db.fetchrow("SELECT status, attempts FROM emails")
    assert tuple(row) == ("queued", 0)


@pytest.mark.parametrize(("kind", "sent"), [("transactional", 1), ("notice", 0)])
async def test_after_a_crash_only_transactional_letters_are_repeated_and_counted(
    services: Services, kind: str, sent: int
) -> None:
    office = PostOffice()
    email_id = await letter(services, kind=kind)
    message_id = await services.db.fetchval(
        "UPDATE emails SET status = 'sending' RETURNING message_id"
    )
    await mail.deliver(by(services, office), email_id)
    assert [made["Message-ID"] for made in office.letters] == [message_id] * sent
    assert await services.db.fetchval("SELECT repeats FROM emails") == sent


@pytest.mark.parametrize(("kind", "after"), [("transactional", "sending"), ("notice", "failed")])
async def test_a_connection_lost_after_the_hand_over_is_treated_like_a_crash(
    services: Services, kind: str, after: str
) -> None:
    lost = ServiceDown("lost", code="unreachable")
    lost.unsure = True  # type: ignore[attr-defined]
    email_id = await letter(services, kind=kind)
    try:
        await mail.deliver(by(services, PostOffice(lost)), email_id)
    except ServiceDown:
        assert kind == "transactional"
    assert await status(services) == after


SUPPRESSIONS = {
    "UPDATE users SET email_disabled_at = now() WHERE id = $1": "address disabled",
    "UPDATE users SET closed_at = now() WHERE id = $1": "account closed",
    "INSERT INTO notification_choices (user_id, type, channel, wanted) VALUES ($1, 'ops_alert', 'mail', false)": "choice off",
}


@pytest.mark.parametrize(("change", "why"), SUPPRESSIONS.items(), ids=list(SUPPRESSIONS.values()))
async def test_who_cannot_or_will_not_get_letters_gets_none(
    services: Services, change: str, why: str
) -> None:
    who, office = await member(services), PostOffice()
    await services.db.execute(change, who.id)
    email_id = await letter(services, who.email or "", user_id=who.id, kind="notice")
    await mail.deliver(by(services, office), email_id)
    row = await services.db.fetchrow("SELECT status, error FROM emails")
    assert (office.letters, *row) == ([], "suppressed", why)


async def test_a_disabled_address_may_still_be_proved_again(services: Services) -> None:
    who, office = await member(services), PostOffice()
    await services.db.execute("UPDATE users SET email_disabled_at = now()")
    async with services.tx() as tx:
        email_id = await mail.send(tx, "sign_in", who.email or "", link="l", code="123456")
    assert email_id
    await mail.deliver(by(services, office), email_id)
    assert len(office.letters) == 1


@pytest.mark.parametrize(
    ("template", "kind", "most"),
    [("sign_in", "transactional", 5), ("digest", "notice", 10), ("ops_alert", "ops", 3)],
)
async def test_an_address_gets_so_many_letters_and_no_more(
    services: Services, template: str, kind: str, most: int
) -> None:
    words = {"link": "l", "code": "1", "headline": "h", "sentence": "s"} | dict.fromkeys(
        ("lines", "choices"), ""
    )
    for _ in range(most + 2):
        async with services.tx() as tx:
            await mail.send(tx, template, "a@example.org", kind=kind, total=1, **words)
    rows = await services.db.fetch("SELECT status, count(*) FROM emails GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [("queued", most), ("suppressed", 2)]
    jobs = await services.db.fetchval("SELECT count(*) FROM delayed_jobs")
    assert jobs == most


async def test_what_could_open_an_account_is_forgotten_once_it_is_sent(
    services: Services, changed: Any
) -> None:
    prod = by(changed(environment="prod"), PostOffice())
    async with services.tx() as tx:
        await mail.send(tx, "sign_in", "a@example.org", link="l", code="123456")
        await mail.send(tx, "session_ended", "a@example.org", link="l")
    for row in await services.db.fetch("SELECT id FROM emails"):
        await mail.deliver(prod, row["id"])
    rows = await services.db.fetch("SELECT template FROM emails WHERE text_body IS NOT NULL")
    assert [row["template"] for row in rows] == ["session_ended"]


LEFT = "SELECT template, status, text_body IS NULL AND html_body IS NULL AS gone FROM emails ORDER BY id DESC LIMIT 1"
REFUSED = Problem("No such mailbox.", code="mail_refused")


async def test_what_could_open_an_account_is_forgotten_when_it_is_refused(
    services: Services, changed: Any
) -> None:
    prod = by(changed(environment="prod"), PostOffice(REFUSED))
    for template, gone in (("sign_in", True), ("session_ended", False)):
        async with services.tx() as tx:
            email_id = await mail.send(tx, template, "a@example.org", link="l", code="123456")
        assert email_id is not None
        await mail.deliver(prod, email_id)
        assert tuple(await services.db.fetchrow(LEFT)) == (template, "failed", gone)


async def test_what_could_open_an_account_is_forgotten_when_it_is_not_sent(
    services: Services, changed: Any
) -> None:
    prod = by(changed(environment="prod"), PostOffice())
    words = {"link": "l", "code": "1", "agent": "a", "place": "p", "method": "letter"}
    who = await member(services)
    async with prod.tx() as tx:
        for _ in range(6):  # five an hour
            await mail.send(tx, "sign_in", "full@example.org", **words)
        assert tuple(await services.db.fetchrow(LEFT)) == ("sign_in", "suppressed", True)
        told = await mail.send(tx, "new_sign_in", "ada@example.org", user_id=who.id, **words)
    await services.db.execute("UPDATE users SET closed_at = now() WHERE id = $1", who.id)
    assert told is not None
    await mail.deliver(prod, told)
    assert tuple(await services.db.fetchrow(LEFT)) == ("new_sign_in", "suppressed", True)


async def test_the_operator_is_told_once_a_day(services: Services) -> None:
    async with services.tx() as tx:
        first = await mail.send_ops_alert(tx, "Jobs died", "Three of them.", "jobs_dead")
        again = await mail.send_ops_alert(tx, "Jobs died", "Four of them.", "jobs_dead")
    assert first
    assert again is None


async def test_texts_go_after_30_days_and_rows_after_400(services: Services) -> None:
    for days in (29, 31, 401):
        email_id = await letter(services)
        await services.db.execute(
            "UPDATE emails SET created_at = now() - $2::int * interval '1 day' WHERE id = $1",
            email_id,
            days,
        )
    await emails.purge(services)
    rows = await services.db.fetch("SELECT text_body IS NULL AS gone FROM emails ORDER BY id")
    assert [row["gone"] for row in rows] == [False, True]


async def test_development_shows_its_letters_and_nobody_else_does(
    browser: Browser, services: Services, changed: Any
) -> None:
    await letter(services)
    assert "ops@example.org" in (await browser.get("/dev/mail")).text
    with pytest.raises(Problem):
        await mail.outbox(changed(environment="prod"))
