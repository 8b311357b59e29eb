"""Mail: a letter is a row and a job in the transaction that causes it; the job hands it over once."""

import random
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import Counter

from app.domain.platform import letter_limits, messages, site_settings
from app.errors import Defer, NotFound, Problem, ServiceDown
from app.services import Services

MESSAGES = Counter(
    "email_messages", "Letters by template and what became of them.", ("template", "status")
)
FAMILY = {"transactional": "HIGH", "notice": "DEFAULT", "digest": "LOW", "ops": "DEFAULT"}
TRY_AGAIN_SECONDS = (60, 300, 1800, 7200, 21_600)  # chapter 10 rule 38
# The server was not asked at all: that is no attempt.
NOT_ASKED = frozenset(("breaker_open", "not_configured"))
# These prove an address or end an account: they go to disabled addresses and closed accounts too.
ALWAYS = (
    "sign_in",
    "verify_address",
    "deletion_scheduled",
    "deletion_cancelled",
    "deletion_held",
    "deletion_done",
)
# Whoever reads these could act as the member: their text goes once they are sent or given up, and no admin sees it.
SECRET = ("sign_in", "verify_address", "step_up", "new_sign_in", "deletion_scheduled")

ADD = """
INSERT INTO emails (user_id, to_address, template, kind, subject, text_body, html_body, message_id, dedupe_key,
                    status, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
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
    """Write one letter and its job in the caller's transaction; None when `dedupe_key` was used before.

    A letter beyond the limit of its address (chapter 10 rule 27) is written down as suppressed.
    """
    letter = services.letters(template, site_name=site_settings.of(services).site_name, **context)
    is_allowed = await letter_limits.left(services, template, kind, to_address) > 0
    is_kept = is_allowed or template not in forgotten(services)
    email_id: int | None = await services.db.fetchval(
        ADD,
        user_id,
        to_address,
        template,
        kind,
        letter.subject,
        letter.text if is_kept else None,
        letter.html if is_kept else None,
        f"<{secrets.token_hex(16)}@{services.settings.mail_host}>",
        dedupe_key,
        "queued" if is_allowed else "suppressed",
        None if is_allowed else "limit",
    )
    if email_id is not None and is_allowed:
        await enqueue(services, email_id, kind, user_id)
    elif email_id is not None:
        MESSAGES.labels(template, "suppressed").inc()
    return email_id


def forgotten(services: Services) -> list[str]:
    """The templates whose text goes as soon as a letter's way ends, however it ends; in development /dev/mail shows all."""
    return [] if services.settings.is_local else list(SECRET)


async def enqueue(services: Services, email_id: int, kind: str, user_id: int | None) -> None:
    """Write the job of one letter in the caller's transaction, in the family of its kind."""
    about = (f"member:{user_id}",) if user_id else ()
    await services.enqueue(
        "send_email", email_id, key=str(email_id), queue=FAMILY[kind], subjects=about
    )


async def send_ops_alert(
    services: Services,
    headline: str,
    sentence: str,
    once_key: str,
    link: str = "/admin/jobs?status=dead",
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
        link=f"{services.settings.public_url}{link}",
    )


# A letter found `sending` was interrupted between handing over and marking: only transactional ones are sent again.
TAKE = """
UPDATE emails
SET status = CASE WHEN found.why IS NOT NULL THEN 'suppressed' WHEN found.lost THEN 'failed' ELSE 'sending' END,
    error = CASE WHEN found.why IS NOT NULL THEN found.why WHEN found.lost THEN 'interrupted' END,
    text_body = CASE WHEN found.why IS NULL AND NOT found.lost OR template <> ALL($3::text[]) THEN text_body END,
    html_body = CASE WHEN found.why IS NULL AND NOT found.lost OR template <> ALL($3::text[]) THEN html_body END,
    attempts = attempts + 1, repeats = repeats + found.again::integer
FROM (
    SELECT e.id, u.id AS reader_id,
           e.status = 'sending' AND e.kind <> 'transactional' AS lost,
           e.status = 'sending' AND e.kind = 'transactional' AS again,
           CASE WHEN e.template = ANY($2::text[]) THEN NULL
                WHEN u.closed_at IS NOT NULL THEN 'account closed'
                WHEN u.email_disabled_at IS NOT NULL AND u.email = e.to_address THEN 'address disabled'
                WHEN e.kind <> 'transactional' AND NOT c.wanted THEN 'choice off' END AS why
    FROM emails e
    LEFT JOIN users u ON u.id = e.user_id OR (e.user_id IS NULL AND u.email = e.to_address)
    LEFT JOIN notification_choices c ON c.user_id = u.id AND c.type = e.template AND c.channel = 'mail'
    WHERE e.id = $1 FOR UPDATE OF e
) AS found
WHERE emails.id = found.id AND emails.status IN ('queued', 'sending')
RETURNING emails.id, found.reader_id, status, kind, template, to_address::text, subject, text_body, html_body,
    message_id, attempts
"""
SENT = """
UPDATE emails SET status = 'sent', sent_at = now(), smtp_reply = $2, error = NULL,
    text_body = CASE WHEN template <> ALL($3::text[]) THEN text_body END,
    html_body = CASE WHEN template <> ALL($3::text[]) THEN html_body END
WHERE id = $1
"""


