"""Bans: networks and members that are refused until an end, by an admin or by rule 29."""

import functools
import ipaddress
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.platform import audit, mail, super_admins
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# A wider network is a whole provider or a country, and more likely a slip of the keyboard.
WIDEST_BITS = {4: 8, 6: 16}


class Ban(msgspec.Struct):
    """One refusal; `network` or `user_id` says of whom."""

    id: int
    network: str | None
    user_id: int | None
    reason: str
    source: str
    ends_at: datetime
    lifted_at: datetime | None
    lifted_by: int | None
    created_at: datetime

    @property
    def is_live(self) -> bool:
        """Whether it holds now."""
        return self.lifted_at is None and self.ends_at > datetime.now(UTC)


class BanList(msgspec.Struct):
    """Bans, newest first."""

    items: list[Ban]
    total: int | None
    next: str | None


@functools.lru_cache(20_000)
def subject_of(address: str) -> str:
    """What an address is counted and banned as: itself (/32), or for IPv6 its network of 64 bits; "" for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


def never(services: Services, network: Network) -> bool:
    """Whether a network is never banned: loopback, and our own proxies."""
    ours = ["127.0.0.0/8", "::1/128", *services.settings.trusted_proxies.split(",")]
    found = [ipaddress.ip_network(part.strip()) for part in ours if part.strip()]
    return any(network.version == other.version and network.overlaps(other) for other in found)


def checked_network(services: Services, text: str) -> str:
    """A network as PostgreSQL writes it. Raises Invalid for what is none, too wide, or never banned."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        sentence = "Please write an address or a network, as 203.0.113.7 or 2001:db8::/64."
        raise Invalid(sentence, errors={"network": sentence}) from None
    if network.prefixlen < WIDEST_BITS[network.version]:
        sentence = f"This is too wide: at most a /{WIDEST_BITS[network.version]} at once."
        raise Invalid(sentence, errors={"network": sentence})
    if never(services, network):
        sentence = "This holds our own machine or one of our proxies, which are never banned."
        raise Invalid(sentence, errors={"network": sentence})
    return str(network)


COLUMNS = "id, network::text, user_id, reason, source, ends_at, lifted_at, lifted_by, created_at"
ADD = f"""
INSERT INTO bans (network, user_id, reason, source, ends_at) VALUES ($1::text::cidr, $2, $3, $4, $5)
RETURNING {COLUMNS}
"""  # noqa: S608


async def add(
    services: Services,
    who: Reader | None,
    *,
    network: str | None = None,
    user_id: int | None = None,
    reason: str,
    ends_at: datetime,
) -> Ban:
    """Ban a network or a member until `ends_at`, and write to the member; without `who` a rule did it.

    Raises Invalid, NotFound, Conflict.
    """
    if (network is None) == (user_id is None):
        raise Invalid("Please say whom: a network or a member.", errors={"network": "Or a member."})
    if ends_at <= datetime.now(UTC):
        raise Invalid(
            "This end is past.", errors={"ends_at": "Please choose an end in the future."}
        )
    network = None if network is None else checked_network(services, network)
    source = "rule" if who is None else "admin"
    async with services.tx() as tx:
        if user_id is not None:
            await ban_member(tx, who, user_id, reason, ends_at)
        ban = Ban(**await tx.db.fetchrow(ADD, network, user_id, reason, source, ends_at))
        target = ("member", user_id) if user_id is not None else ("network", network)
        await audit.add(tx, who, "ban.added", target, reason, after=as_written(ban))
    return ban


def as_written(ban: Ban) -> dict[str, Any]:
    """A ban for the audit log."""
    return {"ban_id": ban.id, "source": ban.source, "ends_at": ban.ends_at.isoformat()}


# Two bans of one member at once: the later end holds, which is also what lifting one of them goes back to.
BAN_MEMBER = """
UPDATE users SET banned_until = greatest(banned_until, $2), ban_reason = $3
WHERE id = $1 AND kind <> 'visitor' RETURNING role, email::text
"""


