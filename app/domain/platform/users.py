"""Users, as admins see and help them: search, one person, bans, sign-outs and letters."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from app.domain.platform import audit, bans, roles, sign_ins, super_admins
from app.domain.platform.readers import Reader
from app.domain.platform.roles import Grant, Reason
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.services import Services

LARGEST_ID = 2**63 - 1
LONGEST_BAN = timedelta(days=3650)


class Search(msgspec.Struct):
    """Whom to look for: an id, or words of the address or name."""

    q: Annotated[str, Meta(max_length=254)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[int, Meta(ge=1, le=LARGEST_ID)] | None = None


class UserBan(msgspec.Struct):
    """Until when (2026-12-01T12:00, UTC where no zone is named), and why."""

    until: Annotated[str, Meta(min_length=1, max_length=40)]
    reason: Reason


class UserRow(msgspec.Struct):
    """One person or service account in a list."""

    id: int
    kind: str
    name: str
    email: str | None
    role: str | None
    banned_until: datetime | None
    closed_at: datetime | None
    last_seen_on: str | None
    created_at: datetime


class UserList(msgspec.Struct):
    """People, the newest first."""

    items: list[UserRow]
    total: int | None = None
    next: str | None = None


class User(UserRow):
    """One person, as an admin who may see people sees them."""

    email_verified_at: datetime | None
    email_disabled_why: str | None
    ban_reason: str | None
    time_zone: str | None
    sessions: int
    tokens: int
    letters: int
    grants: list[Grant] = []


EVERYBODY = """
SELECT id, kind, display_name AS name, email::text, role, CASE WHEN banned_until > now() THEN banned_until END AS banned_until,
       closed_at, last_seen_on::text, created_at
FROM users WHERE kind <> 'visitor' AND id < $1 ORDER BY id DESC LIMIT $2
"""
# Two index look-ups, by words and by id, of which the second finds one at most.
FOUND = """
SELECT id, kind, display_name AS name, email::text, role, CASE WHEN banned_until > now() THEN banned_until END AS banned_until,
       closed_at, last_seen_on::text, created_at
FROM users
WHERE kind <> 'visitor' AND id < $1
  AND ((coalesce(email::text, '') || ' ' || display_name) ILIKE $3 OR id = $4)
ORDER BY id DESC LIMIT $2
"""


async def search(services: Services, asked: Search) -> UserList:
    """The people who fit, the newest first."""
    below = asked.cursor or LARGEST_ID
    if words := (asked.q or "").strip():
        rows = await services.db.fetch(FOUND, below, asked.limit + 1, like(words), id_in(words))
    else:
        rows = await services.db.fetch(EVERYBODY, below, asked.limit + 1)
    items = [UserRow(**dict(row)) for row in rows[: asked.limit]]
    return UserList(items, next=str(items[-1].id) if len(rows) > asked.limit else None)


def like(words: str) -> str:
    """A pattern that finds exactly these words anywhere."""
    for sign in "\\%_":
        words = words.replace(sign, f"\\{sign}")
    return f"%{words}%"


def id_in(words: str) -> int | None:
    """The id that is meant, or None."""
    number = words.removeprefix("#")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None


ONE = """
SELECT u.id, u.kind, u.display_name AS name, u.email::text, u.role,
       CASE WHEN u.banned_until > now() THEN u.banned_until END AS banned_until,
       CASE WHEN u.banned_until > now() THEN u.ban_reason END AS ban_reason,
       u.closed_at, u.last_seen_on::text, u.created_at, u.email_verified_at, u.email_disabled_why, u.time_zone,
       (SELECT count(*) FROM sessions s WHERE s.user_id = u.id AND s.ended_at IS NULL AND s.ends_at > now()) AS sessions,
       (SELECT count(*) FROM api_tokens t WHERE t.user_id = u.id AND t.revoked_at IS NULL AND t.expires_at > now())
           AS tokens,
       (SELECT count(*) FROM emails e WHERE e.user_id = u.id) AS letters
FROM users u WHERE u.id = $1 AND u.kind <> 'visitor'
"""


async def one(services: Services, user_id: int) -> User:
    """One person. Raises NotFound."""
    row = await services.db.fetchrow(ONE, user_id)
    if row is None:
        raise NotFound("There is no such person.")
    grants = (await roles.holder(services, user_id)).grants if row["role"] else []
    return User(**dict(row), grants=grants)


async def opened(services: Services, who: Reader, user_id: int) -> User:
    """One person, whose page an admin opens: that is written down. Raises NotFound."""
    async with services.tx() as tx:
        found = await one(tx, user_id)
        await audit.add(tx, who, "user.viewed", ("member", user_id))
        return found


async def touched(services: Services, who: Reader, user_id: int) -> Any:
    """The row of a member whom an admin acts on, locked. Raises NotFound, and Forbidden for oneself and for admins."""
    row = await services.db.fetchrow(TOUCHED, user_id)
    if row is None:
        raise NotFound("There is no such person.")
    if user_id == who.id:
        raise Forbidden("This is your own account.", code="own_account")
    if row["role"] is not None and "manage_roles" not in who.permissions:
        raise Forbidden("Only those who manage roles may do this to an admin.")
    return row


TOUCHED = """
SELECT id, email::text, role FROM users WHERE id = $1 AND kind <> 'visitor' AND closed_at IS NULL FOR UPDATE
"""


async def ban(
    services: Services, who: Reader, user_id: int, until: datetime | None, reason: str
) -> User:
    """Let a person change nothing until then, and write to them. Raises Invalid, NotFound, Forbidden, Conflict."""
    now = datetime.now(UTC)
    if until is None or not now < until <= now + LONGEST_BAN:
        sentence = "Please choose a time to come, at most ten years away."
        raise Invalid("Please check the end.", errors={"until": sentence})
    async with services.tx() as tx:
        await super_admins.lock(tx)
        await touched(tx, who, user_id)
        await bans.add(tx, who, user_id=user_id, reason=reason, ends_at=until)
        return await one(tx, user_id)


async def unban(services: Services, who: Reader, user_id: int, reason: str) -> User:
    """Lift every ban of a person. Raises NotFound where there is none, Forbidden."""
    async with services.tx() as tx:
        await touched(tx, who, user_id)
        await bans.lift_of_member(tx, who, user_id, reason)
        return await one(tx, user_id)


SIGN_OUT = "UPDATE sessions SET ended_at = now(), ended_why = 'ended_by_admin' WHERE user_id = $1 AND ended_at IS NULL"


async def sign_out(services: Services, who: Reader, user_id: int, reason: str) -> User:
    """End every session of a person. Raises NotFound, Forbidden."""
    async with services.tx() as tx:
        await touched(tx, who, user_id)
        done = await tx.db.execute(SIGN_OUT, user_id)
        after = {"sessions": int(done.split()[-1])}
        await audit.add(tx, who, "user.signed_out", ("member", user_id), reason, after=after)
        return await one(tx, user_id)


async def send_letter(
    services: Services, who: Reader, user_id: int, browser: str, reason: str
) -> User:
    """Send a person a fresh letter to sign in with; its code works in no browser, its link in every one.

    Raises NotFound, Forbidden, Conflict for an account without an address.
    """
    async with services.tx() as tx:
        row = await touched(tx, who, user_id)
        if row["email"] is None:
            raise Conflict("A service account has no address to write to.", code="no_address")
        await sign_ins.ask(tx, row["email"], browser, "/")
        await audit.add(tx, who, "user.letter_sent", ("member", user_id), reason)
        return await one(tx, user_id)
