"""Erasure has the providers take back what the person allowed there, and keeps nothing of who it was."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.platform.privacy import erasures
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage import social_trips
from tests.homepage.job_runs import run_jobs
from tests.people import Browser, cookie_of, member
from tests.platform import oauth_trips
from tests.platform.privacy.conftest import hurried, storing
from tests.platform.privacy.test_erasures import erased, wish

__all__ = ["hurried", "storing"]
LEFT = "SELECT count(*) FROM token_revocations"
WAITING = (
    "SELECT payload, subjects, actor_id FROM delayed_jobs WHERE job_type = 'revoke_oauth_token'"
)
NOBODY = "SELECT NOT EXISTS (SELECT FROM identities) AND NOT EXISTS (SELECT FROM social_accounts)"


def opens(vendor: Any) -> bool:
    """Whether any token of ours still opens something there."""
    if vendor.name in ("google", "apple"):
        return bool(vendor.refresh_tokens)
    return bool(vendor.access_tokens or getattr(vendor, "page_tokens", ()))


async def person(browser: Browser, services: Services) -> Reader:
    """A member who is signed in."""
    who = await member(services, "ada@example.org")
    await browser.sign_in(who)
    return who


@pytest.mark.parametrize("name", ["google", "facebook", "apple"])
async def test_an_erased_persons_sign_in_token_is_revoked(hurried: Services, name: str) -> None:
    async with oauth_trips.travelling(hurried) as traveller:
        services = traveller.services
        who = await person(traveller.browser, services)
        assert (await traveller.go(name, query="purpose=link")).status_code == 303
        await erased(services, await wish(services, who))
        assert await services.db.fetchval(NOBODY) and opens(traveller.world.vendors[name])
        [job] = await services.db.fetch(WAITING)
        assert set(job["payload"]) == {"v", "revocation_id"}
        assert (job["subjects"], job["actor_id"]) == ([], None)
        await run_jobs(services, "revoke_oauth_token")
        assert not opens(traveller.world.vendors[name])
        assert await services.db.fetchval(LEFT) == 0


@pytest.mark.parametrize("name", ["instagram", "facebook"])
async def test_an_erased_persons_connected_accounts_are_revoked(
    hurried: Services, name: str
) -> None:
    async with social_trips.travelling(hurried) as traveller:
        services, vendor = traveller.services, traveller.world.vendors[name]
        vendor.said = []
        await traveller.connect(name)
        assert opens(vendor)
        await erased(services, await wish(services, traveller.who))
        assert await services.db.fetchval(NOBODY)
        await run_jobs(services, "revoke_oauth_token")
        assert not opens(vendor)
        assert await services.db.fetchval(LEFT) == 0


async def test_what_another_member_connected_too_is_left_to_them(hurried: Services) -> None:
    async with social_trips.travelling(hurried) as traveller:
        services = traveller.services
        traveller.world.vendors["instagram"].said = []
        await traveller.connect()
        other = await member(services, "eve@example.org")
        traveller.browser.carry(await cookie_of(services, other))
        await traveller.connect()
        await erased(services, await wish(services, traveller.who))
        assert await services.db.fetch(WAITING) == []
        await traveller.again()
        assert (await traveller.page())["accounts"][0]["state"] == "fresh"


async def test_a_restored_backup_revokes_what_it_brought_back(hurried: Services) -> None:
    async with social_trips.travelling(hurried) as traveller:
        services = traveller.services
        traveller.world.vendors["instagram"].said = []
        await traveller.connect()
        await erasures.repeat(services, traveller.who.id, datetime.now(UTC))
        await run_jobs(services, "revoke_oauth_token")
        assert not opens(traveller.world.vendors["instagram"])
