"""Members: made when an address is proven; one address, one member."""

from collections.abc import Awaitable, Callable

from disposable_email_domains import blocklist

from app.domain.platform import site_settings
from app.errors import Forbidden, Invalid
from app.services import Services

# What other chapters do for a new member, in the transaction that makes it; each adds its own function.
WELCOMES: list[Callable[[Services, int], Awaitable[None]]] = []


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


# Two first sign-ins with one address at once: the unique address decides, both get the same member.
ENTER = """
INSERT INTO users (kind, email, email_verified_at, last_seen_on) VALUES ('member', $1, now(), current_date)
ON CONFLICT (email) DO UPDATE SET email_verified_at = coalesce(users.email_verified_at, now()),
    email_disabled_at = NULL, email_disabled_why = NULL
RETURNING id, (xmax = 0) AS is_new, closed_at
"""


async def member_of(services: Services, address: str) -> int:
    """The member with this proven address, made now if there is none. Raises Forbidden for a closed account or site."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(ENTER, address)
        if row["closed_at"] is not None:
            raise Forbidden("This account is closed.", code="closed")
        if row["is_new"]:
            await welcome(tx, row["id"])
        return int(row["id"])


async def welcome(services: Services, user_id: int) -> None:
    """Do what other chapters do for a new member. Raises Forbidden where the site takes none."""
    if site_settings.of(services).sign_up == "closed":
        # The row goes with the transaction; until here known and unknown addresses are treated alike.
        raise Forbidden("This site takes no new members at the moment.", code="sign_up_closed")
    for act in WELCOMES:
        await act(services, user_id)
