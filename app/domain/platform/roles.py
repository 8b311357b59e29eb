"""Roles: who may do what as an admin; given and taken with a reason, never by oneself (chapter 10 rule 16)."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.platform import audit, mail, permissions, sessions, super_admins
from app.domain.platform.readers import Reader
from app.errors import Forbidden, NotFound
from app.services import Services

Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class RoleChange(msgspec.Struct):
    """The role to give, and why."""

    role: Literal["super_admin", "support", "ops", "read_only"]
    reason: Reason


class Grant(msgspec.Struct):
    """One permission beyond the role."""

    permission: str
    reason: str
    expires_at: datetime | None
    granted_by: int | None


class Holder(msgspec.Struct):
    """A person or service account with what it may do."""

    id: int
    kind: str
    name: str
    email: str | None
    role: str | None
    role_by: int | None
    role_at: datetime | None
    grants: list[Grant]
    permissions: list[str]


class Holders(msgspec.Struct):
    """Everybody with a role, and what each role may do."""

    items: list[Holder]
    total: int
    roles: dict[str, list[str]]
    next: str | None = None


HOLDERS = """
SELECT u.id, u.kind, u.display_name AS name, u.email::text, u.role, u.role_by, u.role_at, coalesce((
    SELECT jsonb_agg(jsonb_build_object('permission', g.permission, 'reason', g.reason, 'expires_at', g.expires_at,
        'granted_by', g.granted_by) ORDER BY g.permission)
    FROM admin_grants g
    WHERE g.user_id = u.id AND g.ended_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > now())
), '[]') AS grants
FROM users u
WHERE u.closed_at IS NULL AND CASE WHEN $1::bigint IS NULL THEN u.role IS NOT NULL ELSE u.id = $1 END
  AND u.kind <> 'visitor'
ORDER BY u.role, u.id
"""


def holder_of(row: Any) -> Holder:
    """One row of HOLDERS."""
    grants = msgspec.convert(row["grants"], list[Grant])
    allowed = permissions.of(row["role"], frozenset(grant.permission for grant in grants))
    return Holder(**{**dict(row), "grants": grants}, permissions=sorted(allowed))


async def holders(services: Services) -> Holders:
    """Everybody with a role."""
    rows = await services.db.fetch(HOLDERS, None)
    roles = {str(role): sorted(allowed) for role, allowed in permissions.OF_ROLE.items()}
    return Holders([holder_of(row) for row in rows], len(rows), roles)


async def holder(services: Services, user_id: int) -> Holder:
    """One member or service account with what it may do. Raises NotFound."""
    row = await services.db.fetchrow(HOLDERS, user_id)
    if row is None:
        raise NotFound("There is no such person.")
    return holder_of(row)


async def begin(services: Services, who: Reader, user_id: int) -> Holder:
    """Open a change of rights: one at a time, by somebody who still may. Answers whom it is about.

    Raises Forbidden for one's own rights, NotFound.
    """
    if user_id == who.id:
        raise Forbidden("Nobody changes their own rights. Ask another admin.", code="own_rights")
    await super_admins.lock(services)
    # What the session told may have been taken away while this request waited for the lock.
    if "manage_roles" not in (await holder(services, who.id)).permissions:
        raise Forbidden("Your role does not allow this.")
    return await holder(services, user_id)


CHANGE = "UPDATE users SET role = $2, role_by = $3, role_at = now() WHERE id = $1"
END_GRANTS = "UPDATE admin_grants SET ended_at = now() WHERE user_id = $1 AND ended_at IS NULL"


async def change(
    services: Services, who: Reader, user_id: int, role: str | None, reason: str
) -> Holder:
    """Give a role, or take it away with every grant. Raises Forbidden, NotFound, Conflict for the last super_admin."""
    async with services.tx() as tx:
        before = await begin(tx, who, user_id)
        if before.role == role:
            return before
        await tx.db.execute(CHANGE, user_id, role, who.id)
        await tx.db.execute(sessions.SHORTEN if role else END_GRANTS, user_id)
        await super_admins.keep_one(tx)
        after = await holder(tx, user_id)
        await write_down(tx, who, "role.changed", reason, before, after)
        return after


async def write_down(
    services: Services, who: Reader, action: str, reason: str, before: Holder, after: Holder
) -> None:
    """Put a change of rights into the audit log, and tell the person by letter."""
    await audit.add(
        services, who, action, ("member", after.id), reason, before=rights(before), after=rights(after)
    )  # fmt: skip
    if after.email is not None:
        await mail.send(
            services,
            "role_changed",
            after.email,
            user_id=after.id,
            role=after.role,
            grants=[grant.permission for grant in after.grants],
            reason=reason,
            link=f"{services.settings.public_url}/settings/activity",
        )


def rights(holder: Holder) -> dict[str, Any]:
    """What the audit log keeps of somebody's rights."""
    return {"role": holder.role, "grants": [grant.permission for grant in holder.grants]}
