"""Trips to Google, Facebook and Apple: begun by one browser, answered once, within five minutes."""

import secrets as random
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from app.domain.platform import secrets
from app.domain.platform.readers import token_hash
from app.errors import Forbidden, NotFound
from app.services import Services

PROVIDERS = ("google", "facebook", "apple")
LARGEST_FORM = 8_000


class Provider(Protocol):
    """What a provider of app/outside offers."""

    name: str
    title: str
    posts_its_answer: bool
    breaker: Any

    def address(self, trip: Any) -> str:
        """Where the person is asked."""

    async def found(self, answer: Mapping[str, str], trip: Any) -> Any:
        """Who came back."""

    async def refreshed(self, token: str) -> Any:
        """Newer tokens for a kept one."""

    async def revoke(self, token: str) -> None:
        """A kept token opens nothing any more."""


class Trip(msgspec.Struct, frozen=True):
    """What both ways of one trip need."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One trip that came back: why it was made, by whom, and who the provider says it was."""

    provider: str
    state: str
    purpose: str
    user_id: int | None
    next: str
    link_hash: bytes | None
    found: Any


class Button(msgspec.Struct):
    """One provider on the sign-in page; a resting one does not answer at the moment."""

    name: str
    title: str
    is_resting: bool


def buttons(services: Services) -> list[Button]:
    """The providers that are set up, in their order."""
    doors = [services.outside[name] for name in PROVIDERS if name in services.outside]
    return [Button(door.name, door.title, door.breaker.state == "open") for door in doors]


def title_of(services: Services, name: str) -> str:
    """What people call a provider, also one that is not set up any more."""
    found: Provider | None = services.outside.get(name)
    return found.title if found is not None else name.title()


def door(services: Services, name: str) -> Provider:
    """The provider of that name. Raises NotFound when it is unknown or not set up."""
    found: Provider | None = services.outside.get(name) if name in PROVIDERS else None
    if found is None:
        raise NotFound("This site has no such way to sign in.")
    return found


BEGIN = """
INSERT INTO oauth_states
    (state_hash, provider, browser_hash, nonce, verifier_enc, purpose, user_id, next, link_hash, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + interval '5 minutes')
"""


async def begin(
    services: Services,
    name: str,
    browser: str,
    *,
    next_path: str = "/",
    user_id: int | None = None,
    link: str | None = None,
) -> str:
    """Begin a trip and answer the provider's address; with `user_id` the account found is linked to that member.

    `link` is an earlier trip that waits to be linked (identities.waiting). Raises NotFound, NotConfigured.
    """
    provider = door(services, name)
    trip = made(services, name)
    hashed = token_hash(trip.state)
    await services.db.execute(
        BEGIN,
        hashed,
        name,
        token_hash(browser),
        trip.nonce,
        sealed(services, "verifier_enc", hashed, trip.verifier),
        "link" if user_id else "sign_in",
        user_id,
        next_path,
        token_hash(link) if link else None,
    )
    return provider.address(trip)


def made(services: Services, name: str) -> Trip:
    """A trip with secrets of its own."""
    return Trip(
        state=random.token_urlsafe(24),
        nonce=random.token_urlsafe(24),
        verifier=random.token_urlsafe(48),
        redirect_uri=redirect_uri(services, name),
    )


def redirect_uri(services: Services, name: str) -> str:
    """Where a provider sends people back to; it has to be registered there."""
    return f"{services.settings.public_url}/auth/{name}/callback"


def sealed(services: Services, column: str, hashed: bytes, text: str) -> bytes:
    """A secret of one trip, encrypted for its row."""
    return secrets.seal(services.settings, "oauth_states", column, hashed.hex(), text)


def unsealed(services: Services, column: str, hashed: bytes, kept: bytes) -> str:
    """What `sealed` encrypted."""
    return secrets.unseal(services.settings, "oauth_states", column, hashed.hex(), kept)


# The browser is not asked here: a form posted from another site comes without our cookies.
KEEP_FORM = """
UPDATE oauth_states SET form_enc = $3, form_until = now() + interval '60 seconds'
WHERE state_hash = $1 AND provider = $2 AND form_enc IS NULL AND used_at IS NULL AND expires_at > now()
"""


async def keep_form(services: Services, name: str, form: Mapping[str, str]) -> None:
    """Keep the form that a provider's page posted, for 60 s and for the GET that follows. Raises NotFound."""
    if not door(services, name).posts_its_answer:
        raise NotFound("This provider answers by a link.")
    text = msgspec.json.encode({key: form[key] for key in ("code", "error", "user") if key in form})
    hashed = token_hash(form.get("state", ""))
    if len(text) <= LARGEST_FORM:
        kept = sealed(services, "form_enc", hashed, text.decode())
        await services.db.execute(KEEP_FORM, hashed, name, kept)


# One statement takes the answer: a replay, another browser and another provider find nothing.
TAKE = """
UPDATE oauth_states SET used_at = now(), form_enc = NULL
FROM (SELECT state_hash, form_enc, form_until > now() AS form_lives FROM oauth_states WHERE state_hash = $1 FOR UPDATE) AS kept
WHERE oauth_states.state_hash = kept.state_hash AND provider = $2 AND browser_hash = $3
  AND used_at IS NULL AND expires_at > now()
RETURNING nonce, verifier_enc, purpose, user_id, next, link_hash, kept.form_enc, kept.form_lives
"""


async def take(
    services: Services, name: str, browser: str, answer: Mapping[str, str]
) -> Answered | None:
    """Take the answer of a trip, once; None when the person said no. Raises Forbidden, NotFound, ServiceDown."""
    provider = door(services, name)
    state = answer.get("state", "")
    hashed = token_hash(state)
    row = await services.db.fetchrow(TAKE, hashed, name, token_hash(browser))
    if row is None:
        raise Forbidden(
            "This sign-in was begun in another browser, or too long ago. Please begin again.",
            code="bad_state",
        )
    if provider.posts_its_answer:
        answer = form_of(services, hashed, row)
    if "error" in answer:
        return None
    trip = Trip(
        state,
        row["nonce"],
        unsealed(services, "verifier_enc", hashed, row["verifier_enc"]),
        redirect_uri(services, name),
    )
    return Answered(
        provider=name,
        state=state,
        purpose=row["purpose"],
        user_id=row["user_id"],
        next=row["next"],
        link_hash=row["link_hash"],
        found=await provider.found(answer, trip),
    )


def form_of(services: Services, hashed: bytes, row: Any) -> Mapping[str, str]:
    """The form that was kept. Raises Forbidden when there is none, or no longer."""
    if not row["form_enc"] or not row["form_lives"]:
        raise Forbidden("This sign-in took too long. Please begin again.", code="no_form")
    text = unsealed(services, "form_enc", hashed, row["form_enc"])
    return msgspec.json.decode(text, type=dict[str, str])
