"""Identities: outside accounts that open a member's door — found, linked after proof, taken away."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.domain.platform import lines, mail, members, notifications, oauth, oauth_tokens, secrets
from app.domain.platform.oauth import Answered
from app.domain.platform.readers import Reader, token_hash
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.services import Services

# What other files do at a member's first sign-in through a provider, in its transaction.
FIRST_SIGN_INS: list[Callable[[Services, int, str], Awaitable[None]]] = []


class Entered(msgspec.Struct, frozen=True):
    """A member who came in, or the word that opens the door once an address is proven."""

    user_id: int | None
    next: str
    link: str | None = None


KNOWN = """
UPDATE identities SET used_at = now(), email = coalesce($3, identities.email), email_verified = $4
FROM users WHERE users.id = identities.user_id AND provider = $1 AND subject = $2
RETURNING identities.id, identities.user_id, users.closed_at
"""


async def enter(services: Services, trip: Answered, browser: str) -> Entered:
    """Who is it? The member of a known account, a new member by a vouched address, else nobody before proof.

    Raises Forbidden for a closed account. Rule 7 of chapter 10.
    """
    async with services.tx() as tx:
        user_id = await known(tx, trip) or await new_member(tx, trip) or await known(tx, trip)
        if user_id is None:
            await wait(tx, trip)
            return Entered(None, trip.next, trip.state)
        if trip.link_hash is not None:
            await link_waiting(tx, user_id, trip.link_hash, browser)
        return Entered(user_id, trip.next)


async def known(services: Services, trip: Answered) -> int | None:
    """The member of a known account, whose kept token is renewed. Raises Forbidden."""
    found = trip.found
    row = await services.db.fetchrow(
        KNOWN, trip.provider, found.subject, usable(found.email), found.email_verified
    )
    if row is None:
        return None
    if row["closed_at"] is not None:
        raise Forbidden("This account is closed.", code="closed")
    await keep_token(services, row["id"], found.refresh_token, found.expires_in)
    return int(row["user_id"])


def usable(email: str | None) -> str | None:
    """The address in lower case, or None when it is none we could write to."""
    try:
        return members.checked_address(email) if email else None
    except Invalid:
        return None


# Two first sign-ins at once: the unique address decides; the second finds the account known afterwards.
ADD_MEMBER = """
INSERT INTO users (kind, email, email_verified_at, display_name, last_seen_on)
VALUES ('member', $1, now(), $2, current_date) ON CONFLICT (email) DO NOTHING RETURNING id
"""


async def new_member(services: Services, trip: Answered) -> int | None:
    """Make the member of an address that the provider vouches for; None when it does not, or somebody has it."""
    address = usable(trip.found.email)
    if address is None or not trip.found.email_verified:
        return None
    user_id = await services.db.fetchval(ADD_MEMBER, address, lines.in_one(trip.found.name))
    if user_id is None:
        return None
    await members.welcome(services, user_id)
    await add(services, int(user_id), trip.provider, trip.found)
    return int(user_id)


ADD = """
INSERT INTO identities (user_id, provider, subject, email, email_verified) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING id
"""


async def add(services: Services, user_id: int, provider: str, found: Any) -> None:
    """Link an outside account to a member. Raises Conflict when it, or another of this provider, is linked already."""
    identity_id = await services.db.fetchval(
        ADD, user_id, provider, found.subject, usable(found.email), found.email_verified
    )
    if identity_id is None:
        raise Conflict(
            "This account is linked already, or another one of the same provider is.",
            code="linked_already",
        )
    await keep_token(services, identity_id, found.refresh_token, found.expires_in)
    for act in FIRST_SIGN_INS:
        await act(services, user_id, provider)


KEEP = "UPDATE identities SET refresh_token_enc = $2, expires_at = $3 WHERE id = $1"


async def keep_token(
    services: Services, identity_id: int, token: str | None, expires_in: float | None
) -> None:
    """Keep the token by which the provider's answers can be renewed, sealed. Without one the older stays."""
    if token is None:
        return
    kept = secrets.seal(services.settings, "identities", "refresh_token_enc", identity_id, token)
    ends = datetime.now(UTC) + timedelta(seconds=expires_in) if expires_in else None
    await services.db.execute(KEEP, identity_id, kept, ends)


WAIT = "UPDATE oauth_states SET found_enc = $2, link_until = now() + interval '15 minutes' WHERE state_hash = $1"


async def wait(services: Services, trip: Answered) -> None:
    """Keep who was found for 15 minutes, until an address is proven in the same browser."""
    hashed = token_hash(trip.state)
    text = msgspec.json.encode(trip.found).decode()
    await services.db.execute(WAIT, hashed, oauth.sealed(services, "found_enc", hashed, text))


class Kept(msgspec.Struct, frozen=True):
    """Who was found at a provider (Found of app/outside/oauth_providers.py), as it was kept."""

    subject: str
    email: str | None
    email_verified: bool
    name: str
    refresh_token: str | None
    expires_in: float | None


class Waiting(msgspec.Struct, frozen=True):
    """An outside account that is linked as soon as its person proves an address."""

    provider: str
    title: str
    email: str | None


WAITING = """
SELECT provider, found_enc FROM oauth_states
WHERE state_hash = $1 AND browser_hash = $2 AND found_enc IS NOT NULL AND link_until > now()
"""


