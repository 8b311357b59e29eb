"""Addresses that letters come back to: each names one letter and proves by a MAC that we made it."""

import hashlib
import hmac
import re

from app.config import Settings

# Local parts may be folded to lower case on their way, and have at most 64 characters (RFC 5321 §4.5.3.1.1).
TAG = re.compile(r"([1-9][0-9]{0,17})\.([0-9a-f]{20})")


def made(settings: Settings, purpose: str, email_id: int) -> str:
    """The address `purpose+{id}.{mac}@MAIL_DOMAIN` of one letter."""
    return f"{purpose}+{email_id}.{mac_of(settings, purpose, email_id)}@{settings.mail_host}"


def letter_of(settings: Settings, purpose: str, tag: str) -> int | None:
    """The letter that the part after `purpose+` names, or None when we never made that address."""
    found = TAG.fullmatch(tag.lower())
    if found is None:
        return None
    email_id = int(found[1])
    right = hmac.compare_digest(found[2], mac_of(settings, purpose, email_id))
    return email_id if right else None


def mac_of(settings: Settings, purpose: str, email_id: int) -> str:
    """Twenty hex digits that only LINK_SECRET can make."""
    said = f"{purpose}:{email_id}".encode()
    return hmac.new(settings.link_secret.encode(), said, hashlib.sha256).hexdigest()[:20]
