"""A letter that came in, read: whom it is for, who sent it, whether a machine wrote it, what our server found."""

import hashlib
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses

import msgspec

# Where servers write whom they deliver to; To comes last, since anybody may write anything there.
RECIPIENT_HEADERS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
VERDICT = re.compile(r"\b(spf|dkim)\s*=\s*([a-z]+)", re.I)
ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")


class InboundLetter(msgspec.Struct):
    """One letter as it came in."""

    message: EmailMessage
    message_id: str
    sender: str
    # The part before + of the address it is for, and the part after it.
    recipient: str
    handler: str
    tag: str
    subject: str
    automatic: bool
    spf: str | None
    dkim: str | None


def read(raw: bytes, mail_host: str, server_id: str) -> InboundLetter | None:
    """Read the raw letter; None when it has neither sender nor subject nor recipient: that is no letter."""
    try:
        message = message_from_bytes(raw, policy=policy.default)
        if not any(field(message, name) for name in ("From", "To", "Subject", "Return-Path")):
            return None
        recipient = recipient_of(message, mail_host)
        handler, _, tag = recipient.rpartition("@")[0].partition("+")
        verdicts = verdicts_of(message, server_id)
        return InboundLetter(
            message=message,
            message_id=message_id_of(field(message, "Message-ID"), raw),
            sender=(addresses(message, "From") or [""])[0][:320],
            recipient=recipient[:320],
            handler=handler.lower() if tag else "",
            tag=tag,
            subject=field(message, "Subject")[:300],
            automatic=is_automatic(message),
            spf=verdicts.get("spf"),
            dkim=verdicts.get("dkim"),
        )
    # The parser is lenient by design, and still trips over some headers (bugs.python.org has a row of them).
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def field(message: EmailMessage, name: str) -> str:
    """One header's text on one line; empty where it is missing."""
    return clean(message.get(name, ""))


def clean(value: object) -> str:
    """A header's value as text that the database takes: no line ends, no NUL, no bytes that are no characters."""
    text = str(value).encode("utf-8", "replace").decode().replace("\x00", "")
    return " ".join(text.split())


def addresses(message: EmailMessage, name: str) -> list[str]:
    """The addresses in all headers of that name."""
    written = [clean(value) for value in message.get_all(name, [])]
    return [found for _, found in getaddresses(written) if ADDRESS.fullmatch(found)]


def recipient_of(message: EmailMessage, mail_host: str) -> str:
    """The address of ours that the letter is for; the first of all where none is ours."""
    found = [address for name in RECIPIENT_HEADERS for address in addresses(message, name)]
    ours = [address for address in found if address.lower().endswith(f"@{mail_host}".lower())]
    tagged = [address for address in ours if "+" in address]
    return next(iter([*tagged, *ours, *found]), "")


def message_id_of(written: str, raw: bytes) -> str:
    """The letter's Message-ID; for one without, a name made of its bytes, so that it too is known again."""
    return written[:998] or f"<{hashlib.sha256(raw).hexdigest()}@no-message-id>"


def is_automatic(message: EmailMessage) -> bool:
    """Whether a machine wrote it: such letters are never answered (RFC 3834 §2)."""
    submitted = field(message, "Auto-Submitted").lower()
    return (
        submitted not in ("", "no")
        or field(message, "Return-Path") == "<>"
        or field(message, "Precedence").lower() in ("bulk", "junk", "list", "auto_reply")
        or any(name in message for name in ("List-Id", "X-Autoreply", "X-Autorespond"))
        or message.get_content_type() == "multipart/report"
    )


def verdicts_of(message: EmailMessage, server_id: str) -> dict[str, str]:
    """What our own server found of SPF and DKIM (RFC 8601); headers in anybody else's name count nothing.

    Only the topmost one is read: our server writes above all that the letter brought along.
    """
    for value in message.get_all("Authentication-Results", []):
        said, _, rest = str(value).partition(";")
        if said.split(maxsplit=1)[:1] == [server_id]:
            return {name.lower(): verdict.lower() for name, verdict in VERDICT.findall(rest)}
    return {}
