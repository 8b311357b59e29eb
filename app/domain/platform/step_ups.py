"""Step-up: a code by letter makes a sign-in fresh again, for ten minutes."""

from app.domain.platform import mail, proofs, rate_limits
from app.domain.platform.readers import Reader
from app.services import Services

MINUTES = 15


async def ask(services: Services, who: Reader, browser: str) -> None:
    """Send the member a code; a new one voids the old."""
    assert who.email is not None
    await rate_limits.spend(services, who, "login_address", subject=who.email)
    async with services.tx() as tx:
        await proofs.void(tx, who.email, "step_up")
        _, code = await proofs.add(
            tx, "step_up", who.email, minutes=MINUTES, browser=browser, user_id=who.id
        )
        await mail.send(tx, "step_up", who.email, user_id=who.id, code=code)


FRESHEN = (
    "UPDATE sessions SET fresh_until = now() + interval '10 minutes' WHERE id = $1 AND user_id = $2"
)


async def prove(services: Services, who: Reader, code: str, browser: str) -> None:
    """Make the member's session fresh by the code of a letter. Raises SignInNeeded."""
    assert who.email is not None
    await proofs.by_code(services, "step_up", who.email, code, browser)
    await services.db.execute(FRESHEN, who.session_id, who.id)
