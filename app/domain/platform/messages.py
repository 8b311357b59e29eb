"""A letter's row as the message that travels: text and HTML, the headers of an automatic sender, the way back."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import Any

import msgspec

from app.config import Settings
from app.domain.platform import mail_addresses, unsubscriptions


class Posted(msgspec.Struct):
    """One letter of the outbox."""

    id: int
    to_address: str
    subject: str
    status: str
    created_at: datetime
    text_body: str | None = None


def made(settings: Settings, row: Any) -> tuple[EmailMessage, str]:
    """The letter as an RFC 5322 message, and the address its bounces go to (chapter 10 rule 41)."""
    message = EmailMessage()
    message["From"] = formataddr((settings.site_name, settings.sender))
    message["To"] = row["to_address"]
    message["Subject"] = row["subject"]
    message["Message-ID"] = row["message_id"]
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Auto-Submitted"] = "auto-generated"
    # Exchange heeds this one instead, and sends no "out of office".
    message["X-Auto-Response-Suppress"] = "All"
    if row["kind"] != "transactional" and row["reader_id"]:
        way_out(settings, message, row)
    message.set_content(row["text_body"] or "")
    message.add_alternative(row["html_body"] or "", subtype="html")
    return message, mail_addresses.made(settings, "bounce", row["id"])


def way_out(settings: Settings, message: EmailMessage, row: Any) -> None:
    """One-click unsubscribing by RFC 8058, and by an empty letter for programs that know only RFC 2369.

    A letter to an address without an account carries none: OPS_EMAIL itself says who gets it.
    """
    token = unsubscriptions.token(settings, row["reader_id"], row["template"])
    by_web = f"<{settings.public_url}/notifications/unsubscribe?token={token}>"
    by_mail = f"<mailto:{mail_addresses.made(settings, 'unsubscribe', row['id'])}>"
    message["List-Unsubscribe"] = f"{by_web}, {by_mail}"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
