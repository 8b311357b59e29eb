"""For tests of letters that come in: a mailbox of our own, the object store, and letters to put there."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from app.box import Box
from app.domain.platform import mail, mail_addresses, objects
from app.outside.breakers import Breaker
from app.outside.imap import Mailbox
from app.outside.s3 import ObjectStore
from app.services import Services
from tests.platform.test_bounces import shape
from tests.world.faults import Faults
from tests.world.mailbox import MailboxServer

ROWS = "SELECT id, sender::text, recipient::text, subject, handler, status, why, automatic, spf, dkim FROM inbound_emails ORDER BY id"


class Postbox(NamedTuple):
    """A mailbox on loopback, and services that poll it."""

    server: MailboxServer
    services: Services

    async def rows(self) -> list[Any]:
        """What has come in so far, the oldest first."""
        return await self.services.db.fetch(ROWS)


@contextlib.asynccontextmanager
async def opened(services: Services, box: Box | None = None) -> AsyncIterator[Postbox]:
    """A postbox; with `box` the raw letters are kept in its object store."""
    server = MailboxServer(Faults(), [])
    await server.start()
    doors: dict[str, Any] = {
        "imap": Mailbox(server.url, breaker=Breaker("imap", limit=99), timeout=2)
    }
    if box is not None:
        env = box.env
        doors["s3"] = ObjectStore(
            env["S3_ENDPOINT"], env["S3_ACCESS_KEY"], env["S3_SECRET_KEY"], breaker=Breaker("s3")
        )
        await doors["s3"].ensure_buckets(dict(objects.BUCKETS.values()))
    try:
        yield Postbox(server, dataclasses.replace(services, outside=doors))
    finally:
        for door in doors.values():
            await door.close()
        await server.stop()


def letter(
    to: str, *, sender: str = "Bob <bob@example.org>", number: int = 1, head: str = ""
) -> bytes:
    """A letter of a person, with more headers if need be."""
    return (
        f"{head}From: {sender}\nTo: {to}\nSubject: Hello {number}\nMessage-ID: <{number}@example.org>\n\n"
        "Good morning.\n"
    ).encode()


async def sent(services: Services, to: str = "ada@example.org", **options: Any) -> int:
    """A letter of ours that was sent."""
    async with services.tx() as tx:
        email_id = await mail.send(
            tx, "ops_alert", to, headline="h", sentence="s", link="l", **options
        )
    await services.db.execute(
        "UPDATE emails SET status = 'sent', sent_at = now() WHERE id = $1", email_id
    )
    assert email_id is not None
    return email_id


def returned(services: Services, email_id: int, name: str = "user_unknown") -> bytes:
    """A report that this letter came back."""
    address = mail_addresses.made(services.settings, "bounce", email_id)
    return shape(name, address).replace(b"<user-unknown@", f"<unknown-{email_id}@".encode())
