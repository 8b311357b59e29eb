"""Tokens in their last week: renewed once a day, the first failure on the page, the third by letter (rule 57)."""

from collections.abc import AsyncIterator

import pytest

from app.domain.homepage import social_connections, social_tokens
from app.errors import ServiceDown
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.homepage.social_trips import Traveller, travelling

EVENING = "UPDATE social_accounts SET renew_tried_at = renew_tried_at - interval '1 day'"
LETTERS = "SELECT count(*) FROM emails WHERE template = 'social_reconnect'"


@pytest.fixture
async def traveller(services: Services) -> AsyncIterator[Traveller]:
    """A traveller whose one account's token ends in six days."""
    async with travelling(services) as traveller:
        await traveller.connect()
        await ends_in(traveller, "6 days")
        yield traveller


async def ends_in(traveller: Traveller, span: str) -> None:
    await traveller.services.db.execute(
        f"UPDATE social_accounts SET expires_at = now() + interval '{span}'"
    )


async def token(traveller: Traveller) -> str:
    row = await traveller.services.db.fetchrow("SELECT id, token_enc FROM social_accounts")
    return social_connections.unsealed(traveller.services, row["id"], row["token_enc"])


async def night(traveller: Traveller) -> None:
    """One night's job, a day after the last."""
    await traveller.services.db.execute(EVENING)
    async with traveller.services.tx() as tx:
        await tx.enqueue("refresh_social_tokens")
    await run_jobs(traveller.services, "refresh_social_tokens")


async def test_a_token_in_its_last_week_is_renewed(traveller: Traveller) -> None:
    older = await token(traveller)
    await night(traveller)
    assert await token(traveller) != older
    left = "SELECT expires_at > now() + interval '59 days' FROM social_accounts"
    assert await traveller.services.db.fetchval(left)
    await traveller.again()
    assert (await traveller.page())["accounts"][0]["state"] == "fresh"


@pytest.mark.parametrize("span", ["8 days", "-4 days"])
async def test_a_token_with_time_left_or_long_gone_is_left_alone(
    traveller: Traveller, span: str
) -> None:
    await ends_in(traveller, span)
    traveller.world.asked.clear()
    await night(traveller)
    assert traveller.world.requests("instagram") == []


async def test_the_first_failure_shows_the_banner_and_the_third_writes(
    traveller: Traveller,
) -> None:
    traveller.world.vendors["instagram"].forget_tokens()
    for count, letters in ((1, 0), (2, 0), (3, 1), (4, 1)):
        await night(traveller)
        row = "SELECT refresh_failures FROM social_accounts"
        assert await traveller.services.db.fetchval(row) == count
        assert await traveller.services.db.fetchval(LETTERS) == letters
        text = (await traveller.browser.fragment("/widgets/social")).text
        assert "could not be renewed" in text and "Reconnect" in text
    letter = await traveller.services.db.fetchrow(
        "SELECT to_address::text, text_body, kind FROM emails WHERE template = 'social_reconnect'"
    )
    assert (letter["to_address"], letter["kind"]) == ("ada@example.org", "notice")
    assert "ada.makes" in letter["text_body"] and "/social" in letter["text_body"]


async def test_a_token_is_tried_once_a_night_whoever_runs(traveller: Traveller) -> None:
    traveller.world.vendors["instagram"].forget_tokens()
    for _ in range(3):
        await social_tokens.refresh(traveller.services)
    failures = "SELECT refresh_failures FROM social_accounts"
    assert await traveller.services.db.fetchval(failures) == 1


async def test_connecting_again_ends_the_banner(traveller: Traveller) -> None:
    traveller.world.vendors["instagram"].forget_tokens()
    await night(traveller)
    await traveller.connect()
    assert "Reconnect" not in (await traveller.browser.fragment("/widgets/social")).text


async def test_a_platform_that_rests_costs_no_try(traveller: Traveller) -> None:
    await traveller.world.fault("instagram", "503", times=None)
    breaker = traveller.services.outside["instagram"].breaker
    for _ in range(breaker.limit):
        with pytest.raises(ServiceDown):
            await traveller.services.outside["instagram"].renewed("x")
    with pytest.raises(ServiceDown):
        await social_tokens.refresh(traveller.services)
    row = await traveller.services.db.fetchrow(
        "SELECT refresh_failures, renew_tried_at FROM social_accounts"
    )
    assert (row["refresh_failures"], row["renew_tried_at"]) == (0, None)
