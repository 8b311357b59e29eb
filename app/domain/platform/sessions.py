"""Sessions: one browser that is signed in — opened, listed, ended."""

import secrets
from datetime import datetime
from typing import Any

import msgspec

from app.domain.platform import agents
from app.domain.platform.readers import Reader, token_hash
from app.errors import NotFound
from app.services import Services

OPEN = """
INSERT INTO sessions (token_hash, user_id, method, key_print, fresh_until, ends_at, ip, browser_hash)
SELECT $1, id, $3, $4, now() + interval '10 minutes',
       now() + CASE WHEN role IS NULL THEN interval '180 days' ELSE interval '24 hours' END, $5, $6
FROM users WHERE id = $2
RETURNING id
"""


async def open_for(
    services: Services,
    user_id: int,
    method: str,
    key_print: str,
    ip: dict[str, Any],
    browser: str | None = None,
) -> str:
    """Sign a member in on one browser; answer the token for its cookie (256 random bits)."""
    token = secrets.token_urlsafe(32)
    browser_hash = token_hash(browser) if browser else None
    await services.db.fetchval(
        OPEN, token_hash(token), user_id, method, key_print, ip, browser_hash
    )
    return token


class Session(msgspec.Struct):
    """One browser that is signed in, as its owner sees it."""

    id: int
    method: str
    seen_at: datetime
    created_at: datetime
    agent: str
    is_this: bool


LIVE = """
SELECT id, method, seen_at, created_at, coalesce(ip ->> 'agent', '') AS agent FROM sessions
WHERE user_id = $1 AND ended_at IS NULL AND ends_at > now() ORDER BY seen_at DESC LIMIT 100
"""


async def live(services: Services, who: Reader) -> list[Session]:
    """The member's open sessions, the latest used first."""
    rows = await services.db.fetch(LIVE, who.id)
    return [
        Session(
            row["id"],
            row["method"],
            row["seen_at"],
            row["created_at"],
            agents.in_words(row["agent"]),
            is_this=row["id"] == who.session_id,
        )
        for row in rows
    ]


END = """
UPDATE sessions SET ended_at = now(), ended_why = $3 WHERE id = $1 AND user_id = $2 AND ended_at IS NULL RETURNING id
"""


async def end(services: Services, who: Reader, session_id: int, why: str = "signed_out") -> None:
    """End one of the member's sessions. Raises NotFound."""
    if await services.db.fetchval(END, session_id, who.id, why) is None:
        raise NotFound("This session has ended already.")


END_OTHERS = """
UPDATE sessions SET ended_at = now(), ended_why = 'ended_by_member'
WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND ended_at IS NULL
"""


async def end_others(services: Services, who: Reader) -> None:
    """Sign the member out everywhere but on this browser."""
    await services.db.execute(END_OTHERS, who.id, who.session_id)


# A session opened as a member would outlast what an admin's may last.
SHORTEN = """
UPDATE sessions SET ends_at = least(ends_at, now() + interval '24 hours') WHERE user_id = $1 AND ended_at IS NULL
"""


END_OTHER_KEYS = """
WITH ended AS (
    UPDATE sessions SET ended_at = now(), ended_why = 'new_secret' WHERE ended_at IS NULL AND key_print <> $1
    RETURNING id
)
INSERT INTO audit_log (actor_kind, action, target_kind, after)
SELECT 'system', 'sessions.ended', 'sessions', jsonb_build_object('why', 'new_secret', 'count', count(*))
FROM ended HAVING count(*) > 0
"""


async def end_other_keys(services: Services, key_print: str) -> None:
    """End every session made with another JWT_SESSION_SECRET, and write down how many there were."""
    await services.db.execute(END_OTHER_KEYS, key_print)
