"""Signing in with Google, Facebook and Apple: known, new, known by address, and by nothing."""

import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from app.domain.platform import identities, oauth_tokens, site_settings
from app.errors import ServiceDown
from app.services import Services
from tests.people import Browser, member
from tests.platform.oauth_trips import Traveller, travelling

LETTER = "SELECT text_body FROM emails WHERE template = $1 ORDER BY id DESC LIMIT 1"


@pytest.fixture
async def traveller(services: Services) -> AsyncIterator[Traveller]:
    async with travelling(services) as traveller:
        yield traveller


async def code_of_letter(services: Services) -> str:
    text = await services.db.fetchval(LETTER, "sign_in")
    return re.search(r"\b(\d{6})\b", text)[1]  # type: ignore[index]


async def proven_by_letter(traveller: Traveller, page: str, email: str) -> None:
    """Go on from the sign-in page with the letter it offers."""
    link = parse_qs(urlsplit(page).query)["link"][0]
    form = {"email": email, "link": link, "next": "/news"}
    assert (await traveller.browser.post("/auth/login", form)).status_code == 202
    code = await code_of_letter(traveller.services)
    answer = await traveller.browser.post("/auth/login", form | {"code": code})
    assert answer.headers["location"] == "/news"


@pytest.mark.parametrize("name", ["google", "apple"])
async def test_an_address_that_the_provider_vouches_for_makes_a_member(
    traveller: Traveller, name: str
) -> None:
    answer = await traveller.go(name)
    assert (answer.status_code, answer.headers["location"]) == (303, "/news")
    assert await traveller.is_in() == "ada@example.org"
    account = (await traveller.browser.json("GET", "/api/settings/account")).json()
    assert account["name"] == "Ada Berg"


CLOSED = "INSERT INTO site_settings (key, value) VALUES ('sign_up', '\"closed\"')"


async def test_a_closed_site_takes_no_new_members_from_a_provider_either(
    traveller: Traveller, services: Services
) -> None:
    await traveller.go("google")
    traveller.browser.sign_out()
    await services.db.execute(CLOSED)
    await site_settings.refresh(services)
    answer = await traveller.in_json("google", "ben")
    assert (answer.status_code, answer.json()["code"]) == (403, "sign_up_closed")
    assert await services.db.fetchval("SELECT count(*) FROM users") == 1
    await traveller.go("google")
    assert await traveller.is_in() == "ada@example.org"


@pytest.mark.parametrize("name", ["google", "apple"])
async def test_a_known_account_is_in_at_once_even_with_another_address(
    traveller: Traveller, services: Services, name: str
) -> None:
    await traveller.go(name)
    traveller.browser.sign_out()
    traveller.world.vendors[name].people["ada"].email = "moved@example.org"
    try:
        assert (await traveller.go(name)).headers["location"] == "/news"
    finally:
        traveller.world.vendors[name].people["ada"].email = "ada@example.org"
    assert await traveller.is_in() == "ada@example.org"
    assert await services.db.fetchval("SELECT count(*) FROM users") == 1


async def test_a_known_address_is_linked_only_after_its_member_signed_in_by_letter(
    traveller: Traveller, services: Services
) -> None:
    who = await member(services, "ada@example.org")
    answer = await traveller.go("google")
    page = answer.headers["location"]
    assert page.startswith("/auth/login?link=") and await traveller.is_in() is None
    assert "Google opens your door" in (await traveller.browser.get(page)).text
    await proven_by_letter(traveller, page, "ada@example.org")
    linked = await services.db.fetchval("SELECT user_id FROM identities")
    assert linked == who.id
    traveller.browser.sign_out()
    assert (await traveller.go("google")).headers["location"] == "/news"


async def test_json_hears_of_a_known_address_as_409_link_needed(
    traveller: Traveller, services: Services
) -> None:
    await member(services, "ada@example.org")
    answer = await traveller.in_json("google")
    assert (answer.status_code, answer.json()["code"]) == (409, "link_needed")
    assert await services.db.fetchval("SELECT count(*) FROM identities") == 0


