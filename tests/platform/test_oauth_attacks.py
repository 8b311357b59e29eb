"""Attacks on signing in with a provider, each refused: nobody is in, nothing is linked."""

import time
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from app.services import Services
from tests.people import Browser, member
from tests.platform.oauth_trips import Traveller, travelling


@pytest.fixture
async def traveller(services: Services) -> AsyncIterator[Traveller]:
    async with travelling(services) as traveller:
        yield traveller
        assert await services.db.fetchval("SELECT count(*) FROM identities") == 0
        assert (
            await services.db.fetchval("SELECT count(*) FROM sessions WHERE method <> 'test'") == 0
        )


@pytest.mark.parametrize("name", ["google", "facebook", "apple"])
async def test_a_stolen_state_is_worth_nothing_in_another_browser(
    traveller: Traveller, name: str
) -> None:
    answer = await traveller.consent(await traveller.set_out(name))
    traveller.browser.sign_out()
    for flow in (None, "a-flow-of-another-browser"):
        if flow:
            traveller.browser.client.cookies.set("vu_flow", flow)
        refused = await traveller.come_back(name, answer, "application/json")
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_state")
        assert await traveller.is_in() is None


@pytest.mark.parametrize("name", ["google", "apple"])
async def test_an_answer_cannot_be_brought_twice(traveller: Traveller, name: str) -> None:
    answer = await traveller.consent(await traveller.set_out(name), who="")
    await traveller.come_back(name, answer)
    refused = await traveller.come_back(name, answer, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "bad_state")


async def test_a_code_that_was_used_is_refused_with_a_fresh_state(traveller: Traveller) -> None:
    answer = await traveller.consent(await traveller.set_out("google"))
    traveller.world.vendors["google"].codes.clear()
    state = parse_qs(urlsplit(await traveller.set_out("google")).query)["state"][0]
    refused = await traveller.come_back("google", answer | {"state": state}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "invalid_grant")


async def test_a_code_of_another_trip_fails_for_its_verifier(traveller: Traveller) -> None:
    stolen = await traveller.consent(await traveller.set_out("google"))
    state = parse_qs(urlsplit(await traveller.set_out("google")).query)["state"][0]
    refused = await traveller.come_back("google", stolen | {"state": state}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "invalid_grant")


async def test_an_old_or_invented_state_is_refused(
    traveller: Traveller, services: Services
) -> None:
    answer = await traveller.consent(await traveller.set_out("google"))
    await services.db.execute("UPDATE oauth_states SET expires_at = now()")
    for tried in (answer, answer | {"state": "invented"}, {"code": answer["code"]}):
        refused = await traveller.come_back("google", tried, "application/json")
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_state")


async def test_one_providers_answer_is_not_anothers(traveller: Traveller) -> None:
    answer = await traveller.consent(await traveller.set_out("google"))
    for name in ("facebook", "apple"):
        refused = await traveller.come_back(name, answer, "application/json")
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_state")
    mixed = answer | {"iss": "https://elsewhere.example"}
    refused = await traveller.come_back("google", mixed, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "mixed_up")


@pytest.mark.parametrize("name", ["google", "apple"])
@pytest.mark.parametrize(
    "twist", ["issuer", "audience", "nonce", "key", "unsigned", "hs256", "expired"]
)
async def test_a_forged_or_foreign_id_token_is_refused(
    traveller: Traveller, name: str, twist: str
) -> None:
    await traveller.world.fault(name, twist)
    refused = await traveller.in_json(name)
    assert (refused.status_code, refused.json()["code"]) == (403, "id_token_refused")
    assert await traveller.is_in() is None


@pytest.mark.parametrize("name", ["google", "apple"])
async def test_an_address_that_is_not_verified_opens_no_ones_door(
    traveller: Traveller, services: Services, name: str
) -> None:
    for _ in range(2):
        await traveller.world.fault(name, "unverified")
        answer = await traveller.in_json(name)
        assert (answer.status_code, answer.json()["code"]) == (409, "link_needed")
        assert await traveller.is_in() is None
        # The second time a member has the address; the answer is the same.
        if not await services.db.fetchval("SELECT count(*) FROM users"):
            await member(services, "ada@example.org")


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
async def test_next_never_leads_away(traveller: Traveller, target: str) -> None:
    answer = await traveller.go("google", who="", query=f"next={target}")
    assert answer.headers["location"] == "/auth/login"
    kept = await traveller.services.db.fetchval("SELECT next FROM oauth_states")
    assert kept == "/"


