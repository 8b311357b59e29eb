"""New browsers: a member is told of each, and can say "It was not me", which ends all that was opened."""

from typing import Any

from app.domain.platform import (
    agents,
    api_tokens,
    audit,
    email_changes,
    mail,
    notifications,
    oauth_tokens,
    proofs,
    sessions,
)
from app.domain.platform.readers import Reader, token_hash
from app.services import Services

MINUTES = 30 * 24 * 60

# Who was made just now needs no letter about the browser that made them.
IS_NEW = """
SELECT u.email::text, u.role,
       NOT EXISTS (SELECT FROM sessions s WHERE s.user_id = u.id AND s.browser_hash = $2)
       AND (u.created_at < now() - interval '10 minutes' OR EXISTS (SELECT FROM sessions s WHERE s.user_id = u.id))
       AS is_new
FROM users u WHERE u.id = $1
"""


async def sign_in(
    services: Services,
    user_id: int,
    method: str,
    key_print: str,
    ip: dict[str, Any],
    browser: str,
) -> str:
    """Open a session on a browser and tell the member if it is a new one; answer the token for the cookie."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(IS_NEW, user_id, token_hash(browser))
        token = await sessions.open_for(tx, user_id, method, key_print, ip, browser)
        if row["is_new"]:
            await tell(tx, user_id, row["email"], method, ip)
        if row["role"] is not None:
            who = Reader(id=user_id, kind="member", role=row["role"])
            await audit.add(tx, who, "admin.signed_in", ("member", user_id), after={"by": method})
    return token


async def tell(
    services: Services, user_id: int, address: str, method: str, ip: dict[str, Any]
) -> None:
    """Write to a member that a new browser is signed in."""
    token, _ = await proofs.add(services, "not_me", address, minutes=MINUTES, user_id=user_id)
    agent = agents.in_words(str(ip.get("agent") or ""))
    await notifications.add(
        services, user_id, "account", "New sign-in", f"{agent}, by {method}.", "/settings/sessions"
    )
    await mail.send(
        services,
        "new_sign_in",
        address,
        user_id=user_id,
        agent=agent,
        place=ip.get("address") or "an unknown address",
        method=method,
        link=proofs.link_of(services, token, "/auth/not-me"),
    )


END_ALL = """
UPDATE sessions SET ended_at = now(), ended_why = 'not_me' WHERE user_id = $1 AND ended_at IS NULL
"""
# Who was in could have made a key or linked an account of their own, to come back by.
UNLINK_SINCE = """
DELETE FROM identities WHERE user_id = $1 AND created_at > $2 RETURNING id, provider, refresh_token_enc
"""


async def refuse(services: Services, token: str) -> None:
    """End all sessions and tokens of the member whose letter this is, and what opened doors since. Raises SignInNeeded."""
    async with services.tx() as tx:
        row = await proofs.by_link(tx, token, "not_me")
        await tx.db.execute(END_ALL, row["user_id"])
        await api_tokens.revoke_all(tx, row["user_id"])
        for gone in await tx.db.fetch(UNLINK_SINCE, row["user_id"], row["created_at"]):
            await oauth_tokens.give_up(tx, row["user_id"], *gone)
        await proofs.void(tx, row["email"], "sign_in", "step_up")
        # A change of address that the stranger asked for waits in a mailbox of theirs.
        await email_changes.call_off(tx, row["user_id"])