async def ban_member(
    services: Services, who: Reader | None, user_id: int, reason: str, ends_at: datetime
) -> None:
    """Let the member feel it with their next request, and tell them. Raises Invalid, NotFound, Conflict."""
    if who is not None and who.id == user_id:
        raise Invalid("Nobody bans themselves.", errors={"user_id": "This is you."})
    may_ban_admins = who is not None and "manage_roles" in who.permissions
    if may_ban_admins:
        # Of two who ban each other at once the second finds that the first did.
        await super_admins.lock(services)
    row: Any = await services.db.fetchrow(BAN_MEMBER, user_id, ends_at, reason)
    if row is None:
        raise NotFound("There is no member of that number.")
    if row["role"] is not None and not may_ban_admins:
        raise Conflict("Admins are not banned. Take the role away first.", code="is_admin")
    if row["role"] == "super_admin":
        await super_admins.keep_one(services)
    if row["email"] is not None:
        await mail.send(
            services, "banned", row["email"], user_id=user_id, until=ends_at, reason=reason
        )


LIFT = f"""
UPDATE bans SET lifted_at = now(), lifted_by = $2 WHERE id = $1 AND lifted_at IS NULL AND ends_at > now()
RETURNING {COLUMNS}
"""  # noqa: S608


async def lift(services: Services, who: Reader, ban_id: int, reason: str = "") -> Ban:
    """End a ban before its time. Raises NotFound when it is over or never was."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(LIFT, ban_id, who.id)
        if row is None:
            raise NotFound("This ban is over already.")
        ban = Ban(**row)
        if ban.user_id is not None:
            await tx.db.execute(UNBAN_MEMBER, ban.user_id)
        target = ("network", ban.network) if ban.user_id is None else ("member", ban.user_id)
        await audit.add(tx, who, "ban.lifted", target, reason, before=as_written(ban))
    return ban


UNBAN_MEMBER = """
UPDATE users SET banned_until = b.ends_at, ban_reason = b.reason
FROM (SELECT $1::bigint AS user_id) AS one
LEFT JOIN LATERAL (
    SELECT ends_at, reason FROM bans
    WHERE bans.user_id = one.user_id AND lifted_at IS NULL AND ends_at > now() ORDER BY ends_at DESC LIMIT 1
) AS b ON true
WHERE users.id = one.user_id
"""
OF_MEMBER = (
    "SELECT id FROM bans WHERE user_id = $1 AND lifted_at IS NULL AND ends_at > now() ORDER BY id"
)


async def lift_of_member(services: Services, who: Reader, user_id: int, reason: str = "") -> None:
    """End every ban of one member. Raises NotFound when there is none."""
    async with services.tx() as tx:
        found = await tx.db.fetch(OF_MEMBER, user_id)
        if not found:
            raise NotFound("This member is not banned.")
        for row in found:
            await lift(tx, who, row["id"], reason)


NEWEST = f"""
SELECT {COLUMNS} FROM bans WHERE ($1::bigint IS NULL OR id < $1) AND ($2 OR (lifted_at IS NULL AND ends_at > now()))
ORDER BY id DESC LIMIT $3
"""  # noqa: S608


async def newest(
    services: Services,
    who: Reader,
    *,
    past: bool = False,
    cursor: int | None = None,
    limit: int = 20,
) -> BanList:
    """The bans that hold, newest first; with `past` those that are over too. Whom they hit shows to those who may act."""
    rows = await services.db.fetch(NEWEST, cursor, past, limit + 1)
    items = [Ban(**row) for row in rows[:limit]]
    if "manage_limits" not in who.permissions:
        items = [msgspec.structs.replace(one, network=None, user_id=None) for one in items]
    return BanList(items, None, str(items[-1].id) if len(rows) > limit else None)


# Ordered, so that a firewall's list changes only where a ban did.
LIVE_NETWORKS = """
SELECT network::text, max(ends_at) AS ends_at FROM bans
WHERE network IS NOT NULL AND lifted_at IS NULL AND ends_at > now()
GROUP BY bans.network ORDER BY bans.network
"""


async def live_networks(services: Services) -> dict[str, datetime]:
    """Every banned network with the end of its ban."""
    rows = await services.db.fetch(LIVE_NETWORKS)
    return {row["network"]: row["ends_at"] for row in rows}
