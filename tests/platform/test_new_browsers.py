"""A letter about a new browser: "It was not me" takes away all that a stranger could have kept."""

import re

from app.domain.platform import api_tokens
from app.services import Services
from tests.people import Browser, member
from tests.platform.test_account import OLDER, TEXT, in_by_letter

LATER = """
UPDATE sign_in_requests SET created_at = now() - interval '1 hour' WHERE purpose = 'not_me'
"""
LINK = """
INSERT INTO identities (user_id, provider, subject, created_at)
SELECT id, $1, $1, now() - $2::int * interval '1 day' FROM users
"""


async def told_of_a_stranger(browser: Browser, services: Services) -> str:
    """A member of longer standing is told of a browser; the token of the letter."""
    await member(services)
    await services.db.execute(OLDER)
    await in_by_letter(browser, services)
    await services.db.execute(LATER)
    letter = await services.db.fetchval(TEXT, "new_sign_in")
    found = re.search(r"not-me\?token=(\S+)", letter)
    assert found is not None
    return found[1]


async def test_it_was_not_me_ends_the_keys_of_scripts_too(
    browser: Browser, services: Services
) -> None:
    token = await told_of_a_stranger(browser, services)
    body = {"name": "Backdoor", "scopes": ["read"]}
    made = await browser.json("POST", "/api/settings/tokens", body)
    key = made.json()["token"]
    assert await api_tokens.reader_of(services, key, "203.0.113.7") is not None
    page = (await browser.get(f"/auth/not-me?token={token}")).text
    assert "keys of scripts" in page
    answer = await browser.post("/auth/not-me", {"token": token}, follow_redirects=True)
    assert "keys of scripts" in answer.text
    assert await api_tokens.reader_of(services, key, "203.0.113.7") is None


async def test_a_new_sign_in_rings_the_bell(browser: Browser, services: Services) -> None:
    await told_of_a_stranger(browser, services)
    found = (await browser.json("GET", "/api/notifications")).json()
    assert [one["title"] for one in found["items"]] == ["New sign-in"]
    assert found["items"][0]["url"] == "/settings/sessions"


async def test_it_was_not_me_takes_away_the_ways_in_that_came_since(
    browser: Browser, services: Services
) -> None:
    token = await told_of_a_stranger(browser, services)
    await services.db.execute(LINK, "google", 3)
    await services.db.execute(LINK, "facebook", 0)
    await browser.post("/auth/not-me", {"token": token})
    kept = await services.db.fetch("SELECT provider FROM identities")
    assert [row["provider"] for row in kept] == ["google"]
