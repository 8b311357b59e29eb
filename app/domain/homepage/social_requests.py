"""Signed requests of the platforms: somebody took our app away there, or wants what we have of them deleted."""

import contextlib
import secrets as random
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from app.domain.homepage import social_connections
from app.domain.platform.readers import token_hash
from app.errors import Forbidden, NotFound
from app.services import Services

# Their clock and ours may differ by so much.
SKEW = timedelta(seconds=60)


class Deauthorized(msgspec.Struct):
    """How many accounts were disconnected."""

    accounts: int


class Deletion(msgspec.Struct):
    """What the platform shows the person: where the deletion stands, and its code."""

    url: str
    confirmation_code: str


class DeletionStatus(msgspec.Struct):
    """How far a deletion is."""

    platform: str
    asked_at: datetime
    accounts: int
    posts: int
    done_at: datetime | None


class Asked(NamedTuple):
    """A request whose signature is right: the platforms with that secret, their number for the person, and when it was made."""

    platforms: list[str]
    subject: str
    at: datetime


def asked(services: Services, text: str) -> Asked:
    """Who asks: the platform whose secret signed it, or all that share it. Raises Forbidden when none did."""
    platforms, found = [], None
    for platform, name in social_connections.DOORS.items():
        door: Any = services.outside.get(name)
        if door is None:
            continue
        with contextlib.suppress(Forbidden):
            found = door.signed(text)
            platforms.append(platform)
    if found is None:
        raise Forbidden("This request does not carry a platform's signature.", code="bad_signature")
    return Asked(platforms, found.user_id, datetime.fromtimestamp(found.issued_at, UTC))


# What was connected after the request was made is not meant: a repeat of an older request touches nothing new.
MEANT = """
SELECT id, user_id, platform FROM social_accounts
WHERE platform = ANY($1::text[]) AND $2 IN (subject, account_id) AND granted_at < $3 ORDER BY id FOR UPDATE
"""
# Several people may have connected the same account.
BUMP = """
INSERT INTO reader_versions (user_id, area) SELECT DISTINCT user_id, 'social' FROM unnest($1::bigint[]) AS user_id
ON CONFLICT (user_id, area) DO UPDATE SET version = reader_versions.version + 1
"""


async def meant(services: Services, request: Asked) -> tuple[list[int], str]:
    """The accounts that a request is about, and on which platform; their owners' pages change. Needs a transaction."""
    rows = await services.db.fetch(MEANT, request.platforms, request.subject, request.at + SKEW)
    await services.db.execute(BUMP, [row["user_id"] for row in rows])
    platform = rows[0]["platform"] if rows else request.platforms[0]
    return [row["id"] for row in rows], platform


async def deauthorize(services: Services, text: str) -> Deauthorized:
    """Disconnect what a signed request names; posts stay, archived, until their owner deletes them. Raises Forbidden."""
    request = asked(services, text)
    async with services.tx() as tx:
        ids, _ = await meant(tx, request)
        await social_connections.revoke(tx, ids)
    return Deauthorized(len(ids))


POSTS = "SELECT count(*)::integer FROM social_posts WHERE account_id = ANY($1::bigint[])"
NOTE = """
INSERT INTO social_deletions (code_hash, platform, accounts, posts) VALUES ($1, $2, $3, $4) RETURNING id
"""


async def delete(services: Services, text: str) -> Deletion:
    """Delete the accounts that a signed request names, with posts and thumbnails. Raises Forbidden."""
    request, code = asked(services, text), random.token_hex(16)
    async with services.tx() as tx:
        ids, platform = await meant(tx, request)
        posts = await tx.db.fetchval(POSTS, ids)
        row = (token_hash(code), platform, len(ids), posts)
        await social_connections.forget(tx, ids, await tx.db.fetchval(NOTE, *row))
    address = f"{services.settings.public_url}/social/meta/data-deletions/{code}"
    return Deletion(address, code)


STATUS = """
SELECT platform, created_at AS asked_at, accounts, posts, done_at FROM social_deletions WHERE code_hash = $1
"""


async def status(services: Services, code: str) -> DeletionStatus:
    """How far the deletion with that code is. Raises NotFound."""
    row = await services.db.fetchrow(STATUS, token_hash(code))
    if row is None:
        raise NotFound("There is no deletion with this code.")
    return DeletionStatus(**dict(row))