async def test_apples_form_lasts_a_minute_and_the_first_one_stays(
    traveller: Traveller, services: Services
) -> None:
    answer = await traveller.consent(await traveller.set_out("apple"))
    cross = {"sec-fetch-site": "cross-site", "origin": traveller.world.vendors["apple"].url}
    await traveller.browser.post("/auth/apple/callback", dict(answer), headers=cross)
    first = await services.db.fetchval("SELECT form_enc FROM oauth_states")
    forged = answer | {"code": "another"}
    await traveller.browser.post("/auth/apple/callback", dict(forged), headers=cross)
    assert await services.db.fetchval("SELECT form_enc FROM oauth_states") == first
    await services.db.execute("UPDATE oauth_states SET form_until = now()")
    late = await traveller.browser.get(
        "/auth/apple/callback",
        params={"state": answer["state"]},
        headers={"accept": "application/json"},
    )
    assert (late.status_code, late.json()["code"]) == (403, "no_form")


async def test_apples_code_is_not_taken_from_the_address(traveller: Traveller) -> None:
    answer = await traveller.consent(await traveller.set_out("apple"))
    refused = await traveller.browser.get(
        "/auth/apple/callback", params=answer, headers={"accept": "application/json"}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "no_form")


async def test_only_apple_may_post_from_another_site(traveller: Traveller) -> None:
    await traveller.set_out("google")
    cross = {"sec-fetch-site": "cross-site"}
    form = {"state": "x", "code": "y"}
    for path in ("/auth/login", "/auth/logout", "/settings/email", "/auth/link"):
        refused = await traveller.browser.post(path, form, headers=cross)
        assert refused.status_code == 403
    assert (await traveller.browser.post("/auth/google/callback", form)).status_code == 405


async def test_what_waits_in_an_attackers_browser_is_not_linked_by_a_link_he_sends(
    traveller: Traveller, services: Services
) -> None:
    page = (await traveller.go("facebook", "ben")).headers["location"]
    link = parse_qs(urlsplit(page).query)["link"][0]
    traveller.browser.sign_out()
    victim = traveller.browser
    assert "opens your door" not in (await victim.get(f"/auth/login?link={link}")).text
    await traveller.set_out("google", f"next=/&link={link}")
    last = (
        "SELECT link_hash FROM oauth_states ORDER BY created_at DESC, used_at NULLS FIRST LIMIT 1"
    )
    assert await services.db.fetchval(last) is None
    await victim.post("/auth/login", {"email": "victim@example.org", "link": link})
    row = await services.db.fetchval("SELECT text_body FROM emails ORDER BY id DESC LIMIT 1")
    token = row.split("token=")[1].split()[0]
    victim.sign_out()
    assert (await victim.post("/auth/link", {"token": token})).status_code == 303
    await services.db.execute("UPDATE sessions SET method = 'test'")


async def test_a_trip_to_link_needs_a_fresh_sign_in_and_ends_with_its_own_member(
    traveller: Traveller, services: Services
) -> None:
    refused = await traveller.browser.json("GET", "/auth/google/login?purpose=link")
    assert refused.status_code == 401
    await traveller.browser.sign_in(await member(services, "ada@example.org"))
    answer = await traveller.consent(await traveller.set_out("google", "purpose=link"))
    flow = traveller.browser.client.cookies["vu_flow"]
    await traveller.browser.sign_in(await member(services, "eve@example.org"))
    traveller.browser.client.cookies.set("vu_flow", flow, domain="testserver.local", path="/")
    refused = await traveller.come_back("google", answer, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "bad_state")


async def test_a_provider_cannot_keep_us_waiting(traveller: Traveller) -> None:
    answer = await traveller.consent(await traveller.set_out("google"))
    await traveller.world.fault("google", "hang", times=None, seconds=60)
    started = time.monotonic()
    page = await traveller.come_back("google", answer, "application/json")
    assert page.status_code == 503 and time.monotonic() - started < 10


async def test_secrets_of_a_trip_are_kept_sealed_or_hashed(
    traveller: Traveller, services: Services
) -> None:
    address = await traveller.set_out("google")
    state = parse_qs(urlsplit(address).query)["state"][0]
    row = await services.db.fetchrow("SELECT state_hash, verifier_enc FROM oauth_states")
    assert state.encode() not in row["state_hash"] and len(row["verifier_enc"]) > 60


async def test_nothing_of_a_browser_is_taken_from_strangers(browser: Browser) -> None:
    assert (await browser.post("/auth/apple/callback", {"state": "x"})).status_code == 404
