"""Signing in by letter: link, code, and what is refused."""

import re
import statistics
import time

from app.services import Services
from tests.people import Browser, member, without_limits

LETTER = "SELECT text_body FROM emails ORDER BY id DESC LIMIT 1"


async def letter(services: Services) -> tuple[str, str]:
    """The link's token and the code of the last letter."""
    text = await services.db.fetchval(LETTER)
    return re.search(r"token=([\w-]+)", text)[1], re.search(r"\b(\d{6})\b", text)[1]  # type: ignore[index]


async def asked(browser: Browser, email: str = "ada@example.org") -> None:
    answer = await browser.post("/auth/login", {"email": email, "next": "/news"})
    assert answer.status_code == 202


async def test_the_code_signs_in_the_browser_that_asked(
    browser: Browser, services: Services
) -> None:
    await asked(browser)
    _, code = await letter(services)
    answer = await browser.post("/auth/login", {"email": "ADA@example.org", "code": code})
    assert (answer.status_code, answer.headers["location"]) == (303, "/news")
    assert "Sign out" in (await browser.get("/")).text


async def test_the_code_is_worth_nothing_in_another_browser(
    browser: Browser, services: Services
) -> None:
    await asked(browser)
    _, code = await letter(services)
    browser.sign_out()
    answer = await browser.post("/auth/login", {"email": "ada@example.org", "code": code})
    assert answer.status_code == 401


async def test_five_wrong_codes_void_the_right_one(browser: Browser, services: Services) -> None:
    await asked(browser)
    _, code = await letter(services)
    wrong = "000000" if code != "000000" else "000001"
    for left in ("4 tries left", "3 tries left", "2 tries left", "1 try left", "No tries left"):
        answer = await browser.post("/auth/login", {"email": "ada@example.org", "code": wrong})
        assert left in answer.text
    answer = await browser.post("/auth/login", {"email": "ada@example.org", "code": code})
    assert answer.status_code == 401


async def test_opening_the_link_changes_nothing_and_its_button_works_once(
    browser: Browser, services: Services
) -> None:
    await asked(browser)
    token, _ = await letter(services)
    browser.sign_out()
    for _ in range(2):
        assert "Press the button" in (await browser.get(f"/auth/link?token={token}")).text
    assert (await browser.post("/auth/link", {"token": token})).status_code == 303
    assert (await browser.post("/auth/link", {"token": token})).status_code == 401


async def test_a_new_letter_voids_the_old(browser: Browser, services: Services) -> None:
    await asked(browser)
    old, _ = await letter(services)
    await asked(browser)
    assert (await browser.post("/auth/link", {"token": old})).status_code == 401


async def test_known_and_unknown_addresses_get_the_same_answer(
    browser: Browser, services: Services
) -> None:
    await member(services, "known@example.org")
    answers = [
        await browser.json("POST", "/api/auth/login", {"email": email})
        for email in ("known@example.org", "other@example.org")
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].text.replace("known", "other") == answers[1].text


async def test_throw_away_addresses_and_nonsense_are_refused_with_the_input_kept(
    browser: Browser,
) -> None:
    for email in ("someone@mailinator.com", "not-an-address", "a@b", "x y@example.org"):
        answer = await browser.post("/auth/login", {"email": email})
        assert answer.status_code == 422
        assert f'value="{email}"' in answer.text


async def test_next_never_leads_away(browser: Browser, services: Services) -> None:
    for target in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        await browser.post("/auth/login", {"email": "ada@example.org", "next": target})
        _, code = await letter(services)
        answer = await browser.post("/auth/login", {"email": "ada@example.org", "code": code})
        assert answer.headers["location"] == "/"
        browser.sign_out()


async def test_signing_out_ends_the_session(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    cookie = dict(browser.client.cookies)
    await browser.post("/auth/logout")
    browser.client.cookies.update(cookie)
    assert (await browser.json("GET", "/api/settings/sessions")).status_code == 401


async def test_known_and_unknown_addresses_take_as_long(
    browser: Browser, services: Services
) -> None:
    await without_limits(services)
    await member(services, "known@example.org")
    took: dict[str, list[float]] = {"known@example.org": [], "other@example.org": []}
    for _ in range(40):
        for email, times in took.items():
            started = time.perf_counter()
            answer = await browser.json("POST", "/api/auth/login", {"email": email})
            times.append(time.perf_counter() - started)
            assert answer.status_code == 202
    known, other = (statistics.median(times) for times in took.values())
    assert abs(known - other) < min(known, other)
