"""The first admin: made once, by the printed link or by the bootstrap token, under a lock; never again after that."""

import secrets

from app.domain.platform import mail, sessions, super_admins
from app.domain.platform.readers import token_hash
from app.domain.platform.sign_ins import ENTER, WELCOMES, checked_address, link_of
from app.errors import Forbidden, SignInNeeded
from app.services import Services

# An admin who existed counts too: the log of roles is kept for good.
HAS_ADMIN = """
SELECT EXISTS (SELECT FROM users WHERE role = 'super_admin')
    OR EXISTS (SELECT FROM audit_log WHERE action = 'role.first_admin')
"""
ADD_LINK = """
INSERT INTO sign_in_requests (purpose, token_hash, expires_at) VALUES ('first_admin', $1, now() + interval '24 hours')
"""
VOID_LINKS = (
    "UPDATE sign_in_requests SET used_at = now() WHERE purpose = 'first_admin' AND used_at IS NULL"
)


async def exists(services: Services) -> bool:
    """Whether there is or ever was a super_admin."""
    return bool(await services.db.fetchval(HAS_ADMIN))


async def new_link(services: Services) -> str | None:
    """A one-time link that makes the first admin, good for 24 hours; None when there is one."""
    async with services.tx() as tx:
        if await exists(tx):
            return None
        token = secrets.token_urlsafe(24)
        await tx.db.execute(VOID_LINKS)
        await tx.db.execute(ADD_LINK, token_hash(token))
    return link_of(services, token)


USE_LINK = """
UPDATE sign_in_requests SET used_at = now()
WHERE token_hash = $1 AND purpose = 'first_admin' AND used_at IS NULL AND expires_at > now() RETURNING id
"""


async def by_link(services: Services, token: str, email: str) -> int:
    """Make the first admin by the printed link; answer the member's id. Raises SignInNeeded, Forbidden, Invalid."""
    address = checked_address(email)
    async with services.tx() as tx:
        await super_admins.lock(tx)
        if await tx.db.fetchval(USE_LINK, token_hash(token)) is None:
            raise SignInNeeded(
                "This link was used or is too old. Start Village again for a new one.",
                code="link_void",
            )
        return await make(tx, address, "printed link")


async def by_token(services: Services, token: str, email: str) -> int:
    """Make the first admin by BOOTSTRAP_TOKEN, and send a letter to prove the address. Raises Forbidden, Invalid."""
    async with services.tx() as tx:
        await super_admins.lock(tx)
        if await exists(tx):
            raise Forbidden("This site has its first admin already.", code="bootstrapped")
        right = services.settings.bootstrap_token
        if not right or not secrets.compare_digest(token.encode(), right.encode()):
            raise Forbidden("This is not the bootstrap token of this site.", code="wrong_token")
        address = checked_address(email)
        user_id = await make(tx, address, "bootstrap token")
        await prove(tx, address, user_id)
        return user_id


MAKE = "UPDATE users SET role = 'super_admin', role_at = now() WHERE id = $1"
AUDIT = """
INSERT INTO audit_log (actor_id, actor_kind, actor_role, action, target_kind, target_id, reason)
VALUES ($1, 'system', 'super_admin', 'role.first_admin', 'member', $1::bigint::text, $2)
"""


async def make(services: Services, address: str, how: str) -> int:
    """Give the first admin's role to the member with that address, made now if need be. Raises Forbidden."""
    if await exists(services):
        raise Forbidden("This site has its first admin already.", code="bootstrapped")
    row = await services.db.fetchrow(ENTER, address)
    if row["is_new"]:
        for welcome in WELCOMES:
            await welcome(services, row["id"])
    await services.db.execute(MAKE, row["id"])
    await services.db.execute(sessions.SHORTEN, row["id"])
    await services.db.execute(AUDIT, row["id"], how)
    return int(row["id"])


ADD_PROOF = """
INSERT INTO sign_in_requests (email, purpose, token_hash, expires_at)
VALUES ($1, 'verify_address', $2, now() + interval '24 hours')
"""
UNPROVEN = "UPDATE users SET email_verified_at = NULL WHERE id = $1"


async def prove(services: Services, address: str, user_id: int) -> None:
    """Send the letter by which the address is proven; until then it is not."""
    token = secrets.token_urlsafe(24)
    await services.db.execute(UNPROVEN, user_id)
    await services.db.execute(ADD_PROOF, address, token_hash(token))
    await mail.send(
        services, "verify_address", address, user_id=user_id, link=link_of(services, token)
    )
