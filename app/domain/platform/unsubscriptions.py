"""Unsubscribing from one sort of letter with one click: the token says who, what and when, and needs no session."""

import hashlib
import hmac
import re
import time
from typing import NamedTuple

from app.config import Settings
from app.domain.platform import mail_addresses, notification_choices
from app.errors import Gone, NotFound
from app.services import Services

LIVES_SECONDS = 30 * 86_400
SKEW_SECONDS = 300
FORM = re.compile(r"([1-9][0-9]{0,17})\.([a-z][a-z_]{0,39})\.([0-9]{1,12})\.([0-9a-f]{32})")


class Wish(NamedTuple):
    """Who wants no more letters of which type."""

    user_id: int
    type: str


def token(settings: Settings, user_id: int, type: str, at: float | None = None) -> str:
    """A token for the header List-Unsubscribe, good for 30 days from `at` (Unix time, now by default)."""
    said = f"{user_id}.{type}.{int(time.time() if at is None else at)}"
    return f"{said}.{mac_of(settings, said)}"


def mac_of(settings: Settings, said: str) -> str:
    """What only LINK_SECRET can make of user, type and time."""
    message = f"unsubscribe:{said}".encode()
    return hmac.new(settings.link_secret.encode(), message, hashlib.sha256).hexdigest()[:32]


def wish(settings: Settings, token: str, now: float | None = None) -> Wish:
    """What a token asks for. Raises NotFound for one that we did not make, Gone for one past its time."""
    found = FORM.fullmatch(token)
    if found is None or not hmac.compare_digest(
        found[4], mac_of(settings, token.rpartition(".")[0])
    ):
        raise NotFound("This is no link of ours, or a part of it is missing.")
    age = (time.time() if now is None else now) - int(found[3])
    if not -SKEW_SECONDS <= age <= LIVES_SECONDS + SKEW_SECONDS:
        raise Gone("This link was good for 30 days. Sign in and choose under Notices instead.")
    return Wish(int(found[1]), found[2])


async def accept(services: Services, token: str) -> Wish:
    """Send no more letters of the token's type to its member. Raises NotFound, Gone."""
    asked = wish(services.settings, token)
    async with services.tx() as tx:
        await notification_choices.switch_off_mail(tx, asked.user_id, asked.type)
    return asked


# An account that is gone wants no letters anyway.
BY_LETTER = """
SELECT coalesce(e.user_id, u.id) AS user_id, e.template AS type
FROM emails e LEFT JOIN users u ON e.user_id IS NULL AND u.email = e.to_address
WHERE e.id = $1 AND e.kind <> 'transactional' AND e.created_at > now() - interval '30 days 5 minutes'
"""


async def accept_letter(services: Services, tag: str) -> Wish | None:
    """The same for a letter to `unsubscribe+{tag}@`; None when that names no letter of the last 30 days."""
    email_id = mail_addresses.letter_of(services.settings, "unsubscribe", tag)
    row = await services.db.fetchrow(BY_LETTER, email_id) if email_id else None
    if row is None or row["user_id"] is None:
        return None
    await notification_choices.switch_off_mail(services, row["user_id"], row["type"])
    return Wish(row["user_id"], row["type"])
