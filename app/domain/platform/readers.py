"""Readers: who is asking, told by the session's or the visitor's cookie and read with each request."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from app.domain.platform import permissions
from app.services import Services

ROTATE_AFTER = timedelta(minutes=15)
OLD_VALUE_LIVES = timedelta(seconds=60)


class Impersonation(msgspec.Struct, frozen=True):
    """A stretch of seeing the site as someone (rule 17), while it lasts."""

    id: int
    expires_at: datetime
    minutes_left: int
    writes: bool
    # The admin's session, and their role, for the audit log.
    session_id: int | None
    role: str | None


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking: a member, a service account, or a visitor who saved something on this browser."""

    id: int
    kind: str
    name: str = ""
    email: str | None = None
    role: str | None = None
    # What the role and live grants allow; a token's scopes can only narrow it.
    permissions: frozenset[str] = frozenset()
    banned_until: datetime | None = None
    time_zone: str | None = None
    preferences: dict[str, Any] = {}
    session_id: int | None = None
    fresh: bool = False
    # Whether the cookie is due: a session's for its next value, a visitor's for its next 30 days.
    rotate: bool = False
    # What an API token may do; None for a browser.
    scopes: frozenset[str] | None = None
    # Set on an admin's own reader when the session sees the site as someone: see impersonations.seen_as.
    impersonation_id: int | None = None
    # Set on the member's reader while an admin sees the site as them.
    impersonator_id: int | None = None
    impersonation: Impersonation | None = None
    # How often the reader changed each area of their own.
    own: dict[str, int] = {}
    # Notices in the bell that were not read yet, counted to 100.
    unread: int = 0
    # A visitor as flags know one: 16 hex digits of the hash of vu_anon_id.
    anon: str = ""
    # What the reader agreed to: analytics, marketing, personalisation. Nothing until said otherwise.
    consents: frozenset[str] = frozenset()
    # The version of the policy that the last answer about consents was given to; "" for whoever never answered.
    answered_policy: str = ""

    @property
    def is_member(self) -> bool:
        """Whether the reader is signed in."""
        return self.kind == "member"

    @property
    def is_admin(self) -> bool:
        """Whether the reader has a role."""
        return self.role is not None


def token_hash(token: str) -> bytes:
    """What is stored of a secret token: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()


# What is read of a person with each request, so that a role that was taken away is missing at once.
PERSON = """u.id, u.kind, u.display_name, u.email, u.role, u.time_zone, u.banned_until, p.doc,
       (SELECT jsonb_object_agg(v.area, v.version) FROM reader_versions v WHERE v.user_id = u.id) AS own,
       CASE WHEN u.role IS NOT NULL THEN (
           SELECT array_agg(g.permission) FROM admin_grants g
           WHERE g.user_id = u.id AND g.ended_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > now())
       ) END AS grants"""

# Two look-ups by unique index, of which the second is rarely asked: with OR both would be read each time.
BY_VALUE = f"""
SELECT s.id AS session_id, s.token_hash, s.next_seen_at, s.rotated_at, s.seen_at, s.fresh_until, s.previous_hash,
       s.impersonation_id, now() AS now, {PERSON},
       (SELECT count(*) FROM (
           SELECT FROM notifications n WHERE n.user_id = u.id AND n.by_bell AND n.read_at IS NULL LIMIT 100
       ) AS unread)::integer AS unread,
       (SELECT ARRAY[c.policy_version, CASE WHEN c.analytics THEN 'analytics' END,
                     CASE WHEN c.marketing THEN 'marketing' END, CASE WHEN c.personalisation THEN 'personalisation' END]
        FROM user_consents c WHERE c.user_id = u.id ORDER BY c.id DESC LIMIT 1) AS answered
FROM sessions s
JOIN users u ON u.id = s.user_id
LEFT JOIN preferences p ON p.user_id = u.id
WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.ends_at > now() AND s.key_print = $2 AND u.closed_at IS NULL
  AND s.seen_at > now() - CASE WHEN u.role IS NULL THEN interval '30 days' ELSE interval '60 minutes' END
"""  # noqa: S608
BY_OLDER_VALUE = BY_VALUE.replace("s.token_hash = $1", "s.previous_hash = $1")


class Rows(Protocol):
    """What reads sessions by the hash of their value: session_rows.SessionRows."""

    async def find(self, hashed: bytes, key_print: str) -> Any:
        """The row of BY_VALUE, or None."""


async def by_session(services: Services, rows: Rows, token: str, key_print: str) -> Reader | None:
    """The member behind a session's cookie, or None. Ends a session whose replaced value comes back too late."""
    hashed = token_hash(token)
    row = await rows.find(hashed, key_print)
    if row is None:
        row = await services.db.fetchrow(BY_OLDER_VALUE, hashed, key_print)
        if row is None:
            return None
        seen = row["next_seen_at"]
        if seen is not None and row["now"] > seen + OLD_VALUE_LIVES:
            await end_reused(services, row["session_id"])
            return None
    elif row["now"] - row["seen_at"] > timedelta(minutes=1) or (
        row["previous_hash"] and not row["next_seen_at"]
    ):
        await services.db.execute(SEEN, row["session_id"])
    return reader_of(row, rotate=row["token_hash"] == hashed)


