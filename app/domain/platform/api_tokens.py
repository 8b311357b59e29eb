"""API tokens: keys of scripts, shown once, never more than their owner may do now (chapter 10 rule 14)."""

import ipaddress
import secrets
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from app.domain.platform import audit, permissions
from app.domain.platform.lines import Name
from app.domain.platform.readers import PERSON, Reader, name_of, token_hash
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

START = "vil_"
OWN = ("read", "write")
CEILING = 50


class NewToken(msgspec.Struct):
    """A token to make: what it is for, what it may do, from where, and for how many days."""

    name: Name
    scopes: Annotated[list[str], Meta(min_length=1, max_length=30)]
    days: Annotated[int, Meta(ge=1, le=365)] = 90
    # Addresses or networks, separated by spaces or commas; none means from everywhere.
    allowed_ips: Annotated[str, Meta(max_length=1000)] = ""


class Token(msgspec.Struct):
    """One token as its owner sees it."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    allowed_ips: list[str]
    expires_at: datetime
    used_on: str | None
    created_at: datetime
    # The secret itself, in the answer that makes it and never again.
    token: str | None = None


class TokenList(msgspec.Struct):
    """The tokens that work, the newest first."""

    items: list[Token]
    total: int
    next: str | None = None


LIVE = """
SELECT id, name, prefix, scopes, allowed_ips::text[], expires_at, used_on::text, created_at FROM api_tokens
WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY id DESC LIMIT 100
"""


async def live(services: Services, user_id: int) -> TokenList:
    """The tokens of one owner that work."""
    items = [Token(**dict(row)) for row in await services.db.fetch(LIVE, user_id)]
    return TokenList(items, len(items))


ADD = """
INSERT INTO api_tokens (user_id, name, prefix, token_hash, scopes, allowed_ips, expires_at)
SELECT $1, $2, $3, $4, $5, $6::text[]::cidr[], now() + $7::int * interval '1 day'
WHERE (SELECT count(*) FROM api_tokens WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()) < $8
RETURNING id
"""


async def add(
    services: Services, who: Reader, owner_id: int, allowed: frozenset[str], new: NewToken
) -> Token:
    """Make a token for an owner who may do `allowed`; its secret stands in the answer. Raises Invalid, Conflict."""
    scopes = checked_scopes(new.scopes, allowed)
    networks = checked_networks(new.allowed_ips)
    secret = START + secrets.token_urlsafe(32)
    async with services.tx() as tx:
        token_id = await tx.db.fetchval(
            ADD, owner_id, new.name, secret[:10], token_hash(secret), scopes, networks, new.days, CEILING,
        )  # fmt: skip
        if token_id is None:
            raise Conflict(f"There are {CEILING} tokens. Revoke one to make another.")
        if who.is_admin:
            after = {"token": token_id, "scopes": scopes, "days": new.days}
            await audit.add(tx, who, "token.made", ("member", owner_id), new.name, after=after)
        [made] = [token for token in (await live(tx, owner_id)).items if token.id == token_id]
    made.token = secret
    return made


def checked_scopes(scopes: list[str], allowed: frozenset[str]) -> list[str]:
    """The scopes without repetition, in their order. Raises Invalid for those that the owner does not have."""
    wanted = list(dict.fromkeys(scopes))
    if wrong := [scope for scope in wanted if scope not in OWN and scope not in allowed]:
        sentence = f"You cannot give {wrong[0][:60]}: choose among what you may do yourself."
        raise Invalid("Please check the scopes.", errors={"scopes": sentence})
    return wanted


def checked_networks(text: str) -> list[str]:
    """Networks from a person's words: an address stands for itself alone. Raises Invalid."""
    try:
        return [
            str(ipaddress.ip_network(part, strict=False)) for part in text.replace(",", " ").split()
        ]
    except ValueError:
        sentence = "Write addresses or networks as 192.0.2.7 or 192.0.2.0/24."
        raise Invalid("Please check the networks.", errors={"allowed_ips": sentence}) from None


REVOKE = """
UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING name
"""


async def revoke(services: Services, who: Reader, owner_id: int, token_id: int) -> None:
    """End one token of an owner at once. Raises NotFound."""
    async with services.tx() as tx:
        name = await tx.db.fetchval(REVOKE, token_id, owner_id)
        if name is None:
            raise NotFound("This token is not here any more.")
        if who.is_admin:
            before = {"token": token_id}
            await audit.add(tx, who, "token.revoked", ("member", owner_id), name, before=before)


REVOKE_ALL = "UPDATE api_tokens SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL"


async def revoke_all(tx: Services, owner_id: int) -> None:
    """End every token of an owner."""
    await tx.db.execute(REVOKE_ALL, owner_id)


OWNER = f"""
SELECT t.id AS token_id, t.scopes, t.used_on, t.allowed_ips::text[] AS allowed_ips, current_date AS today, {PERSON}
FROM api_tokens t
JOIN users u ON u.id = t.user_id
LEFT JOIN preferences p ON p.user_id = u.id
WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND t.expires_at > now() AND u.closed_at IS NULL
"""  # noqa: S608
USED = "UPDATE api_tokens SET used_on = current_date WHERE id = $1 AND used_on IS DISTINCT FROM current_date"


async def reader_of(services: Services, token: str, address: str) -> Reader | None:
    """Who asks with this token from this address, or None when it is not good."""
    if not token.startswith(START):
        return None
    row = await services.db.fetchrow(OWNER, token_hash(token))
    if row is None or not is_allowed(address, row["allowed_ips"]):
        return None
    if row["used_on"] != row["today"]:
        await services.db.execute(USED, row["token_id"])
    return narrowed(row)


def narrowed(row: Any) -> Reader:
    """The owner, with no more than the token's scopes."""
    scopes = frozenset(row["scopes"])
    return Reader(
        id=row["id"],
        kind=row["kind"],
        name=name_of(row),
        email=row["email"],
        role=row["role"],
        permissions=permissions.of(row["role"], frozenset(row["grants"] or ())) & scopes,
        scopes=scopes,
        banned_until=row["banned_until"],
        time_zone=row["time_zone"],
        preferences=row["doc"] or {},
        own=row["own"] or {},
    )


def is_allowed(address: str, networks: list[str]) -> bool:
    """Whether an address lies in one of the networks; none means everywhere."""
    if not networks:
        return True
    try:
        return any(ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in networks)
    except ValueError:
        return False
