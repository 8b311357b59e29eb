"""A member's new address: proven by a letter to it, told to the old one."""

import asyncpg

from app.domain.platform import mail, proofs, rate_limits, site_settings
from app.domain.platform.members import checked_address
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid
from app.services import Services

MINUTES = 24 * 60

VOID = """
UPDATE sign_in_requests SET used_at = now() WHERE user_id = $1 AND purpose = 'change_address' AND used_at IS NULL
"""


async def ask(services: Services, who: Reader, email: str) -> str:
    """Send a letter to the new address, and answer it; nothing changes before its button is pressed.

    Whether another member has it shows only to its owner. Raises Invalid.
    """
    address = checked_address(email)
    if address == (who.email or "").lower():
        sentence = "This is your address already."
        raise Invalid(sentence, errors={"email": sentence})
    await rate_limits.spend(services, who, "login_address", subject=address)
    async with services.tx() as tx:
        await call_off(tx, who.id)
        token, _ = await proofs.add(tx, "change_address", address, minutes=MINUTES, user_id=who.id)
        link = proofs.link_of(services, token)
        await mail.send(tx, "verify_address", address, user_id=who.id, link=link)
    return address


async def call_off(services: Services, user_id: int) -> None:
    """Let no letter change this member's address any more."""
    await services.db.execute(VOID, user_id)


CHANGE = """
UPDATE users SET email = $2, email_verified_at = now(), email_disabled_at = NULL, email_disabled_why = NULL
FROM (SELECT id, email FROM users WHERE id = $1 FOR UPDATE) AS old
WHERE users.id = old.id AND users.closed_at IS NULL
RETURNING old.email::text
"""


async def confirm(services: Services, token: str) -> None:
    """Take the new address over by the link of its letter. Raises SignInNeeded, and Conflict when it is taken."""
    try:
        async with services.tx() as tx:
            row = await proofs.by_link(tx, token, "change_address")
            old = await tx.db.fetchval(CHANGE, row["user_id"], row["email"])
            if old is None:
                return
            # Letters to the old address open this door no longer.
            await proofs.void(tx, old, "sign_in", "step_up", "verify_address")
            await mail.send(
                tx,
                "address_changed",
                old,
                user_id=row["user_id"],
                new_address=row["email"],
                help_address=site_settings.of(services).contact_address,
            )
    except asyncpg.UniqueViolationError:
        raise Conflict(
            "Another member has this address. Please choose another one.", code="address_taken"
        ) from None
