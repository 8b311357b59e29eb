"""The delivery log: letters out, for admins; opening one is written down, and secrets in it stay hidden."""

import re
import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from app.domain.platform import audit, mail
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services

Status = Literal["queued", "sending", "sent", "failed", "bounced", "suppressed"]
TOKENS = re.compile(r"([?&;](?:amp;)?(?:token|sig|code|mac)=)[^&\s\"'<>]+")
HIDDEN = "This letter held a link or code that acts for the member, so its text is not shown."
GONE = "The text is gone: letters keep it for 30 days."


class Filter(msgspec.Struct):
    """Which letters are asked for; `to` is a whole address."""

    status: Status | None = None
    to: Annotated[str, msgspec.Meta(max_length=254)] | None = None
    user_id: int | None = None
    cursor: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class Line(msgspec.Struct):
    """One letter as the list shows it."""

    id: int
    to_address: str
    template: str
    kind: str
    subject: str
    status: str
    attempts: int
    repeats: int
    error: str | None
    created_at: datetime
    sent_at: datetime | None


class LetterList(msgspec.Struct):
    """Letters, newest first."""

    items: list[Line]
    total: int | None = None
    next: str | None = None


class Bounce(msgspec.Struct):
    """One report of a letter that came back."""

    type: str
    status: str
    diagnostic: str
    created_at: datetime


class Letter(Line):
    """One letter whole. `hidden` says why there is no text."""

    user_id: int | None
    message_id: str
    smtp_reply: str | None
    text_body: str | None
    hidden: str | None = None
    bounces: list[Bounce] = []


LATEST = """
SELECT id, to_address::text, template, kind, subject, status, attempts, repeats, error, created_at, sent_at
FROM emails
WHERE ($1::text IS NULL OR status = $1) AND ($2::citext IS NULL OR to_address = $2)
  AND ($3::bigint IS NULL OR user_id = $3) AND ($4::bigint IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5
"""


async def latest(services: Services, asked: Filter) -> LetterList:
    """Letters by filter, newest first."""
    rows = await services.db.fetch(
        LATEST, asked.status, asked.to, asked.user_id, asked.cursor, asked.limit + 1
    )
    items = [Line(**dict(row)) for row in rows[: asked.limit]]
    return LetterList(items, None, str(items[-1].id) if len(rows) > asked.limit else None)


ONE = """
SELECT id, to_address::text, template, kind, subject, status, attempts, repeats, error, created_at, sent_at,
    user_id, message_id, smtp_reply, text_body
FROM emails WHERE id = $1
"""
BOUNCES_OF = (
    "SELECT type, status, diagnostic, created_at FROM email_bounces WHERE email_id = $1 ORDER BY id"
)


async def one(services: Services, who: Reader, email_id: int) -> Letter:
    """One letter with its text, which is written in the audit log. Raises NotFound."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(ONE, email_id)
        if row is None:
            raise NotFound("There is no such letter.")
        await audit.add(tx, who, "email.read", ("email", email_id))
        bounces = [Bounce(**dict(found)) for found in await tx.db.fetch(BOUNCES_OF, email_id)]
    letter = Letter(**dict(row), bounces=bounces)
    letter.text_body, letter.hidden = shown(letter)
    return letter


def shown(letter: Letter) -> tuple[str | None, str | None]:
    """A letter's text as an admin may see it, or the sentence that stands in its place."""
    if letter.template in mail.SECRET:
        return None, HIDDEN
    if letter.text_body is None:
        return None, GONE
    return TOKENS.sub(r"\1…", letter.text_body), None


AGAIN = """
INSERT INTO emails (user_id, to_address, template, kind, subject, text_body, html_body, message_id)
SELECT user_id, to_address, template, kind, subject, text_body, html_body, $2 FROM emails WHERE id = $1
RETURNING id, kind, user_id
"""


async def send_again(services: Services, who: Reader, email_id: int, reason: str) -> Line:
    """Send a letter once more as a new one; answer the new one. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        letter = await tx.db.fetchrow(ONE, email_id)
        refuse_again(letter)
        message_id = f"<{secrets.token_hex(16)}@{services.settings.mail_host}>"
        row = await tx.db.fetchrow(AGAIN, email_id, message_id)
        await mail.enqueue(tx, row["id"], row["kind"], row["user_id"])
        await audit.add(
            tx, who, "email.resent", ("email", email_id), reason, after={"as": row["id"]}
        )
        found = await tx.db.fetchrow(ONE, row["id"])
    return Line(**{name: found[name] for name in Line.__struct_fields__})


def refuse_again(letter: Any) -> None:
    """Refuse to repeat what waits, what holds a secret, and what has no text any more. Raises NotFound, Conflict."""
    if letter is None:
        raise NotFound("There is no such letter.")
    if letter["status"] in ("queued", "sending"):
        raise Conflict("This letter is on its way already.")
    if letter["template"] in mail.SECRET:
        raise Conflict("Such a letter works once: let the member ask for a new one.")
    if letter["text_body"] is None:
        raise Conflict(GONE)


async def send_test(services: Services, who: Reader, address: str) -> int:
    """Send a letter that says only that letters arrive; answer its id."""
    async with services.tx() as tx:
        email_id = await mail.send(
            tx, "test_email", address, asked_by=who.name, link=services.settings.public_url
        )
        assert email_id is not None, "a letter without a dedupe_key is always written"
        await audit.add(tx, who, "email.tested", ("email", email_id))
        return email_id


BODIES = """
UPDATE emails SET text_body = NULL, html_body = NULL
WHERE id IN (SELECT id FROM emails WHERE created_at < now() - interval '30 days' AND text_body IS NOT NULL LIMIT 5000)
"""
ROWS = "DELETE FROM emails WHERE id IN (SELECT id FROM emails WHERE created_at < now() - interval '400 days' LIMIT 5000)"
ROWS_IN = """
DELETE FROM inbound_emails
WHERE id IN (SELECT id FROM inbound_emails WHERE created_at < now() - interval '400 days' LIMIT 5000)
"""


async def purge(services: Services) -> None:
    """Forget texts after 30 days and rows after 400; the raw letters that came in go by their own day."""
    for statement in (BODIES, ROWS, ROWS_IN):
        while not (await services.db.execute(statement)).endswith(" 0"):
            continue
