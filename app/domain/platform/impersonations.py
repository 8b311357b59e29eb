"""Impersonations: an admin sees the site as a member, for minutes, and the member learns of it (chapter 10 rule 17)."""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from app.domain.platform import audit, mail, notifications, permissions
from app.domain.platform.readers import Impersonation, Reader, name_of
from app.errors import Conflict, Forbidden, NotFound
from app.services import Services

TOLD_AFTER = timedelta(hours=24)


class NewImpersonation(msgspec.Struct):
    """Whom to see the site as, why, for how many minutes, and whether writing is asked for."""

    user_id: int
    reason: Annotated[str, Meta(min_length=10, max_length=500)]
    minutes: Annotated[int, Meta(ge=1, le=60)] = 15
    writes: bool = False


class Stretch(msgspec.Struct):
    """One stretch of seeing the site as someone, as admins see it."""

    id: int
    impersonator_id: int
    target_user_id: int
    target_name: str
    reason: str
    writes: bool
    started_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    pages: int


class StretchList(msgspec.Struct):
    """Stretches, the latest first."""

    items: list[Stretch]
    total: int | None = None
    next: str | None = None


LATEST = """
SELECT i.id, i.impersonator_id, i.target_user_id, coalesce(nullif(u.display_name, ''), u.email::text, '') AS target_name,
       i.reason, i.writes, i.started_at, i.expires_at, i.ended_at, i.pages
FROM impersonation_audit i LEFT JOIN users u ON u.id = i.target_user_id
WHERE i.id < $1 ORDER BY i.id DESC LIMIT $2
"""


async def latest(services: Services, below: int, limit: int) -> StretchList:
    """Stretches before that one, the latest first."""
    rows = await services.db.fetch(LATEST, below, limit + 1)
    items = [Stretch(**dict(row)) for row in rows[:limit]]
    return StretchList(items, next=str(items[-1].id) if len(rows) > limit else None)


# Past their minute, or carried by no session any more: the admin signed out instead of stopping.
OVER = """
SELECT i.id FROM impersonation_audit i
WHERE i.impersonator_id = $1 AND i.ended_at IS NULL AND (
    i.expires_at <= now()
    OR NOT EXISTS (SELECT FROM sessions s WHERE s.impersonation_id = i.id AND s.ended_at IS NULL AND s.ends_at > now())
) FOR UPDATE
"""
TARGET = """
SELECT id, email::text, display_name FROM users
WHERE id = $1 AND kind = 'member' AND role IS NULL AND closed_at IS NULL
  AND (banned_until IS NULL OR banned_until <= now())
FOR SHARE
"""
START = """
INSERT INTO impersonation_audit (impersonator_id, target_user_id, reason, writes, expires_at, ip)
VALUES ($1, $2, $3, $4, now() + $5::int * interval '1 minute', $6)
ON CONFLICT (impersonator_id) WHERE ended_at IS NULL DO NOTHING
RETURNING id, impersonator_id, target_user_id, writes, expires_at
"""
CARRY = "UPDATE sessions SET impersonation_id = $2 WHERE id = $1"


async def start(
    services: Services, who: Reader, wish: NewImpersonation, ip: dict[str, Any]
) -> Stretch:
    """Let this session see the site as a member without role or ban. Raises Forbidden, NotFound, Conflict."""
    if wish.user_id == who.id or who.session_id is None:
        raise Forbidden("You see the site as yourself already.")
    if wish.writes and "impersonate_writing" not in who.permissions:
        raise Forbidden("Your role may look, and change nothing.")
    async with services.tx() as tx:
        for row in await tx.db.fetch(OVER, who.id):
            await finish(tx, row["id"])
        if await tx.db.fetchrow(TARGET, wish.user_id) is None:
            raise NotFound("Only members without role and ban can be seen as.")
        row = await tx.db.fetchrow(
            START, who.id, wish.user_id, wish.reason, wish.writes, wish.minutes, ip
        )
        if row is None:
            raise Conflict("You see the site as someone already.", code="already_impersonating")
        await tx.db.execute(CARRY, who.session_id, row["id"])
        after = {"id": row["id"], "writes": wish.writes, "minutes": wish.minutes}
        await write_down(tx, pair(row, who.role), "impersonation.started", wish.reason, after)
        await notifications.add(
            tx,
            wish.user_id,
            "account",
            "An admin saw the site as you",
            f"The reason: {wish.reason}",
            "/settings/activity",
            dedupe_key=f"seen_as_you:{row['id']}",
        )
        await plan_end(tx, wish.user_id, row["id"], row["expires_at"])
        return await one(tx, row["id"])


async def plan_end(services: Services, target_id: int, stretch_id: int, ends_at: datetime) -> None:
    """Have it ended at its minute, and the member told after 24 hours."""
    about = (f"member:{target_id}",)
    await services.enqueue("end_impersonation", stretch_id, run_at=ends_at, subjects=about)
    told_at = datetime.now(UTC) + TOLD_AFTER
    await services.enqueue("tell_seen_as_you", stretch_id, run_at=told_at, subjects=about)


def pair(row: Any, role: str | None) -> Reader:
    """Both sides of a stretch as the audit log knows them: the admin who acts, and the member as whom."""
    stretch = Impersonation(row["id"], row["expires_at"], 0, row["writes"], None, role)
    return Reader(
        id=row["target_user_id"],
        kind="member",
        impersonator_id=row["impersonator_id"],
        impersonation=stretch,
    )


