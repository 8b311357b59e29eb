"""A way in that comes or goes is told to its member, and the provider takes back what it granted."""

from collections.abc import AsyncIterator

import pytest

from app.domain.platform import oauth_tokens, secrets
from app.errors import ServiceDown
from app.services import Services
from tests.people import member
from tests.platform.oauth_trips import Traveller, travelling

TOLD = "SELECT subject, to_address::text FROM emails WHERE template = 'way_in_changed' ORDER BY id"
BELL = "SELECT title, url FROM notifications ORDER BY id"
JOBS = "SELECT payload FROM delayed_jobs WHERE job_type = 'revoke_oauth_token'"
LEFT = "SELECT count(*) FROM token_revocations"
CONNECT_PAGE = """
INSERT INTO social_accounts (user_id, platform, account_id, subject)
SELECT user_id, 'facebook', '7001', subject FROM identities
"""
PROVIDERS = ["google", "facebook", "apple"]


@pytest.fixture
async def traveller(services: Services) -> AsyncIterator[Traveller]:
    """A browser, the vendors, and a member who is signed in."""
    async with travelling(services) as found:
        await found.browser.sign_in(await member(found.services))
        yield found


async def linked(traveller: Traveller, name: str) -> None:
    """Link an account of that provider to the member."""
    answer = await traveller.go(name, query="purpose=link")
    assert answer.status_code == 303, answer.text
    assert await traveller.services.db.fetchval("SELECT count(*) FROM identities") == 1


def granted(traveller: Traveller, name: str) -> int:
    """How many tokens of ours still open something at the provider."""
    vendor = traveller.world.vendors[name]
    return len(vendor.access_tokens if name == "facebook" else vendor.refresh_tokens)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_way_in_that_comes_or_goes_is_told_and_revoked(
    traveller: Traveller, name: str
) -> None:
    services, title = traveller.services, name.title()
    await linked(traveller, name)
    assert granted(traveller, name) > 0
    assert (
        await traveller.browser.json("DELETE", f"/api/settings/sign-in/{name}")
    ).status_code == 200
    told = [tuple(row) for row in await services.db.fetch(TOLD)]
    assert told == [
        (f"{title} opens your account at Village now", "ada@example.org"),
        (f"{title} opens your account at Village no more", "ada@example.org"),
    ]
    bell = [tuple(row) for row in await services.db.fetch(BELL)]
    assert bell == [
        (f"{title} opens your account now", "/settings/sign-in"),
        (f"{title} opens your account no more", "/settings/sign-in"),
    ]
    [job] = await services.db.fetch(JOBS)
    await oauth_tokens.revoke(services, job["payload"]["revocation_id"])
    assert granted(traveller, name) == 0
    assert await services.db.fetchval(LEFT) == 0


async def test_an_account_whose_pages_are_shown_keeps_what_was_allowed_there(
    traveller: Traveller,
) -> None:
    services = traveller.services
    await linked(traveller, "facebook")
    before = granted(traveller, "facebook")
    await services.db.execute(CONNECT_PAGE)
    await traveller.browser.json("DELETE", "/api/settings/sign-in/facebook")
    assert await services.db.fetchval("SELECT count(*) FROM identities") == 0
    # Facebook takes back the whole app or nothing.
    assert await services.db.fetch(JOBS) == []
    assert granted(traveller, "facebook") == before


async def revocation(services: Services, token: str) -> int:
    """A token of Google's that waits to be revoked."""
    user_id = (await member(services, "rev@example.org")).id
    identity_id = await services.db.fetchval(
        "INSERT INTO identities (user_id, provider, subject) VALUES ($1, 'google', 's') RETURNING id",
        user_id,
    )
    kept = secrets.seal(services.settings, "identities", "refresh_token_enc", identity_id, token)
    async with services.tx() as tx:
        await oauth_tokens.give_up(tx, user_id, identity_id, "google", kept)
    return int(await services.db.fetchval("SELECT max(id) FROM token_revocations"))


@pytest.mark.parametrize(("status", "left"), [(None, 0), ("500", 1)])
async def test_a_token_that_is_void_is_done_and_a_silent_provider_is_asked_again(
    traveller: Traveller, status: str | None, left: int
) -> None:
    services = traveller.services
    waiting = await revocation(services, "never heard of")
    if status:
        await traveller.world.fault("google", status, times=9)
        with pytest.raises(ServiceDown):
            await oauth_tokens.revoke(services, waiting)
    else:
        await oauth_tokens.revoke(services, waiting)
    assert await services.db.fetchval(LEFT) == left