def reader_of(row: Any, *, rotate: bool) -> Reader:
    """The reader that a row of BY_VALUE tells of."""
    policy, *agreed = row["answered"] or [""]
    return Reader(
        id=row["id"],
        kind=row["kind"],
        name=name_of(row),
        email=row["email"],
        role=row["role"],
        permissions=permissions.of(row["role"], frozenset(row["grants"] or ())),
        banned_until=row["banned_until"],
        time_zone=row["time_zone"],
        preferences=row["doc"] or {},
        session_id=row["session_id"],
        impersonation_id=row["impersonation_id"],
        fresh=row["fresh_until"] > row["now"],
        own=row["own"] or {},
        unread=row["unread"],
        consents=frozenset(filter(None, agreed)),
        answered_policy=policy,
        rotate=rotate and due_for_rotation(row["rotated_at"], row["now"]),
    )


def name_of(row: Any) -> str:
    """What a person is called: the name they chose, else what stands before the @ of their address."""
    return row["display_name"] or (row["email"] or "").split("@")[0]


def due_for_rotation(rotated_at: datetime, now: datetime) -> bool:
    """Whether the cookie's value has been in use for 15 minutes."""
    return now - rotated_at > ROTATE_AFTER


SEEN = """
WITH session AS (
    UPDATE sessions
    SET seen_at = now(),
        next_seen_at = CASE WHEN previous_hash IS NULL THEN NULL ELSE coalesce(next_seen_at, now()) END
    WHERE id = $1 RETURNING user_id
)
UPDATE users SET last_seen_on = current_date
FROM session WHERE users.id = session.user_id AND users.last_seen_on IS DISTINCT FROM current_date
"""

# A value that was replaced and comes back after its successor has been seen was stolen, or the successor was.
END_REUSED = """
UPDATE sessions SET ended_at = now(), ended_why = 'reused' WHERE id = $1 AND ended_at IS NULL RETURNING user_id
"""


async def end_reused(services: Services, session_id: int) -> None:
    """End a session whose old value was used again, and tell the member by letter."""
    async with services.tx() as tx:
        user_id = await tx.db.fetchval(END_REUSED, session_id)
        if user_id is not None:
            await tx.enqueue("tell_session_ended", user_id, session_id, key=f"session:{session_id}")


ROTATE = """
UPDATE sessions SET token_hash = $2, previous_hash = token_hash, next_seen_at = NULL, rotated_at = now()
WHERE id = $1 AND ended_at IS NULL AND rotated_at < now() - interval '15 minutes'
"""


async def rotate(services: Services, session_id: int, token: str) -> bool:
    """Give the session a new value; False when another request just did."""
    return await services.db.execute(ROTATE, session_id, token_hash(token)) == "UPDATE 1"


BY_VISITOR = """
SELECT u.id, u.time_zone, u.last_seen_on IS DISTINCT FROM current_date AS is_due, p.doc
FROM users u LEFT JOIN preferences p ON p.user_id = u.id
WHERE u.anon_hash = $1
"""


async def by_visitor(services: Services, token: str) -> Reader | None:
    """The visitor behind vu_anon_id, or None when the row is gone."""
    hashed = token_hash(token)
    row = await services.db.fetchrow(BY_VISITOR, hashed)
    if row is None:
        return None
    return Reader(
        id=row["id"],
        kind="visitor",
        time_zone=row["time_zone"],
        preferences=row["doc"] or {},
        rotate=row["is_due"],
        anon=hashed.hex()[:16],
    )


ADD_VISITOR = """
INSERT INTO users (kind, anon_hash, last_seen_on) VALUES ('visitor', $1, current_date) RETURNING id
"""


async def add_visitor(services: Services, token: str) -> Reader:
    """Make the row of a visitor who saves something for the first time."""
    hashed = token_hash(token)
    user_id = await services.db.fetchval(ADD_VISITOR, hashed)
    return Reader(id=user_id, kind="visitor", anon=hashed.hex()[:16])


async def renew_visitor(services: Services, reader: Reader) -> None:
    """Note once a day that the visitor was here; unused rows go after 30 days."""
    await services.db.execute(
        "UPDATE users SET last_seen_on = current_date WHERE id = $1", reader.id
    )