async def write_down(
    services: Services, who: Reader, action: str, reason: str = "", after: Any = None
) -> None:
    """Put one act into the audit log with both ids; the member sees it."""
    await audit.add(services, who, action, ("member", who.id), reason, after=after)


async def one(services: Services, stretch_id: int) -> Stretch:
    """One stretch. Raises NotFound."""
    found = await latest(services, stretch_id + 1, 1)
    if not found.items or found.items[0].id != stretch_id:
        raise NotFound("There is no such impersonation.")
    return found.items[0]


# Read and counted in one statement: over at the minute, by the database's clock, and as soon as the member is banned,
# closed or given a role.
SEEN_AS = """
WITH seen AS (
    UPDATE impersonation_audit SET pages = pages + 1
    WHERE id = $1 AND impersonator_id = $2 AND ended_at IS NULL AND expires_at > now()
    RETURNING id, target_user_id, writes, expires_at
)
SELECT seen.id AS stretch_id, seen.writes, seen.expires_at, now() AS now,
       u.id, u.display_name, u.email, u.time_zone, p.doc,
       (SELECT jsonb_object_agg(v.area, v.version) FROM reader_versions v WHERE v.user_id = u.id) AS own
FROM seen JOIN users u ON u.id = seen.target_user_id LEFT JOIN preferences p ON p.user_id = u.id
WHERE u.kind = 'member' AND u.role IS NULL AND u.closed_at IS NULL
  AND (u.banned_until IS NULL OR u.banned_until <= now())
"""


async def seen_as(services: Services, who: Reader) -> Reader:
    """The member as whom this admin's session sees the site; the admin again when it is over or no longer allowed."""
    row = None
    if "impersonate" in who.permissions:
        row = await services.db.fetchrow(SEEN_AS, who.impersonation_id, who.id)
    if row is None:
        return msgspec.structs.replace(who, impersonation_id=None)
    seconds = (row["expires_at"] - row["now"]).total_seconds()
    stretch = Impersonation(
        id=row["stretch_id"],
        expires_at=row["expires_at"],
        minutes_left=math.ceil(seconds / 60),
        writes=row["writes"] and "impersonate_writing" in who.permissions,
        session_id=who.session_id,
        role=who.role,
    )
    return Reader(
        id=row["id"],
        kind="member",
        name=name_of(row),
        email=row["email"],
        permissions=permissions.of(None),
        # The member has no ban; one of the admin holds in the member's name too.
        banned_until=who.banned_until,
        time_zone=row["time_zone"],
        preferences=row["doc"] or {},
        session_id=who.session_id,
        rotate=who.rotate,
        impersonator_id=who.id,
        impersonation=stretch,
        own=row["own"] or {},
    )


async def note_write(services: Services, who: Reader, method: str, path: str) -> None:
    """Write down that an admin is about to change something as a member. Raises Forbidden when they may only look."""
    assert who.impersonation is not None
    if not who.impersonation.writes:
        raise Forbidden(
            "You see the site as someone else, to look and not to change.", code="impersonating"
        )
    after = {"id": who.impersonation.id, "method": method, "path": path[:500]}
    await write_down(services, who, "impersonation.wrote", after=after)


END = """
UPDATE impersonation_audit SET ended_at = least(now(), expires_at) WHERE id = $1 AND ended_at IS NULL
RETURNING id, impersonator_id, target_user_id, writes, expires_at, pages
"""
LET_GO = "UPDATE sessions SET impersonation_id = NULL WHERE impersonation_id = $1"
ROLE = "SELECT role FROM users WHERE id = $1"


async def stop(services: Services, who: Reader) -> Stretch:
    """See the site as oneself again; `who` is the member as whom it was seen. Raises NotFound."""
    if who.impersonation is None:
        raise NotFound("You see the site as yourself.")
    async with services.tx() as tx:
        await finish(tx, who.impersonation.id)
        return await one(tx, who.impersonation.id)


async def finish(services: Services, stretch_id: int) -> None:
    """End one stretch where it is not ended yet, and write it down."""
    row = await services.db.fetchrow(END, stretch_id)
    await services.db.execute(LET_GO, stretch_id)
    if row is not None:
        role = await services.db.fetchval(ROLE, row["impersonator_id"])
        after = {"id": row["id"], "pages": row["pages"]}
        await write_down(services, pair(row, role), "impersonation.ended", after=after)


async def end_at_its_minute(services: Services, stretch_id: int) -> None:
    """End a stretch that nobody stopped."""
    async with services.tx(ends_job=True) as tx:
        await finish(tx, stretch_id)


TOLD = """
SELECT i.id, i.reason, i.started_at, i.pages, i.writes, i.target_user_id, u.email::text
FROM impersonation_audit i JOIN users u ON u.id = i.target_user_id WHERE i.id = $1 AND u.email IS NOT NULL
"""


async def tell(services: Services, stretch_id: int) -> None:
    """Write to the member that an admin saw the site as them."""
    row = await services.db.fetchrow(TOLD, stretch_id)
    if row is None:
        return
    async with services.tx(ends_job=True) as tx:
        await mail.send(
            tx,
            "seen_as_you",
            row["email"],
            kind="transactional",
            user_id=row["target_user_id"],
            dedupe_key=f"seen_as_you:{stretch_id}",
            started_at=row["started_at"],
            reason=row["reason"],
            pages=row["pages"],
            writes=row["writes"],
            link=f"{services.settings.public_url}/settings/activity",
        )
