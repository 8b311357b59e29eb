"""Letters in, for admins: what came, what became of it, and a second try for what was held."""

from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Annotated, Literal

import msgspec

from app.domain.platform import audit, inbound_emails, inbound_letters, objects
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services

Status = Literal["new", "handled", "ignored", "unparsable", "held"]
TEXT_CHARACTERS = 20_000


class Filter(msgspec.Struct):
    """Which letters are asked for."""

    status: Status | None = None
    sender: Annotated[str, msgspec.Meta(max_length=320)] | None = None
    cursor: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class Line(msgspec.Struct):
    """One letter as the list shows it."""

    id: int
    sender: str
    recipient: str
    subject: str
    handler: str | None
    status: str
    why: str | None
    automatic: bool
    spf: str | None
    dkim: str | None
    bytes: int
    created_at: datetime


class MailboxState(msgspec.Struct):
    """How the polling of one mailbox stands."""

    name: str
    failures: int
    last_error: str | None
    last_ok_at: datetime | None
    polled_at: datetime | None


class LetterList(msgspec.Struct):
    """Letters, newest first, and the mailboxes they come from."""

    items: list[Line]
    mailboxes: list[MailboxState]
    total: int | None = None
    next: str | None = None


class Letter(Line):
    """One letter with its text; null when it is gone after 30 days."""

    message_id: str
    text_body: str | None = None


LATEST = """
SELECT id, sender::text, recipient::text, subject, handler, status, why, automatic, spf, dkim, bytes, created_at
FROM inbound_emails
WHERE ($1::text IS NULL OR status = $1) AND ($2::citext IS NULL OR sender = $2) AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4
"""
MAILBOXES = "SELECT name, failures, last_error, last_ok_at, polled_at FROM mailboxes ORDER BY name"


async def latest(services: Services, asked: Filter) -> LetterList:
    """Letters by filter, newest first, and how the polling stands."""
    rows = await services.db.fetch(
        LATEST, asked.status, asked.sender, asked.cursor, asked.limit + 1
    )
    boxes = [MailboxState(**dict(row)) for row in await services.db.fetch(MAILBOXES)]
    items = [Line(**dict(row)) for row in rows[: asked.limit]]
    return LetterList(items, boxes, None, str(items[-1].id) if len(rows) > asked.limit else None)


ONE = """
SELECT i.id, i.sender::text, i.recipient::text, i.subject, i.handler, i.status, i.why, i.automatic, i.spf, i.dkim,
    i.bytes, i.created_at, i.message_id, o.key
FROM inbound_emails i LEFT JOIN stored_objects o ON o.id = i.object_id
WHERE i.id = $1
"""


async def one(services: Services, who: Reader, inbound_id: int) -> Letter:
    """One letter with its text, which is written in the audit log. Raises NotFound, ServiceDown."""
    row = await services.db.fetchrow(ONE, inbound_id)
    if row is None:
        raise NotFound("There is no such letter.")
    async with services.tx() as tx:
        await audit.add(tx, who, "inbound_email.read", ("inbound_email", inbound_id))
    facts = dict(row)
    key = facts.pop("key")
    raw = await objects.content(services, inbound_emails.BUCKET, key) if key else None
    return Letter(**facts, text_body=None if raw is None else text_of(raw))


def text_of(raw: bytes) -> str:
    """What a person can read of a raw letter."""
    message = message_from_bytes(raw, EmailMessage, policy=policy.default)
    part = message.get_body(("plain", "html"))
    try:
        text = str(part.get_content()) if part else raw.decode("utf-8", "replace")
    except (LookupError, ValueError, KeyError):
        text = raw.decode("utf-8", "replace")
    return text.replace("\x00", "")[:TEXT_CHARACTERS]


HELD = """
SELECT i.status, i.bytes, o.key FROM inbound_emails i LEFT JOIN stored_objects o ON o.id = i.object_id
WHERE i.id = $1 FOR UPDATE OF i
"""


async def hand_over_again(services: Services, who: Reader, inbound_id: int, reason: str) -> None:
    """Give a held letter to its handler once more. Raises NotFound, Conflict, ServiceDown."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(HELD, inbound_id)
        if row is None:
            raise NotFound("There is no such letter.")
        if row["status"] != "held" or row["key"] is None:
            raise Conflict("Only a letter that is held and still there can be handed over again.")
        raw = await objects.content(tx, inbound_emails.BUCKET, row["key"])
        settings = services.settings
        server_id = settings.mail_server_id or settings.mail_host
        letter = inbound_letters.read(raw, settings.mail_host, server_id)
        outcome = await inbound_emails.handed_over(tx, letter, row["bytes"])
        await tx.db.execute(inbound_emails.END, inbound_id, outcome.status, outcome.why)
        target = ("inbound_email", inbound_id)
        after = {"status": outcome.status}
        await audit.add(tx, who, "inbound_email.retried", target, reason, after=after)
