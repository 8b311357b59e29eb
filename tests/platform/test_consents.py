"""Consents: no until said otherwise, told in one page, believed at once, asked again once for a new policy."""

import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from app.domain.platform import consents, flags, site_settings
from app.domain.platform.flags import exposures
from app.domain.platform.readers import Reader
from app.services import Services
from app.web import session as cookies
from tests.people import Browser, member
from tests.platform.oauth_trips import Traveller, travelling
from tests.platform.test_oauth import proven_by_letter

ROWS = "SELECT analytics, marketing, personalisation, policy_version, source FROM user_consents ORDER BY id"
SEEN = "SELECT subject_type, subject_id FROM feature_flag_evaluations"
# Outside accounts whose member has no row of that provider: rule 19 wants none.
WITHOUT = """
SELECT count(*) FROM identities i WHERE NOT EXISTS (
    SELECT FROM user_consents c WHERE c.user_id = i.user_id AND c.source = i.provider
        AND c.policy_version <> '' AND c.at IS NOT NULL)
"""


@pytest.fixture
async def traveller(services: Services) -> AsyncIterator[Traveller]:
    async with travelling(services) as traveller:
        yield traveller


def new_policy(services: Services, version: str = "2") -> None:
    found = msgspec.structs.replace(site_settings.of(services), policy_version=version)
    services.memory["settings"] = found


async def twin(browser: Browser, **options: Any) -> Any:
    answer = await browser.json("GET", "/api/privacy-choices", **options)
    return answer.json()


async def test_nothing_is_allowed_until_said_otherwise(
    browser: Browser, services: Services
) -> None:
    for _ in range(2):
        found = await twin(browser)
        assert not any(found[kind] for kind in consents.KINDS) and found["at"] is None
        await browser.sign_in(await member(services, f"{_}@example.org"))
    text = (await browser.get("/settings/privacy")).text
    assert text.count('role="switch"') == 3 and 'role="switch" checked' not in text


async def test_the_three_answers_have_buttons_of_one_look(browser: Browser) -> None:
    text = (await browser.get("/privacy-choices")).text
    form = text.split('action="/privacy-choices"')[1].split("</form>")[0]
    looks = re.findall(r'<button class="([^"]+)"', form)
    assert len(looks) == 3 and len(set(looks)) == 1
    assert 'href="/privacy-choices"' in text.split("<footer")[1]


