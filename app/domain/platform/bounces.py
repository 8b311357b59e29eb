"""Bounces: what a returned letter's report says (RFC 3464), and what that means for the address."""

import base64
import binascii
import quopri
import re
from email import message_from_bytes
from email.message import EmailMessage, Message
from typing import NamedTuple

import structlog
from prometheus_client import Counter

from app.domain.platform.inbound_letters import clean
from app.services import Services

log = structlog.get_logger("mail")

BOUNCES = Counter("email_bounces", "Letters that came back, by type.", ("type",))
REPORTS = ("message/delivery-status", "message/global-delivery-status")
STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
TEMPORARY_UNTIL_DISABLED = 5


class Report(NamedTuple):
    """What became of a letter: `type` permanent, temporary, delayed or none; `status` as 5.1.1 (RFC 3463)."""

    type: str
    status: str
    diagnostic: str = ""


def read(letter: EmailMessage) -> Report | None:
    """The report in a returned letter, None when it is no report. Subject and prose are never looked at."""
    found = [
        report
        for part in letter.walk()
        if part.get_content_type() in REPORTS
        for group in groups(part)
        if (report := recipient(group))
    ]
    # One letter of ours has one recipient; where an alias made several of it, the worst news counts.
    ranks = ("none", "delayed", "temporary", "permanent")
    return max(found, key=lambda report: ranks.index(report.type), default=None)


def groups(part: Message) -> list[Message]:
    """The groups of fields in a report, each as a message of headers only.

    They are read from the bytes: the standard library knows the groups of message/delivery-status
    alone, and not when they are encoded.
    """
    raw = part.as_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")[2]
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    try:
        if encoding == "base64":
            raw = base64.b64decode(b"".join(raw.split()))
        elif encoding == "quoted-printable":
            raw = quopri.decodestring(raw)
    except binascii.Error:
        return []
    blocks = re.split(rb"\n[ \t]*\n", raw.replace(b"\r\n", b"\n").strip())
    return [message_from_bytes(block) for block in blocks if block.strip()]


def recipient(group: Message) -> Report | None:
    """What one group says of one recipient (RFC 3464 §2.3); None for the group about the message."""
    action = str(group.get("Action", "")).strip().lower()
    status = STATUS.search(str(group.get("Status", "")))
    if not action or status is None:
        return None
    diagnostic = clean(group.get("Diagnostic-Code", ""))[:500]
    # The field Action decides; the class of the status only tells for good from for now.
    kind = {"failed": "permanent" if status[1] == "5" else "temporary", "delayed": "delayed"}.get(
        action, "none"
    )
    return Report(kind, status[0], diagnostic)


BOUNCED = """
WITH letter AS (
    UPDATE emails SET status = CASE WHEN $2 = 'delayed' THEN status ELSE 'bounced' END WHERE id = $1
    RETURNING id, to_address
)
INSERT INTO email_bounces (email_id, type, status, diagnostic) SELECT id, $2, $3, $4 FROM letter
RETURNING (SELECT to_address::text FROM letter)
"""
# Bounced for now, in 30 days, with no letter in between that arrived: arrived is what was sent and did not come back.
IN_A_ROW = """
SELECT count(DISTINCT b.email_id) FROM email_bounces b JOIN emails e ON e.id = b.email_id
WHERE e.to_address = $1 AND b.type = 'temporary' AND b.created_at > now() - interval '30 days'
  AND e.sent_at > coalesce((
      SELECT max(good.sent_at) FROM emails good
      WHERE good.to_address = $1 AND good.status = 'sent' AND good.sent_at < (
          SELECT max(bad.sent_at) FROM emails bad WHERE bad.to_address = $1 AND bad.status = 'bounced')
  ), '-infinity')
"""
DISABLE = """
UPDATE users SET email_disabled_at = now(), email_disabled_why = $2
WHERE email = $1 AND email_disabled_at IS NULL RETURNING id
"""


async def take(services: Services, email_id: int, report: Report) -> None:
    """Write down that a letter came back; disable the address at a 5.x.x or the fifth 4.x.x (chapter 10 rule 41)."""
    address = await services.db.fetchval(
        BOUNCED, email_id, report.type, report.status, report.diagnostic
    )
    if address is None:
        return
    BOUNCES.labels(report.type).inc()
    is_over = report.type == "permanent"
    if report.type == "temporary":
        in_a_row = await services.db.fetchval(IN_A_ROW, address)
        is_over = in_a_row >= TEMPORARY_UNTIL_DISABLED
    if is_over:
        user_id = await services.db.fetchval(DISABLE, address, f"bounced: {report.status}")
        log.info("address disabled", user_id=user_id, status=report.status)
