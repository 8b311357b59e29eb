"""Tokens of connected accounts: renewed in their last week, once a day each; the third failure is a letter (rule 57)."""

from typing import Any

import structlog

from app.domain.homepage import social_connections, versions
from app.domain.platform import mail
from app.errors import Problem, ServiceDown
from app.services import Services

log = structlog.get_logger("social")

TELL_AT = 3
ENDING = """
SELECT a.id FROM social_accounts a JOIN users u ON u.id = a.user_id
WHERE a.revoked_at IS NULL AND a.token_enc IS NOT NULL AND u.closed_at IS NULL
  AND a.expires_at BETWEEN now() - interval '3 days' AND now() + interval '7 days' AND a.platform = ANY($1::text[])
  AND (a.renew_tried_at IS NULL OR a.renew_tried_at < now() - interval '12 hours') AND a.id > $2
ORDER BY a.id LIMIT 500
"""
# One try a day, whoever runs: a second worker, and the job's own repeat, find it tried.
TAKE = """
UPDATE social_accounts SET renew_tried_at = now()
WHERE id = $1 AND revoked_at IS NULL AND token_enc IS NOT NULL
  AND (renew_tried_at IS NULL OR renew_tried_at < now() - interval '12 hours')
RETURNING id, user_id, platform, token_enc
"""


async def refresh(services: Services) -> None:
    """Renew each token that ends within 7 days. Raises ServiceDown at the end when a platform rests meanwhile."""
    silent: dict[str, ServiceDown] = {}
    last = 0
    while True:
        asked = [
            name
            for name, door in social_connections.DOORS.items()
            if door in services.outside and name not in silent
        ]
        rows = await services.db.fetch(ENDING, asked, last)
        if not rows:
            break
        for row in rows:
            last = row["id"]
            await refresh_one(services, row["id"], silent)
    for problem in silent.values():
        raise problem


# The token is replaced only where it is still the one that was sent: a connection meanwhile brought a newer one.
RENEWED = """
UPDATE social_accounts SET token_enc = $3, expires_at = $4, refresh_failures = 0
WHERE id = $1 AND token_enc = $2 RETURNING user_id
"""
# A platform that rests was not asked, so this was no try.
UNTRIED = "UPDATE social_accounts SET renew_tried_at = NULL WHERE id = $1"


async def refresh_one(services: Services, account_id: int, silent: dict[str, ServiceDown]) -> None:
    """Renew one token, or count the failure, or note that its platform rests."""
    row = await services.db.fetchrow(TAKE, account_id)
    if row is None or row["platform"] in silent:
        return
    try:
        door = social_connections.door(services, row["platform"])
        token = social_connections.unsealed(services, row["id"], row["token_enc"])
        renewed = await door.renewed(token)
    except Problem as problem:
        if isinstance(problem, ServiceDown) and problem.code == "breaker_open":
            silent[row["platform"]] = problem
            await services.db.execute(UNTRIED, row["id"])
            return
        await fail(services, row, problem.code)
        return
    kept = social_connections.sealed(services, row["id"], renewed.token)
    ends = social_connections.ends_of(renewed.expires_in)
    async with services.tx() as tx:
        if await tx.db.fetchval(RENEWED, row["id"], row["token_enc"], kept, ends):
            await versions.bump(tx, row["user_id"], "social")


FAILED = """
UPDATE social_accounts a SET refresh_failures = refresh_failures + 1 FROM users u
WHERE a.id = $1 AND a.token_enc = $2 AND u.id = a.user_id
RETURNING a.id, a.user_id, a.platform, a.account_name, a.expires_at, a.granted_at, a.refresh_failures, u.email::text
"""


async def fail(services: Services, row: Any, code: str) -> None:
    """Count one failure: the page says so from the first on, the third is told by a letter."""
    log.info("token not renewed", account_id=row["id"], why=code)
    async with services.tx() as tx:
        account = await tx.db.fetchrow(FAILED, row["id"], row["token_enc"])
        if account is None:
            return
        await versions.bump(tx, account["user_id"], "social")
        if account["refresh_failures"] == TELL_AT and account["email"]:
            await tell(tx, account)


async def tell(services: Services, account: Any) -> None:
    """Write to the member that an account has to be connected again. Needs a transaction."""
    since = int(account["granted_at"].timestamp())
    await mail.send(
        services,
        "social_reconnect",
        account["email"],
        kind="notice",
        user_id=account["user_id"],
        dedupe_key=f"social_reconnect:{account['id']}:{since}",
        platform=social_connections.TITLES[account["platform"]],
        name=account["account_name"],
        until=f"{account['expires_at']:%d %B %Y}",
        link=f"{services.settings.public_url}/social",
    )