async def test_a_known_address_is_linked_after_an_older_way_in(
    traveller: Traveller, services: Services
) -> None:
    await traveller.go("google")
    traveller.browser.sign_out()
    page = (await traveller.go("apple")).headers["location"]
    text = (await traveller.browser.get(page)).text
    assert "/auth/google/login?" in text and "/auth/apple/login?" not in text
    link = parse_qs(urlsplit(page).query)["link"][0]
    assert (await traveller.go("google", query=f"next=/&link={link}")).headers["location"] == "/"
    rows = await services.db.fetch("SELECT provider FROM identities ORDER BY provider")
    assert [row["provider"] for row in rows] == ["apple", "google"]


async def test_what_waits_is_not_linked_to_another_member(
    traveller: Traveller, services: Services
) -> None:
    await member(services, "ada@example.org")
    page = (await traveller.go("google")).headers["location"]
    await proven_by_letter(traveller, page, "eve@example.org")
    assert await traveller.is_in() == "eve@example.org"
    assert await services.db.fetchval("SELECT count(*) FROM identities") == 0


async def test_facebook_never_vouches_so_a_letter_proves_the_address(
    traveller: Traveller, services: Services
) -> None:
    answer = await traveller.in_json("facebook")
    assert (answer.status_code, answer.json()["code"]) == (409, "link_needed")
    page = (await traveller.go("facebook")).headers["location"]
    assert 'value="ada@example.org"' in (await traveller.browser.get(page)).text
    assert await services.db.fetchval("SELECT count(*) FROM users") == 0
    await proven_by_letter(traveller, page, "ada@example.org")
    traveller.browser.sign_out()
    assert (await traveller.go("facebook")).headers["location"] == "/news"


async def test_without_any_address_the_person_names_one_and_proves_it(
    traveller: Traveller,
) -> None:
    await traveller.world.fault("facebook", "no_address")
    page = (await traveller.go("facebook")).headers["location"]
    assert 'value="ada@' not in (await traveller.browser.get(page)).text
    await proven_by_letter(traveller, page, "mine@example.org")
    assert await traveller.is_in() == "mine@example.org"


async def test_a_person_who_says_no_comes_back_to_the_other_ways(traveller: Traveller) -> None:
    for name in ("google", "apple", "facebook"):
        answer = await traveller.go(name, who="")
        assert answer.headers["location"] == "/auth/login"
    assert "You were not signed in" in (await traveller.browser.get("/auth/login")).text


async def test_two_first_sign_ins_with_one_address_make_one_member(
    traveller: Traveller, services: Services
) -> None:
    await traveller.go("google")
    traveller.browser.sign_out()
    answer = await traveller.in_json("apple")
    assert answer.json()["code"] == "link_needed"
    assert await services.db.fetchval("SELECT count(*) FROM users") == 1


async def test_a_provider_without_keys_has_no_button_and_no_door(browser: Browser) -> None:
    assert "/auth/google/login" not in (await browser.get("/auth/login")).text
    for path in ("/auth/google/login", "/auth/nobody/login", "/auth/google/callback?state=x"):
        assert (await browser.get(path)).status_code == 404


async def test_the_buttons_are_links_and_a_resting_provider_says_so(traveller: Traveller) -> None:
    text = (await traveller.browser.get("/auth/login?next=/news")).text
    for name in ("google", "facebook", "apple"):
        assert re.search(rf'<a [^>]*href="/auth/{name}/login\?next=/news"', text)
    breaker = traveller.services.outside["google"].breaker
    for _ in range(breaker.limit):
        with pytest.raises(ServiceDown):
            async with breaker.request():
                raise ServiceDown("Away.")
    text = (await traveller.browser.get("/auth/login")).text
    assert "Google does not answer" in text and "/auth/google/login" not in text


@pytest.mark.parametrize("kind", ["500", "garbage", "hang"])
async def test_a_provider_that_fails_leaves_the_other_ways_open(
    traveller: Traveller, kind: str
) -> None:
    traveller.services.outside["google"]._timeout = 0.3
    answer = await traveller.consent(await traveller.set_out("google"))
    await traveller.world.fault("google", kind, times=None)
    page = await traveller.come_back("google", answer)
    assert page.status_code == 503
    assert "does not answer" in page.text and 'name="email"' in page.text
    traveller.world.clear()


async def test_keys_are_asked_for_once_an_hour(traveller: Traveller) -> None:
    for _ in range(3):
        await traveller.go("google")
        traveller.browser.sign_out()
    asked = [one for one in traveller.world.requests("google") if one.path == "/certs"]
    assert len(asked) == 1


