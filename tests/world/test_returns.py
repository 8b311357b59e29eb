"""The world's mail comes back when nobody can take it, and reaches the product's own mailbox."""

import dataclasses

import pytest

from app.domain.platform import mail, mailboxes
from app.outside.breakers import Breaker
from app.outside.imap import Mailbox
from app.outside.smtp import Mailer
from app.services import Services
from tests.world import MAIL_DOMAIN, World

STATE = "SELECT e.status, b.type, b.status AS report FROM emails e LEFT JOIN email_bounces b ON b.email_id = e.id"


@pytest.mark.parametrize(
    ("to", "state"),
    [
        ("gone@example.org", ("bounced", "permanent", "5.1.1")),
        ("full@example.org", ("bounced", "temporary", "4.2.2")),
        ("late@example.org", ("sent", "delayed", "4.4.1")),
        ("ada@example.org", ("sent", None, None)),
    ],
)
async def test_a_letter_goes_round_through_the_world(
    services: Services, to: str, state: tuple[str | None, ...]
) -> None:
    async with World() as world:
        settings = dataclasses.replace(services.settings, mail_domain=MAIL_DOMAIN)
        doors = {
            "smtp": Mailer(world.env["SMTP_URL"], breaker=Breaker("smtp"), timeout=20),
            "imap": Mailbox(world.env["IMAP_URL"], breaker=Breaker("imap")),
        }
        there = dataclasses.replace(services, settings=settings, outside=doors)
        async with there.tx() as tx:
            email_id = await mail.send(tx, "test_email", to, asked_by="Ada", link="l")
        assert email_id
        await mail.deliver(there, email_id)
        await mailboxes.poll(there, 0)
        assert tuple(await services.db.fetchrow(STATE)) == state
