"""The welcome: two buttons of one size after a sign-in from a browser where something was set up before."""

import re
from collections.abc import AsyncIterator

import pytest

from app.domain.homepage import links
from app.services import Services
from app.web import session as cookies
from jobs.registry import REGISTRY
from jobs.schedule import SCHEDULES
from tests.people import Browser, member
from tests.platform.oauth_trips import Traveller, travelling
from tests.platform.visitors import TOKEN, audit, carry, in_by_letter, visitor

WELCOME = "/welcome?next=%2Fnews"


@pytest.fixture
async def traveller(services: Services) -> AsyncIterator[Traveller]:
    async with travelling(services) as traveller:
        yield traveller


async def arrived(browser: Browser, services: Services) -> None:
    """A person with one link signs in and stands before the question."""
    guest = await visitor(services)
    await links.add(services, guest, links.NewLink("https://a.example/"))
    carry(browser)
    assert (await in_by_letter(browser, services)).headers["location"] == WELCOME


async def test_a_first_save_and_a_sign_in_lead_to_the_question(
    browser: Browser, services: Services
) -> None:
    await browser.post("/links", {"url": "https://a.example/"})
    assert (await in_by_letter(browser, services)).headers["location"] == WELCOME
    text = (await browser.get(WELCOME)).text
    buttons = re.findall(r'<button class="([^"]+)" type="submit" name="keep"', text)
    assert len(buttons) == 2 and len(set(buttons)) == 1
    assert "Keep what you set up here" in text and "Start fresh" in text and "Links: 1" in text
    # Nothing moves before the answer.
    assert (await browser.json("GET", "/api/links")).json()["total"] == 0
    assert await audit(services) == []


async def test_a_provider_leads_there_too(traveller: Traveller, services: Services) -> None:
    await visitor(services)
    carry(traveller.browser)
    assert (await traveller.go("google")).headers["location"] == WELCOME


async def test_without_a_visitor_s_row_nothing_is_asked(
    browser: Browser, services: Services
) -> None:
    carry(browser, "of-nobody")
    assert (await in_by_letter(browser, services)).headers["location"] == "/news"
    answer = await browser.get(WELCOME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/news")


async def test_a_yes_moves_it_clears_the_cookie_and_shows_what_was_kept(
    browser: Browser, services: Services
) -> None:
    await arrived(browser, services)
    answer = await browser.post("/welcome", {"keep": "true", "next": "/news"})
    assert answer.headers["location"] == WELCOME
    assert cookies.VISITOR not in browser.client.cookies
    text = (await browser.get(WELCOME)).text
    assert "It is in your account now" in text and 'href="/news"' in text
    assert (await browser.json("GET", "/api/links")).json()["total"] == 1
    [row] = await audit(services)
    assert row["ip_address"] == "127.0.0.1/32" and row["user_agent"].startswith("python-httpx")
    again = await browser.post("/welcome", {"keep": "true", "next": "/news"})
    assert (again.status_code, len(await audit(services))) == (303, 1)


async def test_a_no_goes_straight_on_and_is_not_asked_again(
    browser: Browser, services: Services
) -> None:
    await arrived(browser, services)
    answer = await browser.post("/welcome", {"keep": "false", "next": "/news"})
    assert answer.headers["location"] == "/news"
    assert "You start fresh" in (await browser.get("/news")).text
    await browser.post("/auth/logout")
    # Signed out, the browser is the visitor's as before.
    assert (await browser.json("GET", "/api/links")).json()["total"] == 1
    assert (await in_by_letter(browser, services)).headers["location"] == "/news"


async def test_another_member_of_the_same_browser_is_asked_for_themselves(
    browser: Browser, services: Services
) -> None:
    await arrived(browser, services)
    await browser.post("/welcome", {"keep": "false", "next": "/news"})
    await browser.post("/auth/logout")
    assert (await in_by_letter(browser, services, "bob@example.org")).headers["location"] == WELCOME


async def test_the_twin_asks_answers_once_and_refuses_another_answer(
    browser: Browser, services: Services
) -> None:
    await arrived(browser, services)
    asked = (await browser.json("GET", "/api/welcome")).json()
    assert (asked["asks"], asked["there"]) == (True, {"links": 1})
    for _ in range(2):
        answer = await browser.json(
            "POST", "/api/welcome", {"keep": True, "next": "//evil.example"}
        )
        body = answer.json()
        assert body["answer"]["summary"] == {"links": {"moved": 1, "stayed": 0}}
        assert body["next"] == "/"
    refused = await browser.json("POST", "/api/welcome", {"keep": False})
    assert (refused.status_code, refused.json()["code"]) == (409, "answered_already")


async def test_whoever_went_past_the_question_finds_it_again(
    browser: Browser, services: Services
) -> None:
    await arrived(browser, services)
    assert "/welcome?next=/settings/privacy" in (await browser.get("/settings/privacy")).text
    await browser.post("/welcome", {"keep": "false"})
    assert "/welcome?next=" not in (await browser.get("/settings/privacy")).text


async def test_a_stranger_s_question_is_nobody_else_s(browser: Browser, services: Services) -> None:
    assert (await browser.json("GET", "/api/welcome")).status_code == 401
    await visitor(services)
    await browser.sign_in(await member(services))
    assert (await browser.json("GET", "/api/welcome")).json()["asks"] is False
    assert (await browser.json("POST", "/api/welcome", {"keep": True})).status_code == 404


async def test_a_visitor_s_row_and_cookie_are_made_on_request(
    browser: Browser, services: Services
) -> None:
    first = await browser.json("POST", "/api/auth/anonymous")
    header = first.headers["set-cookie"]
    assert (first.status_code, first.json()["kind"]) == (201, "visitor")
    assert "Max-Age=2592000" in header and "HttpOnly" in header and "SameSite=lax" in header
    assert (await browser.json("POST", "/api/auth/anonymous")).status_code == 200
    assert await services.db.fetchval("SELECT count(*) FROM users") == 1
    await browser.sign_in(await member(services))
    assert (await browser.json("POST", "/auth/anonymous")).status_code == 409


async def test_a_visitor_is_renewed_once_a_day(browser: Browser, services: Services) -> None:
    await visitor(services)
    carry(browser)
    assert cookies.VISITOR not in (await browser.get("/news")).cookies
    await services.db.execute("UPDATE users SET last_seen_on = current_date - 29")
    assert (await browser.get("/news")).cookies[cookies.VISITOR] == TOKEN
    assert await services.db.fetchval("SELECT last_seen_on = current_date FROM users")
    assert cookies.VISITOR not in (await browser.get("/news")).cookies


async def test_answers_are_purged_at_four() -> None:
    [line] = [one for one in SCHEDULES if one.line == "purge_merge_audit"]
    assert (line.spec, REGISTRY.of(line.line).attempts) == ("0 4 * * *", 3)
    assert REGISTRY.of(line.line).queue == "DEFAULT"
