"""Links out: signed by us, led by our tables, marking news read."""

import base64
import dataclasses

import pytest

from app.domain.profiles import clicks
from app.errors import NotFound
from app.services import Services
from tests.homepage.newsroom import feed, item
from tests.people import Browser, member


async def test_a_signed_link_leads_to_the_items_address_and_marks_it_read(
    browser: Browser, services: Services
) -> None:
    item_id = await item(services, await feed(services, "courier"), "Goats")
    who = await member(services)
    await browser.sign_in(who)
    token = clicks.token(services.settings, "item", item_id, "news_feed", 3)
    answer = await browser.get(
        f"/track/click?t={token}&url=https://evil.example/&to=//evil.example"
    )
    assert (answer.status_code, answer.headers["location"]) == (307, "https://paper.example/Goats")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert await services.db.fetchval("SELECT read_at FROM item_states WHERE user_id = $1", who.id)


async def test_a_visitor_without_a_row_is_led_and_nothing_is_kept(
    browser: Browser, services: Services
) -> None:
    item_id = await item(services, await feed(services, "courier"), "Goats")
    token = clicks.token(services.settings, "item", item_id, "page")
    assert (await browser.get(f"/track/click?t={token}")).status_code == 307
    assert await services.db.fetchval("SELECT count(*) FROM users") == 0


async def test_what_we_did_not_sign_is_refused(browser: Browser, services: Services) -> None:
    good = clicks.token(services.settings, "item", 1, "page")
    raw = bytearray(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    raw[8] ^= 1
    changed = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert (await browser.get("/track/click?t=%00")).status_code == 422
    for token in ("", "x", good[:-2], changed, good + "AAAA", "é"):
        answer = await browser.get(f"/track/click?t={token}")
        assert answer.status_code == 404
        assert "not one of ours" in answer.text


async def test_items_that_are_hidden_or_without_address(
    browser: Browser, services: Services
) -> None:
    hidden = await item(services, await feed(services, "secret", visibility="member"), "Hush")
    bare = await item(services, await feed(services, "courier"), "Bare", url=None)
    for item_id, status in ((hidden, 404), (bare, 410), (999_999, 404)):
        token = clicks.token(services.settings, "item", item_id, "page")
        assert (await browser.get(f"/track/click?t={token}")).status_code == status


def test_tokens_are_short_equal_for_all_readers_and_outlive_a_change_of_keys(
    services: Services,
) -> None:
    old = clicks.token(services.settings, "item", 2**40, "news_feed", 70_000)
    assert len(old) <= 96
    assert old == clicks.token(services.settings, "item", 2**40, "news_feed", 70_000)
    later = dataclasses.replace(
        services.settings, click_keys="k2:" + "ab" * 32 + "," + services.settings.click_keys
    )
    assert clicks.read_token(later, old).target_id == 2**40
    gone = dataclasses.replace(services.settings, click_keys="k2:" + "ab" * 32)
    with pytest.raises(NotFound):
        clicks.read_token(gone, old)
