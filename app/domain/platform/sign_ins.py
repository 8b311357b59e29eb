"""Signing in by letter: a link that works anywhere by POST, a code that works in the browser that asked."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from disposable_email_domains import blocklist

from app.domain.platform import mail, rate_limits
from app.domain.platform.readers import token_hash
from app.errors import Forbidden, Invalid, SignInNeeded
from app.services import Services

TRIES = 5
# What other chapters do for a new member, in the transaction that makes it; each adds its own function.
WELCOMES: list[Callable[[Services, int], Awaitable[None]]] = []

VOID = "UPDATE sign_in_requests SET used_at = now() WHERE email = $1 AND purpose = 'sign_in' AND used_at IS NULL"
ADD = """
INSERT INTO sign_in_requests (email, purpose, token_hash, code_hash, browser_hash, next, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::int * interval '1 minute')
"""


async def ask(services: Services, email: str, browser: str, next_path: str) -> None:
    """Send a letter with link and code; a new one voids the old. Known and unknown addresses are treated alike.

    Raises Invalid for what is no address and for throw-away domains.
    """
    address = checked_address(email)
    await rate_limits.spend(services, None, "login_address")
    token, code = secrets.token_urlsafe(24), f"{secrets.randbelow(10**6):06}"
    code_hash = token_hash(f"{address}:{code}")
    async with services.tx() as tx:
        await tx.db.execute(VOID, address)
        await tx.db.execute(
            ADD,
            address,
            "sign_in",
            token_hash(token),
            code_hash,
            token_hash(browser),
            next_path,
            15,
        )
        await mail.send(tx, "sign_in", address, link=link_of(services, token), code=code)


def link_of(services: Services, token: str) -> str:
    """The address in the letter; opening it changes nothing, only its button does."""
    return f"{services.settings.public_url}/auth/link?token={token}"


def checked_address(email: str) -> str:
    """The address in lower case, without surrounding space. Raises Invalid."""
    address = email.strip().lower()
    local, _, domain = address.rpartition("@")
    plain = len(address) <= 254 and not any(
        sign.isspace() or sign in ",;<>()\"'" for sign in address
    )
    if not (local and plain and "." in domain.strip(".") and len(local) <= 64):
        raise Invalid(
            "Please check your address.",
            errors={"email": "This does not look like a mail address."},
        )
    if domain.lower() in blocklist:
        sentence = "Please use an address that stays yours; throw-away addresses cannot sign in."
        raise Invalid(sentence, errors={"email": sentence})
    return address


# The try is counted before the code is looked at, so that parallel guesses share five tries.
TRY_CODE = """
UPDATE sign_in_requests SET tries = tries + 1, used_at = CASE WHEN code_hash = $3 THEN now() END
WHERE id = (
    SELECT id FROM sign_in_requests
    WHERE email = $1 AND browser_hash = $2 AND purpose = 'sign_in' AND used_at IS NULL AND expires_at > now()
    ORDER BY id DESC LIMIT 1 FOR UPDATE
) AND tries < $4
RETURNING used_at IS NOT NULL AS right_code, tries, next
"""


async def by_code(services: Services, email: str, code: str, browser: str) -> tuple[int, str]:
    """Sign in by the code of a letter; answer the member's id and where to go on. Raises SignInNeeded, Invalid."""
    address = checked_address(email)
    digits = "".join(sign for sign in code if sign.isdigit())
    await rate_limits.spend(services, None, "login")
    row = await services.db.fetchrow(
        TRY_CODE, address, token_hash(browser), token_hash(f"{address}:{digits}"), TRIES
    )
    if row is None:
        raise SignInNeeded(
            "This code does not work any more. Please ask for a new letter.", code="code_void"
        )
    if not row["right_code"]:
        raise SignInNeeded(f"Not right. {left(TRIES - row['tries'])}", code="wrong_code")
    return await member_of(services, address), row["next"]


def left(tries: int) -> str:
    """How many tries are left, said."""
    if tries < 1:
        return "No tries left; please ask for a new letter."
    return "1 try left." if tries == 1 else f"{tries} tries left."


USE_LINK = """
UPDATE sign_in_requests SET used_at = now()
WHERE token_hash = $1 AND purpose <> 'first_admin' AND used_at IS NULL AND expires_at > now() RETURNING email::text, next
"""


async def by_link(services: Services, token: str) -> tuple[int, str]:
    """Sign in by the link of a letter, once; answer the member's id and where to go on. Raises SignInNeeded."""
    row = await services.db.fetchrow(USE_LINK, token_hash(token))
    if row is None:
        raise SignInNeeded(
            "This link was used or is too old. Please ask for a new letter.", code="link_void"
        )
    return await member_of(services, row["email"]), row["next"]


# Two first sign-ins with one address at once: the unique address decides, both get the same member.
ENTER = """
INSERT INTO users (kind, email, email_verified_at, last_seen_on) VALUES ('member', $1, now(), current_date)
ON CONFLICT (email) DO UPDATE SET email_verified_at = coalesce(users.email_verified_at, now()),
    email_disabled_at = NULL, email_disabled_why = NULL
RETURNING id, (xmax = 0) AS is_new, closed_at
"""


async def member_of(services: Services, address: str) -> int:
    """The member with this proven address, made now if there is none. Raises Forbidden for a closed account."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(ENTER, address)
        if row["closed_at"] is not None:
            raise Forbidden("This account is closed.", code="closed")
        if row["is_new"]:
            for welcome in WELCOMES:
                await welcome(tx, row["id"])
        return int(row["id"])


PURPOSE = """
SELECT purpose FROM sign_in_requests WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
"""


async def purpose_of(services: Services, token: str) -> str | None:
    """What a link is for, without using it; None when it does not work any more."""
    found: str | None = await services.db.fetchval(PURPOSE, token_hash(token))
    return found


async def tell_session_ended(services: Services, user_id: int, session_id: int) -> None:
    """Write to a member that a session of theirs was ended."""
    email: Any = await services.db.fetchval("SELECT email::text FROM users WHERE id = $1", user_id)
    if email is not None:
        link = f"{services.settings.public_url}/settings/sessions"
        async with services.tx() as tx:
            await mail.send(
                tx,
                "session_ended",
                email,
                user_id=user_id,
                dedupe_key=f"session_ended:{session_id}",
                link=link,
            )
