"""Activity: what admins did to one member's account, as the member sees it (chapter 10 rule 17)."""

from datetime import datetime

import msgspec

from app.domain.platform.readers import Reader
from app.services import Services

# Kind of act → what the member reads. Acts that are not named here are shown under their own name.
SENTENCES = {
    "user.viewed": "opened the page of your account",
    "ban.added": "banned your account",
    "ban.lifted": "lifted the ban of your account",
    "user.signed_out": "signed you out everywhere",
    "user.letter_sent": "sent you a letter to sign in with",
    "role.changed": "changed your role",
    "grant.added": "gave you a permission",
    "grant.ended": "took a permission from you",
    "impersonation.started": "began to see the site as you",
    "impersonation.wrote": "changed something as you",
    "impersonation.ended": "stopped seeing the site as you",
}


class Act(msgspec.Struct):
    """One act; `by` is the role of who did it, never their name."""

    id: int
    at: datetime
    action: str
    by: str
    sentence: str
    reason: str | None


class ActivityList(msgspec.Struct):
    """Acts, the latest first."""

    items: list[Act]
    total: int | None = None
    next: str | None = None


# What a member did to their own account as an admin is no news to them.
LATEST = """
SELECT id, timestamp AS at, action, coalesce(actor_role, actor_kind) AS by, reason FROM audit_log
WHERE target_kind = 'member' AND target_id = $1::bigint::text AND id < $2 AND actor_id IS DISTINCT FROM $1
ORDER BY id DESC LIMIT $3
"""


async def latest(services: Services, who: Reader, below: int, limit: int) -> ActivityList:
    """What was done to the member's account before that entry, the latest first."""
    rows = await services.db.fetch(LATEST, who.id, below, limit + 1)
    items = [
        Act(**dict(row), sentence=SENTENCES.get(row["action"], row["action"]))
        for row in rows[:limit]
    ]
    return ActivityList(items, next=str(items[-1].id) if len(rows) > limit else None)
