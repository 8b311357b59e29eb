"""Leaving a sort of letter: one click without a session, for 30 days, and nothing by only looking."""

import dataclasses
import time
from typing import Any

import pytest

from app.domain.platform import mail, unsubscriptions
from app.errors import Gone, NotFound
from app.services import Services
from tests.people import Browser, member
from tests.platform.test_mail import PostOffice

PATH = "/notifications/unsubscribe"
DAY = 86_400
LEFT = (
    "SELECT type FROM notification_choices WHERE user_id = $1 AND channel = 'mail' AND NOT wanted"
)


async def sent(services: Services, kind: str) -> Any:
    """A letter of that kind as it was handed over, and whom it went to."""
    who, office = await member(services), PostOffice()
    async with services.tx() as tx:
        email_id = await mail.send(
            tx, "ops_alert", who.email or "", kind=kind, user_id=who.id,
            headline="h", sentence="s", link="l",
        )  # fmt: skip
    assert email_id
    await mail.deliver(dataclasses.replace(services, outside={"smtp": office}), email_id)
    return who, office.letters[0]


@pytest.mark.parametrize("kind", ["notice", "digest", "ops"])
async def test_all_but_transactional_letters_carry_the_way_out(
    services: Services, kind: str
) -> None:
    _, letter = await sent(services, kind)
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"<{services.settings.public_url}{PATH}?token=" in letter["List-Unsubscribe"]
    assert "<mailto:unsubscribe+" in letter["List-Unsubscribe"]


async def test_a_transactional_letter_carries_none(services: Services) -> None:
    _, letter = await sent(services, "transactional")
    assert letter["List-Unsubscribe"] is None


async def test_one_click_as_a_mail_provider_sends_it_ends_the_letters(
    browser: Browser, services: Services
) -> None:
    who, letter = await sent(services, "notice")
    link = letter["List-Unsubscribe"].split(">")[0].removeprefix(f"<{services.settings.public_url}")
    answer = await browser.client.post(link, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert await services.db.fetchval(LEFT, who.id) == "ops_alert"


async def test_it_works_beside_a_foreign_session_and_from_another_site(
    browser: Browser, services: Services
) -> None:
    who, other = await member(services), await member(services, "bob@example.org")
    await browser.sign_in(other)
    token = unsubscriptions.token(services.settings, who.id, "digest")
    headers = {"sec-fetch-site": "cross-site"}
    answer = await browser.post(f"{PATH}?token={token}", headers=headers)
    assert answer.status_code == 200
    assert await services.db.fetchval(LEFT, who.id) == "digest"
    assert await services.db.fetchval(LEFT, other.id) is None


async def test_looking_changes_nothing(browser: Browser, services: Services) -> None:
    who = await member(services)
    token = unsubscriptions.token(services.settings, who.id, "digest")
    answer = await browser.get(f"{PATH}?token={token}")
    assert "Daily digest" in answer.text
    assert await services.db.fetchval(LEFT, who.id) is None
    twin = await browser.json("POST", f"/api{PATH}?token={token}")
    assert twin.json() == {"type": "digest", "label": "Daily digest", "done": True}


@pytest.mark.parametrize(
    ("age", "works"), [(-301, False), (-299, True), (30 * DAY + 299, True), (30 * DAY + 301, False)]
)
def test_a_token_is_good_for_30_days_and_5_minutes_of_skew(
    services: Services, age: int, works: bool
) -> None:
    now = time.time()
    token = unsubscriptions.token(services.settings, 7, "digest", now)
    if works:
        assert unsubscriptions.wish(services.settings, token, int(now) + age) == (7, "digest")
    else:
        with pytest.raises(Gone):
            unsubscriptions.wish(services.settings, token, int(now) + age)


def test_no_part_of_a_token_can_be_changed(services: Services) -> None:
    token = unsubscriptions.token(services.settings, 7, "digest")
    for forged in (
        token.replace("7.", "8.", 1),
        token.replace("digest", "ops_alert"),
        token[:-1],
        "",
    ):
        with pytest.raises(NotFound):
            unsubscriptions.wish(services.settings, forged)


async def test_a_forged_link_is_not_found(browser: Browser) -> None:
    for method in ("GET", "POST"):
        assert (await browser.ask(method, f"{PATH}?token=7.digest.1.ab")).status_code == 404
