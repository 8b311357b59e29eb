"""Mail: a letter is a row and a job in the transaction that causes it; the job hands it over once."""

import secrets
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import msgspec
import structlog

from app.errors import NotFound, Problem, ServiceDown
from app.services import Services

log = structlog.get_logger("mail")

FAMILY = {"transactional": "HIGH", "notice": "DEFAULT", "digest": "LOW", "ops": "DEFAULT"}
TRY_AGAIN_SECONDS = (60, 300, 1800, 7200, 21_600)  # chapter 10 rule 38

ADD = """
INSERT INTO emails (user_id, to_address, template, kind, subject, text_body, html_body, message_id, dedupe_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (dedupe_key) DO NOTHING
RETURNING id
"""


async def send(
    services: Services,
    template: str,
    to_address: str,
    *,
    kind: str = "transactional",
    user_id: int | None = None,
    dedupe_key: str | None = None,
    **context: Any,
) -> int | None:
    """Write one letter and its job in the caller's transaction; None when `dedupe_key` was used before."""
    letter = services.letters(template, site_name=services.settings.site_name, **context)
    message_id = f"<{secrets.token_hex(16)}@{services.settings.mail_host}>"
    email_id: int | None = await services.db.fetchval(
        ADD,
        user_id,
        to_address,
        template,
        kind,
        letter.subject,
        letter.text,
        letter.html,
        message_id,
        dedupe_key,
    )
    if email_id is not None:
        await services.enqueue(
            "send_email",
            email_id,
            key=str(email_id),
            queue=FAMILY[kind],
            subjects=subjects(user_id),
        )
    return email_id


def subjects(user_id: int | None) -> tuple[str, ...]:
    """Whom a job is about, for erasure."""
    return (f"member:{user_id}",) if user_id else ()


async def send_ops_alert(
    services: Services, headline: str, sentence: str, once_key: str
) -> int | None:
    """Tell the operator, at most once a day under one `once_key`. Needs a transaction."""
    day = datetime.now(UTC).date().isoformat()
    return await send(
        services,
        "ops_alert",
        services.settings.operator_address,
        kind="ops",
        dedupe_key=f"ops:{once_key}:{day}",
        headline=headline,
        sentence=sentence,
        link=f"{services.settings.public_url}/admin/jobs?status=dead",
    )


# A letter found `sending` was interrupted between handing over and marking: only transactional ones are sent again.
TAKE = """
UPDATE emails SET status = CASE WHEN suppressed THEN 'suppressed' WHEN interrupted THEN 'failed' ELSE 'sending' END,
       error = CASE WHEN suppressed THEN 'address disabled' WHEN interrupted THEN 'interrupted' END,
       attempts = attempts + 1
FROM (
    SELECT e.id, u.email_disabled_at IS NOT NULL OR u.closed_at IS NOT NULL AS suppressed,
           e.status = 'sending' AND e.kind <> 'transactional' AS interrupted
    FROM emails e LEFT JOIN users u ON u.id = e.user_id WHERE e.id = $1 FOR UPDATE OF e
) AS found
WHERE emails.id = found.id AND emails.status IN ('queued', 'sending')
RETURNING emails.id, status, kind, to_address::text, subject, text_body, html_body, message_id, attempts
"""
SENT = "UPDATE emails SET status = 'sent', sent_at = now(), smtp_reply = $2, error = NULL WHERE id = $1"
WAITS = "UPDATE emails SET status = 'queued', error = $2 WHERE id = $1"
FAILED = "UPDATE emails SET status = 'failed', error = $2 WHERE id = $1"


async def deliver(services: Services, email_id: int) -> None:
    """Hand one letter over. A refusal for now is tried again, one for good is written down. Raises ServiceDown."""
    row = await services.db.fetchrow(TAKE, email_id)
    if row is None or row["status"] != "sending":
        return
    smtp = services.outside.get("smtp")
    if smtp is None and services.settings.is_local:
        await services.db.execute(SENT, email_id, "kept at /dev/mail")
        return
    try:
        if smtp is None:
            raise ServiceDown("No mail server is set up.", code="not_configured")
        reply = await smtp.send(as_message(services, row))
    except Problem as error:
        if error.code == "mail_refused":
            await services.db.execute(FAILED, email_id, error.sentence[:500])
            return
        await services.db.execute(WAITS, email_id, error.sentence[:500])
        wait = TRY_AGAIN_SECONDS[min(row["attempts"], len(TRY_AGAIN_SECONDS)) - 1]
        raise ServiceDown(error.sentence, code=error.code, retry_after=wait) from error
    await services.db.execute(SENT, email_id, reply[:500])


def as_message(services: Services, row: Any) -> EmailMessage:
    """The letter as an RFC 5322 message of text and HTML."""
    message = EmailMessage()
    message["From"] = f"{services.settings.site_name} <{services.settings.sender}>"
    message["To"] = row["to_address"]
    message["Subject"] = row["subject"]
    message["Message-ID"] = row["message_id"]
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(row["text_body"])
    message.add_alternative(row["html_body"], subtype="html")
    return message


class Posted(msgspec.Struct):
    """One letter of the outbox."""

    id: int
    to_address: str
    subject: str
    status: str
    created_at: datetime
    text_body: str | None = None


OUTBOX = """
SELECT id, to_address::text, subject, status, created_at, text_body FROM emails ORDER BY id DESC LIMIT 50
"""


async def outbox(services: Services) -> list[Posted]:
    """The last letters, for development. Raises NotFound elsewhere."""
    if not services.settings.is_local:
        raise NotFound("There is nothing at this address.")
    return [Posted(**dict(row)) for row in await services.db.fetch(OUTBOX)]
