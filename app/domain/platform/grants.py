"""Grants: single permissions beyond a role, with a reason and, if wished, an end."""

from datetime import UTC, datetime

import msgspec

from app.domain.platform import permissions, roles
from app.domain.platform.readers import Reader
from app.domain.platform.roles import Holder, Reason
from app.errors import Conflict, Invalid, NotFound
from app.services import Services


class NewGrant(msgspec.Struct):
    """The permission to give, why, and until when; without an end it holds until it is taken away."""

    permission: str
    reason: Reason
    expires_at: str | None = None


class EndedGrant(msgspec.Struct):
    """The permission to take away, and why."""

    permission: str
    reason: Reason


# One that ran out makes room for a new one.
EXPIRED = """
UPDATE admin_grants SET ended_at = expires_at
WHERE user_id = $1 AND permission = $2 AND ended_at IS NULL AND expires_at <= now()
"""
ADD = """
INSERT INTO admin_grants (user_id, permission, reason, granted_by, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id, permission) WHERE ended_at IS NULL DO NOTHING RETURNING id
"""


async def add(
    services: Services,
    who: Reader,
    user_id: int,
    permission: str,
    reason: str,
    expires_at: datetime | None,
) -> Holder:
    """Give an admin one permission more. Raises Invalid, Forbidden, NotFound, Conflict."""
    check(permission, expires_at)
    async with services.tx() as tx:
        before = await roles.begin(tx, who, user_id)
        if before.role is None:
            raise Conflict("Give a role first: a grant adds to a role.", code="no_role")
        if permission in permissions.of(before.role):
            raise Conflict("The role has this permission already.", code="already_granted")
        await tx.db.execute(EXPIRED, user_id, permission)
        if await tx.db.fetchval(ADD, user_id, permission, reason, who.id, expires_at) is None:
            raise Conflict("This permission is granted already.", code="already_granted")
        after = await roles.holder(tx, user_id)
        await roles.write_down(tx, who, "grant.added", reason, before, after)
        return after


def check(permission: str, expires_at: datetime | None) -> None:
    """Refuse what cannot be granted, and an end that has passed. Raises Invalid."""
    errors = {}
    if permission not in permissions.GRANTABLE:
        errors["permission"] = "Please choose one of the permissions."
    if expires_at is not None and expires_at <= datetime.now(UTC):
        errors["expires_at"] = "Please choose a time to come."
    if errors:
        raise Invalid("Please check what is marked.", errors=errors)


END = """
UPDATE admin_grants SET ended_at = now()
WHERE user_id = $1 AND permission = $2 AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > now()) RETURNING id
"""


async def end(
    services: Services, who: Reader, user_id: int, permission: str, reason: str
) -> Holder:
    """Take one granted permission away. Raises Forbidden, NotFound."""
    async with services.tx() as tx:
        before = await roles.begin(tx, who, user_id)
        if await tx.db.fetchval(END, user_id, permission) is None:
            raise NotFound("This permission is not granted.")
        after = await roles.holder(tx, user_id)
        await roles.write_down(tx, who, "grant.ended", reason, before, after)
        return after
