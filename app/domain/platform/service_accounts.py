"""Service accounts: readers without a person behind them, which have tokens only (chapter 10 rule 14)."""

from datetime import datetime

import msgspec

from app.domain.platform import api_tokens, audit, roles
from app.domain.platform.api_tokens import NewToken, Token
from app.domain.platform.lines import Name
from app.domain.platform.readers import Reader
from app.domain.platform.roles import Reason
from app.errors import NotFound
from app.services import Services


class NewServiceAccount(msgspec.Struct):
    """A service account to make, and why."""

    name: Name
    reason: Reason


class ServiceAccount(msgspec.Struct):
    """One service account with its tokens."""

    id: int
    name: str
    role: str | None
    created_at: datetime
    tokens: list[Token] = []


class ServiceAccountList(msgspec.Struct):
    """All service accounts that are open."""

    items: list[ServiceAccount]
    total: int
    next: str | None = None


OPEN = """
SELECT id, display_name AS name, role, created_at FROM users
WHERE kind = 'service' AND closed_at IS NULL AND ($1::bigint IS NULL OR id = $1) ORDER BY id LIMIT 200
"""


async def all_open(services: Services) -> ServiceAccountList:
    """Every open account, without its tokens."""
    rows = await services.db.fetch(OPEN, None)
    return ServiceAccountList([ServiceAccount(**dict(row)) for row in rows], len(rows))


async def one(services: Services, account_id: int) -> ServiceAccount:
    """One open account with its tokens. Raises NotFound."""
    row = await services.db.fetchrow(OPEN, account_id)
    if row is None:
        raise NotFound("There is no such service account.")
    tokens = (await api_tokens.live(services, account_id)).items
    return ServiceAccount(**dict(row), tokens=tokens)


ADD = "INSERT INTO users (kind, display_name) VALUES ('service', $1) RETURNING id"


async def add(services: Services, who: Reader, new: NewServiceAccount) -> ServiceAccount:
    """Make a service account; it may do nothing until it has a role and a token."""
    async with services.tx() as tx:
        account_id = await tx.db.fetchval(ADD, new.name)
        after = {"name": new.name}
        await audit.add(tx, who, "service.added", ("member", account_id), new.reason, after=after)
        return await one(tx, account_id)


async def add_token(services: Services, who: Reader, account_id: int, new: NewToken) -> Token:
    """Make a token of a service account, within what its role and grants allow. Raises NotFound, Invalid, Conflict."""
    await one(services, account_id)
    allowed = frozenset((await roles.holder(services, account_id)).permissions)
    return await api_tokens.add(services, who, account_id, allowed, new)


async def revoke_token(services: Services, who: Reader, account_id: int, token_id: int) -> None:
    """End one token of a service account. Raises NotFound."""
    await one(services, account_id)
    await api_tokens.revoke(services, who, account_id, token_id)


CLOSE = """
UPDATE users SET closed_at = now(), role = NULL WHERE id = $1 AND kind = 'service' AND closed_at IS NULL
RETURNING display_name
"""


async def close(services: Services, who: Reader, account_id: int, reason: str) -> None:
    """Close a service account and end its tokens. Raises NotFound."""
    async with services.tx() as tx:
        name = await tx.db.fetchval(CLOSE, account_id)
        if name is None:
            raise NotFound("There is no such service account.")
        await api_tokens.revoke_all(tx, account_id)
        await tx.db.execute(roles.END_GRANTS, account_id)
        before = {"name": name}
        await audit.add(tx, who, "service.closed", ("member", account_id), reason, before=before)