async def waiting(services: Services, link: str, browser: str) -> Waiting | None:
    """The account that waits under this word in this browser, or None."""
    hashed = token_hash(link)
    row = await services.db.fetchrow(WAITING, hashed, token_hash(browser))
    if row is None:
        return None
    found = msgspec.json.decode(
        oauth.unsealed(services, "found_enc", hashed, row["found_enc"]), type=Kept
    )
    title = oauth.door(services, row["provider"]).title
    return Waiting(row["provider"], title, usable(found.email))


TAKE_WAITING = """
UPDATE oauth_states SET found_enc = NULL
FROM (SELECT state_hash, found_enc FROM oauth_states WHERE state_hash = $1 FOR UPDATE) AS kept
WHERE oauth_states.state_hash = kept.state_hash AND kept.found_enc IS NOT NULL AND link_until > now()
  AND browser_hash = $2
RETURNING provider, kept.found_enc
"""
OWNS = "SELECT EXISTS (SELECT FROM users WHERE id = $1 AND email = $2)"


async def link_waiting(services: Services, user_id: int, link_hash: bytes, browser: str) -> None:
    """Link the account that waited in this browser, now that its person signed in there.

    An address that the provider vouches for is linked to its own member only.
    """
    row = await services.db.fetchrow(TAKE_WAITING, link_hash, token_hash(browser))
    if row is None:
        return
    text = oauth.unsealed(services, "found_enc", link_hash, row["found_enc"])
    found = msgspec.json.decode(text, type=Kept)
    if found.email_verified and not await services.db.fetchval(OWNS, user_id, found.email):
        return
    if not await services.db.fetchval(HAS_ONE, user_id, row["provider"], found.subject):
        async with services.tx() as tx:
            await add(tx, user_id, row["provider"], found)
            await tell(tx, user_id, row["provider"], added=True)


HAS_ONE = """
SELECT EXISTS (SELECT FROM identities WHERE provider = $2 AND (user_id = $1 OR subject = $3))
"""


async def link(services: Services, who: Reader, trip: Answered) -> None:
    """Link the account found to the member who began the trip. Raises Conflict, and Forbidden for another member."""
    if trip.user_id != who.id:
        raise Forbidden("This was begun by another member. Please begin again.", code="bad_state")
    async with services.tx() as tx:
        await add(tx, who.id, trip.provider, trip.found)
        await tell(tx, who.id, trip.provider, added=True)


ADDRESS = "SELECT email::text FROM users WHERE id = $1"


async def tell(tx: Services, user_id: int, provider: str, *, added: bool) -> None:
    """Tell a member, by letter and in the bell, that a way in came or went."""
    title = oauth.title_of(tx, provider)
    happened = f"{title} opens your account now" if added else f"{title} opens your account no more"
    where = "/settings/sign-in"
    await notifications.add(tx, user_id, "account", happened, url=where)
    await mail.send(
        tx,
        "way_in_changed",
        await tx.db.fetchval(ADDRESS, user_id),
        user_id=user_id,
        title=title,
        added=added,
        link=f"{tx.settings.public_url}{where}",
    )


class WayIn(msgspec.Struct):
    """One way in of a member; `can_go` is whether another one would be left."""

    provider: str
    title: str
    email: str | None
    created_at: datetime | None = None
    used_at: datetime | None = None
    can_go: bool = False


class WaysIn(msgspec.Struct):
    """Every way in of a member, and the providers that could be linked."""

    items: list[WayIn]
    total: int
    could_be_linked: list[oauth.Button]
    next: str | None = None


LETTERS = (
    "SELECT email_verified_at IS NOT NULL AND email_disabled_at IS NULL FROM users WHERE id = $1"
)
MINE = """
SELECT provider, email::text, created_at, used_at FROM identities WHERE user_id = $1 ORDER BY provider
"""


async def ways_in(services: Services, who: Reader) -> WaysIn:
    """How this member can sign in."""
    letters = bool(await services.db.fetchval(LETTERS, who.id))
    rows = await services.db.fetch(MINE, who.id)
    ways = [WayIn("letter", "A letter", who.email)] if letters else []
    can_go = len(rows) + letters > 1
    known = {button.name: button for button in oauth.buttons(services)}
    for row in rows:
        title = (
            known[row["provider"]].title if row["provider"] in known else row["provider"].title()
        )
        ways.append(WayIn(**dict(row), title=title, can_go=can_go))
    linked = {row["provider"] for row in rows}
    free = [button for name, button in known.items() if name not in linked]
    return WaysIn(ways, len(ways), free)


# The member's row is locked, so that two at once cannot take the last two ways in.
LOCK = "SELECT id FROM users WHERE id = $1 FOR UPDATE"
REMOVE = (
    "DELETE FROM identities WHERE user_id = $1 AND provider = $2 RETURNING id, refresh_token_enc"
)
OTHERS = "SELECT count(*) FROM identities WHERE user_id = $1 AND provider <> $2"


async def unlink(services: Services, who: Reader, provider: str) -> None:
    """Take one way in away, and have its provider revoke what we kept. Raises NotFound, and Conflict when it is the last one."""
    async with services.tx() as tx:
        await tx.db.execute(LOCK, who.id)
        letters = await tx.db.fetchval(LETTERS, who.id)
        if not letters and not await tx.db.fetchval(OTHERS, who.id, provider):
            raise Conflict("This is your last way in. Add another one first.", code="last_way_in")
        row = await tx.db.fetchrow(REMOVE, who.id, provider)
        if row is None:
            raise NotFound("This account is not linked.")
        await oauth_tokens.give_up(tx, who.id, row["id"], provider, row["refresh_token_enc"])
        await tell(tx, who.id, provider, added=False)
