"""Prices are settings that are checked, and a change holds for the very next call."""

from decimal import Decimal
from typing import Any

import pytest

from app import config
from app.config import Misconfigured
from app.domain.platform.ai import prices
from app.domain.platform.ai.prices import Tokens
from app.services import Services
from tests.people import Browser, member
from tests.platform.ai.conftest import ask
from tests.world.claude import Claude

HAIKU = prices.of_settings(config.Settings())["claude-haiku-4-5"]


def test_shipped_prices_are_those_of_the_design() -> None:
    found = prices.of_settings(config.Settings())
    assert [(one.model, one.into, one.out) for one in found.values()] == [
        ("claude-haiku-4-5", 1, 5),
        ("claude-sonnet-5", 2, 10),
    ]


def test_the_worst_cost_takes_each_byte_for_a_token_of_the_dearest_sort() -> None:
    assert HAIKU.worst(1000, 200) == (1000 + 2000) * Decimal("1.25") + 200 * 5
    assert HAIKU.worst(1000, 200, in_batch=True) == HAIKU.worst(1000, 200) / 2


def test_a_cost_is_never_rounded() -> None:
    assert HAIKU.cost(Tokens(3, 1, 2, 7)) == Decimal("3") + 5 + Decimal("2.5") + Decimal("0.7")
    assert HAIKU.cost(Tokens(1, 0), in_batch=True) == Decimal("0.5")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("claude", "claude needs in/out/cache_write/cache_read/batch_percent after its =."),
        ("m=1/2/3", "m needs in/out/cache_write/cache_read/batch_percent after its =."),
        ("m=1/two/1/1/50", "m: 1/two/1/1/50 are not numbers."),
        ("m=1/-2/1/1/50", "m: a price lies between 0 and 10000."),
        ("m=NaN/2/1/1/50", "m: a price lies between 0 and 10000."),
        ("m=0/2/1/1/50", "m: in, out and batch_percent are more than 0, the last at most 100."),
        ("m=1/2/1/1/101", "m: in, out and batch_percent are more than 0, the last at most 100."),
        ("m=1/2/1/1/50;m=1/2/1/1/50", "m stands there twice."),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("?", "\\?")):
        prices.read(text)
    with pytest.raises(Misconfigured, match="AI_PRICES"):
        prices.of_settings(config.Settings(ai_prices=text))


def test_written_prices_read_as_they_were() -> None:
    found = prices.of_settings(config.Settings())
    assert prices.read(prices.written(found)) == found


@pytest.fixture
async def admin(browser: Browser, services: Services) -> Browser:
    """A browser of an admin who may decide about money for models."""
    await browser.sign_in(await member(services, "ops@example.org", role="ops"))
    return browser


async def test_a_new_price_holds_for_the_next_call_and_is_audited(
    admin: Browser, asking: Services, claude: Claude
) -> None:
    form: dict[str, Any] = {
        "_method": "PUT",
        "prices": "claude-haiku-4-5=3/5/3/3/50",
        "reason": "The list changed",
    }
    assert (await admin.post("/admin/ai-usage/prices", form)).status_code == 303
    answer = await ask(asking)
    line = claude.ledger[0]
    assert answer.cost_micros == line["input_tokens"] * 3 + line["output_tokens"] * 5
    row = await asking.db.fetchrow("SELECT action, reason FROM audit_log ORDER BY id DESC LIMIT 1")
    assert tuple(row) == ("ai_prices.changed", "The list changed")
    page = (await admin.get("/admin/ai-usage/prices")).text
    assert "$3.00" in page and "claude-sonnet-5 has no price, so it is not asked." in page


async def test_prices_that_cannot_be_come_back_with_what_was_typed(admin: Browser) -> None:
    form = {"_method": "PUT", "prices": "mine=1/2", "reason": "x"}
    page = await admin.post("/admin/ai-usage/prices", form)
    assert page.status_code == 422 and "mine=1/2" in page.text
    assert "mine needs in/out/" in page.text
    empty = await admin.json("PUT", "/admin/api/ai-usage/prices", {"prices": " ; ", "reason": "x"})
    assert empty.json()["errors"] == {"prices": "Name one model at least."}


async def test_the_twin_lists_prices_by_their_names_in_the_setting(admin: Browser) -> None:
    found = (await admin.json("GET", "/admin/api/ai-usage/prices")).json()
    assert found["items"][0] == {
        "model": "claude-haiku-4-5", "in": "1.00", "out": "5.00", "cache_write": "1.25",
        "cache_read": "0.10", "batch_percent": "50",
    }  # fmt: skip