async def test_a_member_s_answer_is_a_row_and_the_same_again_is_none(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    form = {"_method": "PUT", "analytics": "on"}
    for _ in range(2):
        answer = await browser.post("/settings/privacy", form)
        assert answer.headers["location"] == "/settings/privacy#consents"
    said = await browser.json("PUT", "/api/settings/privacy", {"all": "yes"})
    assert said.json()["marketing"] is True and said.json()["at"]
    rows = [tuple(row) for row in await services.db.fetch(ROWS)]
    assert rows == [(True, False, False, "1", "settings"), (True, True, True, "1", "settings")]
    assert (await browser.json("GET", "/api/settings/privacy")).json()["consents"]["analytics"]


async def test_htmx_gets_the_switches_as_they_then_stand(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    for path in ("/settings/privacy", "/privacy-choices"):
        answer = await browser.ask(
            "PUT", path, data={"marketing": "on"}, headers={"hx-request": "true"}
        )
        assert answer.text.startswith('<div id="consents">') and f'hx-put="{path}"' in answer.text
        assert re.search(r'name="marketing"[^>]*checked', answer.text)
        assert not re.search(r'name="analytics"[^>]*checked', answer.text)


async def test_what_is_no_answer_changes_nothing(browser: Browser, services: Services) -> None:
    answer = await browser.post("/privacy-choices", {"_method": "PUT", "all": "perhaps"})
    assert answer.status_code == 422 and cookies.CONSENT not in answer.cookies
    assert (await browser.json("PUT", "/api/settings/privacy", {})).status_code == 401


async def test_a_visitor_s_answer_is_a_cookie_for_a_year(
    browser: Browser, services: Services
) -> None:
    answer = await browser.post("/privacy-choices", {"_method": "PUT", "personalisation": "on"})
    header = answer.headers["set-cookie"]
    assert answer.status_code == 303 and "HttpOnly" in header and "Max-Age=31536000" in header
    found = await twin(browser)
    assert found["personalisation"] and not found["analytics"]
    assert await services.db.fetchval("SELECT count(*) FROM users") == 0


async def test_a_visitor_s_cookie_is_heard_with_each_request(services: Services) -> None:
    who = Reader(id=7, kind="visitor", anon="0" * 16)
    found = consents.heard(services, who, "1:analytics+nonsense", refused=False)
    assert consents.allows(found, "analytics") and not consents.allows(found, "marketing")
    for cookie, refused in (("1:analytics", True), ("0:analytics", False), ("x", False)):
        assert not consents.allows(
            consents.heard(services, who, cookie, refused=refused), "analytics"
        )
    # A visitor has no number by which a withdrawal could find them: they stay a hash of the day.
    flags.is_on(services, found, "marketplace")
    await exposures.write(services)
    assert (
        await services.db.fetchval("SELECT subject_type FROM feature_flag_evaluations") == "session"
    )


async def test_a_withdrawal_takes_the_evaluations_in_the_same_request(
    browser: Browser, services: Services
) -> None:
    who = await member(services)
    await browser.sign_in(who)
    await browser.json("PUT", "/api/settings/privacy", {"analytics": True})
    agreed = msgspec.structs.replace(who, consents=frozenset({"analytics"}))
    flags.is_on(services, agreed, "marketplace")
    await exposures.write(services)
    flags.is_on(services, agreed, "scenes")
    assert [tuple(row) for row in await services.db.fetch(SEEN)] == [("user", str(who.id))]
    await browser.json("PUT", "/api/settings/privacy", {"analytics": False})
    assert await services.db.fetch(SEEN) == []
    # What this process still held of the person does not come back either.
    await exposures.write(services)
    assert await services.db.fetch(SEEN) == []


async def test_a_browser_that_says_no_is_believed(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    await browser.json("PUT", "/api/settings/privacy", {"all": "yes"})
    no = {"sec-gpc": "1", "accept": "application/json"}
    found = (await browser.ask("GET", "/api/privacy-choices", headers=no)).json()
    assert found["refused_by_browser"] and not found["analytics"]
    await browser.ask("PUT", "/api/settings/privacy", json={"all": "yes"}, headers=no)
    assert tuple((await services.db.fetch(ROWS))[-1]) == (False, False, False, "1", "browser")
    browser.sign_out()
    answer = await browser.ask("PUT", "/api/privacy-choices", json={"all": "yes"}, headers=no)
    assert answer.cookies[cookies.CONSENT] == "1:"


async def test_a_new_policy_asks_once_and_is_a_no_meanwhile(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    await browser.json("PUT", "/api/settings/privacy", {"analytics": True})
    assert "policy has changed" not in (await browser.get("/")).text
    new_policy(services)
    assert "Our privacy policy has changed" in (await browser.get("/")).text
    found = await twin(browser)
    assert found["asks"] and not found["analytics"] and found["answered_version"] == "1"
    await browser.post("/privacy-choices", {"_method": "PUT", "all": "no"})
    assert "policy has changed" not in (await browser.get("/")).text
    assert tuple((await services.db.fetch(ROWS))[-1])[3:] == ("2", "privacy_choices")


async def test_whoever_never_answered_is_not_asked(browser: Browser, services: Services) -> None:
    new_policy(services)
    assert "policy has changed" not in (await browser.get("/privacy-choices")).text
    await browser.sign_in(await member(services))
    assert "policy has changed" not in (await browser.get("/news")).text


async def test_every_first_sign_in_through_a_provider_has_a_consent_row(
    traveller: Traveller, services: Services
) -> None:
    await traveller.go("google")
    await traveller.browser.json("PUT", "/api/settings/privacy", {"analytics": True})
    for name in ("facebook", "apple"):
        traveller.browser.sign_out()
        page = (await traveller.go(name)).headers["location"]
        await proven_by_letter(traveller, page, "ada@example.org")
    traveller.browser.sign_out()
    await traveller.go("google")
    assert await services.db.fetchval("SELECT count(*) FROM identities") == 3
    assert await services.db.fetchval(WITHOUT) == 0
    rows = [(row["source"], row["analytics"]) for row in await services.db.fetch(ROWS)]
    # A second way in keeps what was answered, and a second trip writes nothing.
    assert rows == [("google", False), ("settings", True), ("facebook", True), ("apple", True)]
