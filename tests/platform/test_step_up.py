"""Step-up: an old sign-in is asked for a code by letter before a weighty act, and brought back."""

import re
from typing import Any

import pytest
from starlette.requests import Request

from app.errors import SignInNeeded
from app.services import Services
from app.web import session
from tests.people import Browser, member

STALE = "UPDATE sessions SET fresh_until = now() - interval '1 second'"
LETTER = "SELECT text_body FROM emails WHERE template = 'step_up' ORDER BY id DESC LIMIT 1"


async def stale(browser: Browser, services: Services) -> None:
    """Sign in, longer than ten minutes ago."""
    await browser.sign_in(await member(services))
    await services.db.execute(STALE)


async def code_of(services: Services) -> str:
    return re.search(r"\b(\d{6})\b", await services.db.fetchval(LETTER))[1]  # type: ignore[index]


async def is_fresh(browser: Browser) -> bool:
    return (await browser.json("DELETE", "/api/settings/sign-in/google")).status_code == 404


async def test_fresh_lets_a_young_sign_in_through_and_stops_others(services: Services) -> None:
    who = await member(services)
    for fresh, code in ((True, None), (False, "step_up_needed")):
        scope: dict[str, Any] = {"type": "http", "state": {}}
        request = Request(scope)
        request.state.reader = type(who)(id=who.id, kind="member", fresh=fresh)
        if code is None:
            assert session.fresh(request).id == who.id
        else:
            with pytest.raises(SignInNeeded) as refused:
                session.fresh(request)
            assert refused.value.code == code


async def test_a_visitor_is_asked_to_sign_in_first(browser: Browser) -> None:
    answer = await browser.json("POST", "/api/auth/step-up", {})
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")


async def test_a_form_is_led_to_the_proof_and_back_to_its_page(
    browser: Browser, services: Services
) -> None:
    await stale(browser, services)
    headers = {"referer": "http://testserver/settings/account?x=1"}
    answer = await browser.post("/settings/email", {"email": "n@example.org"}, headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/auth/step-up?next=/settings/account%3Fx%3D1"
    away = {"referer": "https://evil.example//evil.example"}
    answer = await browser.post("/settings/email", {"email": "n@example.org"}, headers=away)
    assert answer.headers["location"] == "/auth/step-up?next=/"


async def test_htmx_is_led_there_too(browser: Browser, services: Services) -> None:
    await stale(browser, services)
    answer = await browser.post(
        "/settings/email", {"email": "n@example.org"}, headers={"hx-request": "true"}
    )
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"].startswith("/auth/step-up?next=")


async def test_opening_the_page_sends_nothing_and_its_button_sends_one_code(
    browser: Browser, services: Services
) -> None:
    await stale(browser, services)
    page = await browser.get("/auth/step-up?next=/settings/sign-in")
    assert "Send me a code" in page.text
    assert await services.db.fetchval(LETTER) is None
    page = await browser.post("/auth/step-up", {"next": "/settings/sign-in"})
    assert page.status_code == 202 and 'name="code"' in page.text
    assert await services.db.fetchval(LETTER) is not None


async def test_the_code_makes_the_sign_in_fresh_and_leads_back(
    browser: Browser, services: Services
) -> None:
    await stale(browser, services)
    await browser.post("/auth/step-up", {"next": "/settings/sign-in"})
    form = {"code": await code_of(services), "next": "/settings/sign-in"}
    assert not await is_fresh(browser)
    answer = await browser.post("/auth/step-up", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/sign-in")
    assert await is_fresh(browser)
    assert (await browser.get("/auth/step-up?next=/news")).headers["location"] == "/news"


async def test_a_wrong_code_counts_and_five_void_the_right_one(
    browser: Browser, services: Services
) -> None:
    await stale(browser, services)
    await browser.post("/auth/step-up", {})
    code = await code_of(services)
    wrong = "000000" if code != "000000" else "000001"
    page = await browser.post("/auth/step-up", {"code": wrong})
    assert page.status_code == 401 and "4 tries left" in page.text
    for _ in range(4):
        refused = await browser.json("POST", "/api/auth/step-up", {"code": wrong})
        assert refused.status_code == 401
    refused = await browser.json("POST", "/api/auth/step-up", {"code": code})
    assert (refused.status_code, refused.json()["code"]) == (401, "code_void")
    assert not await is_fresh(browser)


async def test_the_code_of_a_sign_in_letter_is_no_proof_and_the_other_way_round(
    browser: Browser, services: Services
) -> None:
    await stale(browser, services)
    await browser.post("/auth/step-up", {})
    code = await code_of(services)
    answer = await browser.post("/auth/login", {"email": "ada@example.org", "code": code})
    assert answer.status_code == 401
    answer = await browser.json("POST", "/api/auth/step-up", {"code": code, "next": "/news"})
    assert (answer.status_code, answer.json()["next"]) == (200, "/news")


async def test_the_code_is_worth_nothing_in_another_browser(
    browser: Browser, services: Services
) -> None:
    await stale(browser, services)
    await browser.post("/auth/step-up", {})
    code = await code_of(services)
    browser.carry(browser.client.cookies[session.SESSION])
    assert (await browser.json("POST", "/api/auth/step-up", {"code": code})).status_code == 401


async def test_next_never_leads_away(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    for target in ("https://evil.example", "//evil.example", "/\\evil.example"):
        answer = await browser.get(f"/auth/step-up?next={target}")
        assert answer.headers["location"] == "/"