async def deliver(services: Services, email_id: int) -> None:
    """Hand one letter over. A refusal for now is tried again, one for good is written down. Raises ServiceDown, Defer."""
    row = await services.db.fetchrow(TAKE, email_id, list(ALWAYS), forgotten(services))
    if row is None or row["status"] != "sending":
        if row is not None:
            MESSAGES.labels(row["template"], row["status"]).inc()
        return
    try:
        reply = await handed_over(services, row)
    except Problem as error:
        await note_failure(services, row, error)
        return
    await services.db.execute(SENT, email_id, reply[:500], forgotten(services))
    MESSAGES.labels(row["template"], "sent").inc()


async def handed_over(services: Services, row: Any) -> str:
    """Give one letter to the mail server; return its reply. Raises ServiceDown, and Problem when it is refused for good."""
    smtp = services.outside.get("smtp")
    if smtp is None and services.settings.is_local:
        return "kept at /dev/mail"
    if smtp is None:
        raise ServiceDown("No mail server is set up.", code="not_configured")
    message, return_path = messages.made(services.settings, row)
    reply: str = await smtp.send(message, sender=return_path)
    return reply


FAILED = """
UPDATE emails SET status = 'failed', error = $2, smtp_reply = $3,
    text_body = CASE WHEN template <> ALL($4::text[]) THEN text_body END,
    html_body = CASE WHEN template <> ALL($4::text[]) THEN html_body END
WHERE id = $1
"""
# After a hand-over that ended in the dark the letter stays `sending`, so that the next one counts as a repeat.
WAITS = """
UPDATE emails SET status = CASE WHEN $4 THEN 'sending' ELSE 'queued' END, error = $2, smtp_reply = $3 WHERE id = $1
"""
UNASKED = "UPDATE emails SET status = 'queued', error = $2, attempts = attempts - 1 WHERE id = $1"


async def note_failure(services: Services, row: Any, error: Problem) -> None:
    """Write down that a letter did not go, and raise what lets its job try again. Raises ServiceDown, Defer."""
    reply = (getattr(error, "reply", "") or "")[:500] or None
    if error.code in NOT_ASKED:
        await services.db.execute(UNASKED, row["id"], error.code)
        wait = max(60.0, error.retry_after or 0) * random.uniform(1, 1.5)  # noqa: S311
        raise Defer(datetime.now(UTC) + timedelta(seconds=wait), error.sentence)
    unsure = bool(getattr(error, "unsure", False))
    is_last = row["attempts"] > len(TRY_AGAIN_SECONDS)
    gone_for_good = error.code == "mail_refused"
    if gone_for_good or is_last or (unsure and row["kind"] != "transactional"):
        why = "interrupted" if unsure else error.code
        await services.db.execute(FAILED, row["id"], why, reply, forgotten(services))
        MESSAGES.labels(row["template"], "failed").inc()
        if not gone_for_good and is_last:
            raise error
        return
    await services.db.execute(WAITS, row["id"], error.code, reply, unsure)
    wait = TRY_AGAIN_SECONDS[row["attempts"] - 1]
    raise ServiceDown(error.sentence, code=error.code, retry_after=wait) from error


OUTBOX = """
SELECT id, to_address::text, subject, status, created_at, text_body FROM emails ORDER BY id DESC LIMIT 50
"""


async def outbox(services: Services) -> list[messages.Posted]:
    """The last letters, for development. Raises NotFound elsewhere."""
    if not services.settings.is_local:
        raise NotFound("There is nothing at this address.")
    return [messages.Posted(**dict(row)) for row in await services.db.fetch(OUTBOX)]
