"""Signing in by letter: a link that works anywhere by POST, a code that works in the browser that asked."""

from typing import Any

from app.domain.platform import identities, mail, members, proofs, rate_limits
from app.domain.platform.members import ENTER, WELCOMES, checked_address, member_of
from app.domain.platform.proofs import link_of, purpose_of
from app.services import Services

# Other files of the ground and other chapters know these by this module.
__all__ = ["ENTER", "WELCOMES", "checked_address", "link_of", "member_of", "purpose_of"]

MINUTES = 15


async def ask(
    services: Services, email: str, browser: str, next_path: str, link: str | None = None
) -> None:
    """Send a letter with link and code; a new one voids the old. Known and unknown addresses are treated alike.

    `link` is an outside account that waits to be linked. Raises Invalid for what is no address and for
    throw-away domains.
    """
    address = checked_address(email)
    await rate_limits.spend(services, None, "login_address", subject=address)
    async with services.tx() as tx:
        await proofs.void(tx, address, "sign_in")
        token, code = await proofs.add(
            tx, "sign_in", address, minutes=MINUTES, browser=browser, next_path=next_path, link=link
        )
        await mail.send(tx, "sign_in", address, link=link_of(services, token), code=code)


async def by_code(services: Services, email: str, code: str, browser: str) -> tuple[int, str]:
    """Sign in by the code of a letter; answer the member's id and where to go on. Raises SignInNeeded, Invalid."""
    address = checked_address(email)
    row = await proofs.by_code(services, "sign_in", address, code, browser)
    return await proven(services, address, row, browser)


async def by_link(services: Services, token: str, browser: str = "") -> tuple[int, str]:
    """Sign in by the link of a letter, once; answer the member's id and where to go on. Raises SignInNeeded."""
    row = await proofs.by_link(services, token, "sign_in", "verify_address")
    return await proven(services, row["email"], row, browser)


async def proven(services: Services, address: str, row: Any, browser: str) -> tuple[int, str]:
    """The member of a proven address; what waited in this browser to be linked is linked now."""
    async with services.tx() as tx:
        user_id = await members.member_of(tx, address)
        if row["link_hash"] is not None:
            await identities.link_waiting(tx, user_id, row["link_hash"], browser)
    return user_id, row["next"]


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
