"""Tokens kept for members' outside accounts: renewed each night, cleared when void, revoked when nobody needs them."""

from typing import Any

import structlog

from app.domain.platform import oauth, secrets
from app.errors import Forbidden, NotFound, ServiceDown
from app.services import Services

log = structlog.get_logger("security")

ENDING = """
SELECT id, provider, refresh_token_enc FROM identities
WHERE refresh_token_enc IS NOT NULL AND expires_at < now() + interval '7 days' AND provider = ANY($1::text[]) AND id > $2
ORDER BY id LIMIT 500
"""


async def refresh(services: Services) -> None:
    """Renew every token that ends within 7 days. Raises ServiceDown at the end when a provider did not answer."""
    silent: dict[str, ServiceDown] = {}
    last = 0
    while True:
        set_up = [name for name in oauth.PROVIDERS if name in services.outside]
        asked = [name for name in set_up if name not in silent]
        rows = await services.db.fetch(ENDING, asked, last)
        if not rows:
            break
        for row in rows:
            last = row["id"]
            if row["provider"] not in silent:
                await refresh_one(services, row, silent)
    for problem in silent.values():
        raise problem


# The token is replaced only where it is still the one that was sent: a sign-in meanwhile brought a newer one.
CLEAR = """
UPDATE identities SET refresh_token_enc = NULL, expires_at = NULL WHERE id = $1 AND refresh_token_enc = $2
"""
RENEWED = """
UPDATE identities SET refresh_token_enc = $3, expires_at = now() + $4::float8 * interval '1 second'
WHERE id = $1 AND refresh_token_enc = $2
"""


async def refresh_one(services: Services, row: Any, silent: dict[str, ServiceDown]) -> None:
    """Renew one token, or note that its provider is silent."""
    place = ("identities", "refresh_token_enc", row["id"])
    old = row["refresh_token_enc"]
    try:
        token = secrets.unseal(services.settings, *place, old)
        tokens = await services.outside[row["provider"]].refreshed(token)
    except Forbidden:
        log.info("token cleared", provider=row["provider"], identity_id=row["id"])
        await services.db.execute(CLEAR, row["id"], old)
        return
    except ServiceDown as problem:
        silent[row["provider"]] = problem
        return
    kept = secrets.seal(services.settings, *place, tokens.refresh_token or token)
    await services.db.execute(RENEWED, row["id"], old, kept, tokens.expires_in)


# A provider takes back all that our app was allowed, and so the posts that the member still has shown (chapter 20).
STILL_NEEDED = """
SELECT EXISTS (SELECT FROM social_accounts WHERE user_id = $1 AND platform = $2 AND revoked_at IS NULL)
"""


async def give_up(
    tx: Services, user_id: int, identity_id: int, provider: str, kept: bytes | None
) -> None:
    """Have the token of an account that was unlinked revoked by its provider, once the caller's transaction stands."""
    if not kept or await tx.db.fetchval(STILL_NEEDED, user_id, provider):
        return
    try:
        token = secrets.unseal(
            tx.settings, "identities", "refresh_token_enc", identity_id, bytes(kept)
        )
    except ServiceDown:
        log.warning("token not revoked", provider=provider, why="its key is not here")
        return
    await queue(tx, provider, token)


ADD_REVOCATION = "INSERT INTO token_revocations (provider, token_enc) VALUES ($1, '') RETURNING id"
HOLD_REVOCATION = "UPDATE token_revocations SET token_enc = $2 WHERE id = $1"


async def queue(tx: Services, provider: str, token: str) -> None:
    """Have a token revoked by its provider, once the caller's transaction stands; whose it was is written nowhere."""
    revocation_id = await tx.db.fetchval(ADD_REVOCATION, provider)
    sealed = secrets.seal(tx.settings, "token_revocations", "token_enc", revocation_id, token)
    await tx.db.execute(HOLD_REVOCATION, revocation_id, sealed)
    await tx.enqueue("revoke_oauth_token", revocation_id, key=f"revocation:{revocation_id}")


# Each is taken once, however often erasure goes through its steps.
TAKE_IDENTITIES = """
WITH kept AS (
    SELECT id, subject, refresh_token_enc FROM identities WHERE user_id = $1 AND refresh_token_enc IS NOT NULL FOR UPDATE
)
UPDATE identities i SET refresh_token_enc = NULL, expires_at = NULL FROM kept WHERE i.id = kept.id
RETURNING i.id, i.provider AS platform, i.provider AS door, kept.subject, kept.refresh_token_enc AS token_enc
"""
TAKE_CONNECTIONS = """
WITH kept AS (
    SELECT id, subject, token_enc FROM social_accounts WHERE user_id = $1 AND token_enc IS NOT NULL FOR UPDATE
)
UPDATE social_accounts a SET token_enc = NULL, expires_at = NULL FROM kept WHERE a.id = kept.id
RETURNING a.id, a.platform, CASE a.platform WHEN 'facebook' THEN 'facebook_pages' ELSE a.platform END AS door,
    kept.subject, kept.token_enc
"""
# Two members may have let us into the same account; what is taken back is taken from both.
ANOTHERS_TOO = """
SELECT EXISTS (SELECT FROM social_accounts WHERE platform = $2 AND subject = $3 AND user_id <> $1 AND revoked_at IS NULL)
    OR EXISTS (SELECT FROM identities WHERE provider = $2 AND subject = $3 AND user_id <> $1)
"""


async def give_up_all(tx: Services, user_id: int) -> None:
    """Have every token of a person who is erased revoked by its provider. Needs a transaction."""
    for place, taking in (
        (("identities", "refresh_token_enc"), TAKE_IDENTITIES),
        (("social_accounts", "token_enc"), TAKE_CONNECTIONS),
    ):
        for row in await tx.db.fetch(taking, user_id):
            if await tx.db.fetchval(ANOTHERS_TOO, user_id, row["platform"], row["subject"]):
                continue
            try:
                token = secrets.unseal(tx.settings, *place, row["id"], row["token_enc"])
            except ServiceDown:
                log.warning("token not revoked", provider=row["door"], why="its key is not here")
            else:
                await queue(tx, row["door"], token)


DUE = "SELECT provider, token_enc FROM token_revocations WHERE id = $1"
DONE = "DELETE FROM token_revocations WHERE id = $1"


async def revoke(services: Services, revocation_id: int) -> None:
    """Let a provider revoke one token, and forget it; one that is void already is as good. Raises ServiceDown."""
    row = await services.db.fetchrow(DUE, revocation_id)
    if row is None:
        return
    place = ("token_revocations", "token_enc", revocation_id)
    token = secrets.unseal(services.settings, *place, row["token_enc"])
    provider = services.outside.get(row["provider"])
    if provider is not None:
        try:
            await provider.revoke(token)
        except (Forbidden, NotFound):
            log.info("token was void", provider=row["provider"])
    await services.db.execute(DONE, revocation_id)
