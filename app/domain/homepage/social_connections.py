"""Connections to Instagram and Facebook Pages: begun in one session, answered once, within five minutes (rule 54)."""

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

import msgspec

from app.domain.homepage import social_pictures, versions
from app.domain.platform import audit, secrets
from app.domain.platform.readers import Reader, token_hash
from app.errors import Conflict, Forbidden, NotFound
from app.services import Services

# The platforms, and the doors of app/outside that lead there.
DOORS = {"instagram": "instagram", "facebook": "facebook_pages"}
TITLES = {"instagram": "Instagram", "facebook": "Facebook"}
MOST_ACCOUNTS = 10


class Platform(Protocol):
    """What a platform of app/outside offers."""

    name: str
    title: str
    breaker: Any

    def address(self, state: str, redirect_uri: str, verifier: str) -> str:
        """Where the person is asked."""

    async def connected(self, code: str, redirect_uri: str, verifier: str) -> list[Any]:
        """The accounts that a code opens."""

    async def renewed(self, token: str) -> Any:
        """A newer token for a kept one."""

    async def posts(self, account_id: str, token: str, limit: int) -> list[Any]:
        """The newest posts of an account."""

    def signed(self, text: str) -> Any:
        """What a signed request says."""


class Departure(msgspec.Struct):
    """Where to go to connect an account, and until when its answer is taken."""

    platform: str
    title: str
    address: str
    expires_at: datetime


def door(services: Services, platform: str) -> Platform:
    """A platform's door. Raises NotFound when it is unknown or not set up."""
    found: Platform | None = services.outside.get(DOORS.get(platform, ""))
    if found is None:
        raise NotFound("Accounts of this kind cannot be connected on this site.")
    return found


BEGIN = """
INSERT INTO social_trips (state_hash, platform, user_id, session_id, expires_at)
VALUES ($1, $2, $3, $4, $5)
"""


async def begin(services: Services, who: Reader, platform: str) -> Departure:
    """Begin a trip in the member's session and answer where it leads. Raises NotFound, Forbidden."""
    there = door(services, platform)
    if who.session_id is None:
        raise Forbidden(
            "An account is connected in a browser that is signed in.", code="no_session"
        )
    state, ends = random.token_urlsafe(24), datetime.now(UTC) + timedelta(minutes=5)
    await services.db.execute(BEGIN, token_hash(state), platform, who.id, who.session_id, ends)
    uri = redirect_uri(services, platform)
    return Departure(
        platform, there.title, there.address(state, uri, verifier_of(services, state)), ends
    )


def redirect_uri(services: Services, platform: str) -> str:
    """Where a platform sends people back to; it has to be registered there."""
    return f"{services.settings.public_url}/social/{platform}/callback"


def verifier_of(services: Services, state: str) -> str:
    """The proof (RFC 7636) of the trip with that state, which only we can make and nobody has to keep."""
    key, message = services.settings.link_secret.encode(), f"social:{state}".encode()
    proof = hmac.new(key, message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(proof).decode().rstrip("=")


# One statement takes the answer: a replay, another session, member or platform finds nothing.
TAKE = """
UPDATE social_trips SET used_at = now()
WHERE state_hash = $1 AND platform = $2 AND user_id = $3 AND session_id = $4
  AND used_at IS NULL AND expires_at > now()
RETURNING state_hash
"""


async def take(
    services: Services, who: Reader, platform: str, answer: Mapping[str, str]
) -> int | None:
    """Take the answer of a trip, once, and keep the accounts it opens; answer how many, None when the person said no.

    Raises NotFound, Forbidden, Conflict (nothing to connect, or too many), ServiceDown.
    """
    there = door(services, platform)
    state = answer.get("state", "")
    trip = (token_hash(state), platform, who.id, who.session_id)
    if await services.db.fetchval(TAKE, *trip) is None:
        raise Forbidden(
            "This connection was begun in another browser, or too long ago. Please begin again.",
            code="bad_state",
        )
    if "error" in answer:
        return None
    if not answer.get("code"):
        raise Forbidden("The platform sent no code.", code="no_code")
    uri, proof = redirect_uri(services, platform), verifier_of(services, state)
    granted = await there.connected(answer["code"], uri, proof)
    if not granted:
        raise Conflict("There is no page that you look after.", code="nothing_to_connect")
    await keep(services, who, platform, granted)
    return len(granted)


LOCK = "SELECT id FROM users WHERE id = $1 FOR UPDATE"
OTHERS = """
SELECT count(*) FROM social_accounts
WHERE user_id = $1 AND revoked_at IS NULL AND NOT (platform = $2 AND account_id = ANY($3::text[]))
"""


async def keep(services: Services, who: Reader, platform: str, granted: list[Any]) -> None:
    """Keep what the person granted, and fetch its posts soon. Raises Conflict when it is too much."""
    async with services.tx() as tx:
        # Two answers at once wait for each other here, so that the count holds.
        await tx.db.execute(LOCK, who.id)
        ids = [one.account_id for one in granted]
        if await tx.db.fetchval(OTHERS, who.id, platform, ids) + len(ids) > MOST_ACCOUNTS:
            raise Conflict(f"At most {MOST_ACCOUNTS} accounts can be connected.", code="too_many")
        for one in granted:
            account_id = await keep_one(tx, who.id, platform, one)
            after = {"platform": platform, "account": account_id}
            await audit.add(tx, who, "social.connected", ("member", who.id), after=after)
            await tx.enqueue("refresh_social", account_id, key=f"account:{account_id}")
        await versions.bump(tx, who.id, "social")


# An account that was connected before goes on with its posts; its last row is the one that has them.
REVIVE = """
UPDATE social_accounts
SET account_name = $4, subject = $5, scopes = $6, expires_at = $7, granted_at = now(), revoked_at = NULL,
    refresh_failures = 0, renew_tried_at = NULL, error_code = NULL, posts_after = NULL, taken_until = NULL
WHERE id = (
    SELECT id FROM social_accounts WHERE user_id = $1 AND platform = $2 AND account_id = $3
    ORDER BY revoked_at DESC NULLS FIRST, id DESC LIMIT 1
)
RETURNING id
"""
ADD = """
INSERT INTO social_accounts (user_id, platform, account_id, account_name, subject, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id
"""
SEAL = "UPDATE social_accounts SET token_enc = $2 WHERE id = $1"


async def keep_one(services: Services, user_id: int, platform: str, granted: Any) -> int:
    """Keep one account with its token, sealed for its row; answer the row's id. Needs a transaction."""
    row = (
        user_id,
        platform,
        granted.account_id,
        granted.account_name,
        granted.subject,
        granted.scopes,
        ends_of(granted.expires_in),
    )
    account_id: int | None = await services.db.fetchval(REVIVE, *row)
    if account_id is None:
        account_id = await services.db.fetchval(ADD, *row)
    assert account_id is not None
    await services.db.execute(SEAL, account_id, sealed(services, account_id, granted.token))
    return account_id


def ends_of(seconds: float | None) -> datetime | None:
    """When a token ends that holds for so many seconds."""
    return None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)


