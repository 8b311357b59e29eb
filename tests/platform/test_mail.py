"""Mail: a row and a job in one transaction; handed over once; refused for now, for good, or not at all."""

import dataclasses
from email.message import EmailMessage

import pytest

from app.domain.platform import mail
from app.errors import Problem, ServiceDown
from app.services import Services
from tests.people import Browser, member


class PostOffice:
    """A mail server that answers as told."""

    def __init__(self, error: Problem | None = None) -> None:
        self.error, self.letters = error, list[EmailMessage]()

    async def send(self, message: EmailMessage) -> str:
        if self.error:
            raise self.error
        self.letters.append(message)
        return "250 queued"


async def letter(services: Services, **options: object) -> int:
    async with services.tx() as tx:
        found = await mail.send(
            tx, "ops_alert", "ops@example.org", headline="h", sentence="s", link="l", **options
        )  # type: ignore[arg-type]
    assert found is not None
    return found


async def status(services: Services) -> str:
    return str(await services.db.fetchval("SELECT status FROM emails"))


async def test_a_letter_is_a_row_and_a_job(services: Services) -> None:
    email_id = await letter(services)
    job = await services.db.fetchrow(
        "SELECT queue, payload FROM delayed_jobs WHERE job_type = 'send_email'"
    )
    assert job["queue"] == "HIGH"
    assert email_id in job["payload"].values()


async def test_it_is_handed_over_once_as_text_and_html(services: Services) -> None:
    office = PostOffice()
    there = dataclasses.replace(services, outside={"smtp": office})
    email_id = await letter(services)
    for _ in range(2):
        await mail.deliver(there, email_id)
    assert len(office.letters) == 1
    kinds = [part.get_content_type() for part in office.letters[0].walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert "<style" not in office.letters[0].as_string()
    assert await status(services) == "sent"


async def test_refused_for_now_waits_and_for_good_is_written_down(services: Services) -> None:
    email_id = await letter(services)
    with pytest.raises(ServiceDown) as waits:
        away = ServiceDown("away", code="timeout")
        await mail.deliver(
            dataclasses.replace(services, outside={"smtp": PostOffice(away)}), email_id
        )
    assert waits.value.retry_after == 60
    assert await status(services) == "queued"
    refused = Problem("The mail server does not take this letter.", code="mail_refused")
    await mail.deliver(
        dataclasses.replace(services, outside={"smtp": PostOffice(refused)}), email_id
    )
    assert await status(services) == "failed"


@pytest.mark.parametrize(("kind", "sent"), [("transactional", 1), ("notice", 0)])
async def test_after_a_crash_only_transactional_letters_are_repeated(
    services: Services, kind: str, sent: int
) -> None:
    office = PostOffice()
    email_id = await letter(services, kind=kind)
    await services.db.execute("UPDATE emails SET status = 'sending'")
    await mail.deliver(dataclasses.replace(services, outside={"smtp": office}), email_id)
    assert len(office.letters) == sent


async def test_a_disabled_address_gets_nothing(services: Services) -> None:
    who, office = await member(services), PostOffice()
    await services.db.execute("UPDATE users SET email_disabled_at = now()")
    await mail.deliver(
        dataclasses.replace(services, outside={"smtp": office}),
        await letter(services, user_id=who.id),
    )
    assert (office.letters, await status(services)) == ([], "suppressed")


async def test_the_operator_is_told_once_a_day(services: Services) -> None:
    async with services.tx() as tx:
        first = await mail.send_ops_alert(tx, "Jobs died", "Three of them.", "jobs_dead")
        again = await mail.send_ops_alert(tx, "Jobs died", "Four of them.", "jobs_dead")
    assert first
    assert again is None


async def test_development_shows_its_letters_and_nobody_else_does(
    browser: Browser, services: Services
) -> None:
    await letter(services)
    assert "ops@example.org" in (await browser.get("/dev/mail")).text
    prod = dataclasses.replace(
        services, settings=dataclasses.replace(services.settings, environment="prod")
    )
    with pytest.raises(Problem):
        await mail.outbox(prod)
