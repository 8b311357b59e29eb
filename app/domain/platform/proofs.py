"""Proofs: what a letter lets its reader do — once, for a while, by its link or by its code."""

import secrets
from typing import Any

from app.domain.platform.readers import token_hash
from app.errors import SignInNeeded
from app.services import Services

TRIES = 5

ADD = """
INSERT INTO sign_in_requests
    (purpose, email, user_id, token_hash, code_hash, browser_hash, next, link_hash, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9::int * interval '1 minute')
"""


async def add(
    services: Services,
    purpose: str,
    address: str,
    *,
    minutes: int,
    browser: str | None = None,
    user_id: int | None = None,
    next_path: str = "/",
    link: str | None = None,
) -> tuple[str, str]:
    """Write down what a letter will be good for; answer its token and, for the code, six digits.

    Without `browser` the code is worth nothing. `link` is an outside account that waits (identities.waiting).
    """
    token, code = secrets.token_urlsafe(24), f"{secrets.randbelow(10**6):06}"
    await services.db.execute(
        ADD,
        purpose,
        address,
        user_id,
        token_hash(token),
        token_hash(f"{address}:{code}") if browser else None,
        token_hash(browser) if browser else None,
        next_path,
        token_hash(link) if link else None,
        minutes,
    )
    return token, code


VOID = """
UPDATE sign_in_requests SET used_at = now() WHERE email = $1 AND purpose = ANY($2::text[]) AND used_at IS NULL
"""


async def void(services: Services, address: str, *purposes: str) -> None:
    """Let earlier letters to an address do nothing any more."""
    await services.db.execute(VOID, address, list(purposes))


# The try is counted before the code is looked at, so that parallel guesses share five tries.
TRY_CODE = """
UPDATE sign_in_requests SET tries = tries + 1, used_at = CASE WHEN code_hash = $3 THEN now() END
WHERE id = (
    SELECT id FROM sign_in_requests
    WHERE email = $1 AND browser_hash = $2 AND purpose = $5 AND used_at IS NULL AND expires_at > now()
    ORDER BY id DESC LIMIT 1 FOR UPDATE
) AND tries < $4
RETURNING used_at IS NOT NULL AS right_code, tries, next, user_id, link_hash
"""


async def by_code(services: Services, purpose: str, address: str, code: str, browser: str) -> Any:
    """What the code of a letter proves, in the browser that asked for it; it is used up. Raises SignInNeeded."""
    digits = "".join(sign for sign in code if sign.isdigit())
    row = await services.db.fetchrow(
        TRY_CODE,
        address,
        token_hash(browser),
        token_hash(f"{address}:{digits}"),
        TRIES,
        purpose,
    )
    if row is None:
        raise SignInNeeded(
            "This code does not work any more. Please ask for a new letter.", code="code_void"
        )
    if not row["right_code"]:
        raise SignInNeeded(f"Not right. {left(TRIES - row['tries'])}", code="wrong_code")
    return row


def left(tries: int) -> str:
    """How many tries are left, said."""
    if tries < 1:
        return "No tries left; please ask for a new letter."
    return "1 try left." if tries == 1 else f"{tries} tries left."


USE_LINK = """
UPDATE sign_in_requests SET used_at = now()
WHERE token_hash = $1 AND purpose = ANY($2::text[]) AND used_at IS NULL AND expires_at > now()
RETURNING email::text, next, user_id, link_hash, created_at
"""


async def by_link(services: Services, token: str, *purposes: str) -> Any:
    """What the link of a letter proves, for these purposes only; it is used up. Raises SignInNeeded."""
    row = await services.db.fetchrow(USE_LINK, token_hash(token), list(purposes))
    if row is None:
        raise SignInNeeded(
            "This link was used or is too old. Please ask for a new letter.", code="link_void"
        )
    return row


PURPOSE = """
SELECT purpose FROM sign_in_requests WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
"""


async def purpose_of(services: Services, token: str) -> str | None:
    """What a link is for, without using it; None when it does not work any more."""
    found: str | None = await services.db.fetchval(PURPOSE, token_hash(token))
    return found


def link_of(services: Services, token: str, path: str = "/auth/link") -> str:
    """The address in the letter; opening it changes nothing, only its button does."""
    return f"{services.settings.public_url}{path}?token={token}"