def sealed(services: Services, account_id: int, token: str) -> bytes:
    """A token, encrypted for its account's row."""
    return secrets.seal(services.settings, "social_accounts", "token_enc", account_id, token)


def unsealed(services: Services, account_id: int, kept: bytes) -> str:
    """What `sealed` encrypted. Raises ServiceDown when no key opens it."""
    return secrets.unseal(services.settings, "social_accounts", "token_enc", account_id, kept)


REVOKE = """
UPDATE social_accounts SET revoked_at = coalesce(revoked_at, now()), token_enc = NULL, expires_at = NULL
WHERE id = ANY($1::bigint[])
"""
ARCHIVE = (
    "UPDATE social_posts SET archived = true WHERE account_id = ANY($1::bigint[]) AND NOT archived"
)


async def revoke(services: Services, account_ids: list[int]) -> None:
    """Forget the tokens of accounts; their posts stay, archived. Needs a transaction."""
    await services.db.execute(REVOKE, account_ids)
    await services.db.execute(ARCHIVE, account_ids)


FORGET = "DELETE FROM social_accounts WHERE id = ANY($1::bigint[])"


async def forget(
    services: Services, account_ids: list[int], deletion_id: int | None = None
) -> None:
    """Delete accounts with their posts and thumbnails. Needs a transaction."""
    await services.db.execute(FORGET, account_ids)
    await social_pictures.forget(services, account_ids, deletion_id)


MINE = "SELECT id, revoked_at FROM social_accounts WHERE id = $1 AND user_id = $2 FOR UPDATE"


async def mine(services: Services, who: Reader, account_id: int) -> Any:
    """One account of the member's. Raises NotFound."""
    row = await services.db.fetchrow(MINE, account_id, who.id)
    if row is None:
        raise NotFound("You have no such account here.")
    return row


async def remove(
    services: Services, who: Reader, account_id: int, posts: Literal["keep", "delete"]
) -> None:
    """Disconnect one of the member's accounts, and keep its posts or not. Raises NotFound."""
    async with services.tx() as tx:
        await mine(tx, who, account_id)
        if posts == "delete":
            await forget(tx, [account_id])
        else:
            await revoke(tx, [account_id])
        after = {"account": account_id, "posts": posts}
        await audit.add(tx, who, "social.disconnected", ("member", who.id), after=after)
        await versions.bump(tx, who.id, "social")


NO_POSTS = "DELETE FROM social_posts WHERE account_id = $1"
FROM_NOW = "UPDATE social_accounts SET posts_after = now() WHERE id = $1"


async def remove_posts(services: Services, who: Reader, account_id: int) -> None:
    """Delete the posts of one of the member's accounts; what comes later is still fetched. Raises NotFound."""
    async with services.tx() as tx:
        row = await mine(tx, who, account_id)
        if row["revoked_at"] is not None:
            await forget(tx, [account_id])
        else:
            await tx.db.execute(NO_POSTS, account_id)
            await tx.db.execute(FROM_NOW, account_id)
            await social_pictures.forget(tx, [account_id])
        await versions.bump(tx, who.id, "social")