async def test_trips_carry_pkce_nonce_and_scope(traveller: Traveller) -> None:
    google = parse_qs(urlsplit(await traveller.set_out("google")).query)
    assert google["code_challenge_method"] == ["S256"] and len(google["nonce"][0]) >= 22
    apple = parse_qs(urlsplit(await traveller.set_out("apple")).query)
    assert apple["response_mode"] == ["form_post"] and apple["scope"] == ["name email"]
    facebook = parse_qs(urlsplit(await traveller.set_out("facebook")).query)
    assert len({google["state"][0], apple["state"][0], facebook["state"][0]}) == 3


async def test_each_first_sign_in_tells_the_others_in_its_transaction(
    traveller: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def note(tx: Services, user_id: int, provider: str) -> None:
        assert tx.in_tx
        told.append(provider)

    monkeypatch.setattr(identities, "FIRST_SIGN_INS", [*identities.FIRST_SIGN_INS, note])
    for _ in range(2):
        await traveller.go("google")
        traveller.browser.sign_out()
    assert told == ["google"]


async def test_kept_tokens_are_sealed_renewed_and_cleared_when_void(
    traveller: Traveller, services: Services
) -> None:
    await traveller.go("google")
    vendor = traveller.world.vendors["google"]
    [token] = vendor.refresh_tokens
    sealed = await services.db.fetchval("SELECT refresh_token_enc FROM identities")
    assert token.encode() not in sealed
    await services.db.execute("UPDATE identities SET expires_at = now() - interval '1 hour'")
    await oauth_tokens.refresh(traveller.services)
    assert await services.db.fetchval("SELECT expires_at > now() FROM identities")
    vendor.refresh_tokens.clear()
    await oauth_tokens.refresh(traveller.services)
    assert await services.db.fetchval("SELECT refresh_token_enc FROM identities") is None


async def test_a_silent_provider_costs_no_token_and_the_job_is_tried_again(
    traveller: Traveller, services: Services
) -> None:
    await traveller.go("google")
    await traveller.world.fault("google", "500", times=None)
    with pytest.raises(ServiceDown):
        await oauth_tokens.refresh(traveller.services)
    assert await services.db.fetchval("SELECT refresh_token_enc IS NOT NULL FROM identities")


async def test_facebooks_token_of_60_days_is_exchanged_for_a_newer_one(
    traveller: Traveller, services: Services
) -> None:
    page = (await traveller.go("facebook")).headers["location"]
    await proven_by_letter(traveller, page, "ada@example.org")
    before = await services.db.fetchval("SELECT refresh_token_enc FROM identities")
    await oauth_tokens.refresh(traveller.services)
    assert await services.db.fetchval("SELECT refresh_token_enc FROM identities") == before
    await services.db.execute("UPDATE identities SET expires_at = now() + interval '6 days'")
    await oauth_tokens.refresh(traveller.services)
    assert await services.db.fetchval("SELECT refresh_token_enc FROM identities") != before


async def test_a_closed_account_stays_closed_to_its_provider(
    traveller: Traveller, services: Services
) -> None:
    await traveller.go("google")
    await services.db.execute("UPDATE users SET closed_at = now()")
    traveller.browser.sign_out()
    answer = await traveller.in_json("google")
    assert (answer.status_code, answer.json()["code"]) == (403, "closed")


async def test_sign_ins_are_counted_by_method_and_result(traveller: Traveller) -> None:
    await traveller.go("google")
    text = (await traveller.browser.get("/metrics")).text
    assert re.search(r'sign_ins_total\{method="google",result="ok"\} [1-9]', text)


async def test_known_and_unknown_addresses_get_equal_bytes(
    browser: Browser, services: Services
) -> None:
    await member(services, "known@example.org")
    for ask in ("/auth/login", "/api/auth/login"):
        answers = []
        for email in ("known@example.org", "other@example.org"):
            browser.sign_out()
            answer = await browser.post(ask, {"email": email, "next": "/"})
            same = answer.text.replace("known@", "other@")
            names = sorted(name for name in answer.headers if name != "x-request-id")
            answers.append((answer.status_code, same, names))
        assert answers[0] == answers[1]
    text = await services.db.fetch("SELECT text_body FROM emails ORDER BY id")
    shapes = {re.sub(r"token=\S+|\d{6}", "", row["text_body"]) for row in text}
    assert len(shapes) == 1
