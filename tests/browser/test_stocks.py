"""Stocks and the front page in Chromium: nothing sticks out on the narrowest phone, and axe finds nothing serious."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app.domain.homepage import stock_quotes, stock_watches
from app.domain.platform.flags import shipped
from app.domain.platform.readers import Reader
from app.outside.prices import Price
from app.services import Services

Open = Callable[..., Page]
FLAG = "UPDATE feature_flags SET enabled = $1, rollout_percentage = 100 WHERE key = 'stocks_widget'"
NAMED = "UPDATE stock_symbols SET name = $1, currency = 'USD' WHERE symbol = '^GSPC'"
CLOSES = """
INSERT INTO stock_closes (symbol, day, close)
SELECT '^GSPC', current_date - n, 6000 + n * n FROM generate_series(1, 25) AS n ON CONFLICT DO NOTHING
"""
OUT = """() => [...document.querySelectorAll('body *')]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 && !one.closest('.sr, .scroll-x, dialog, [popover], svg'))
  .map((one) => one.outerHTML.slice(0, 120))"""


async def furnished(services: Services) -> None:
    """A member's watchlist: one with all there is, one that waits, and one that there is not."""
    await shipped.seed(services)
    await services.db.execute(FLAG, True)
    row = await services.db.fetchrow("SELECT id FROM users WHERE email = 'trader@example.org'")
    trader = Reader(id=row["id"], kind="member", email="trader@example.org")
    await stock_watches.put(services, trader, ["^GSPC", "BRK-B", "EURUSD=X"])
    await services.db.execute(
        NAMED, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunternehmen AG"
    )
    await services.db.execute(CLOSES)
    now = datetime.now(UTC)
    price = Price(
        price=Decimal("999999.123456"), change=Decimal(-3), change_percent=Decimal("-0.04"),
        previous_close=None, quoted_at=now - timedelta(minutes=1),
    )  # fmt: skip
    await stock_quotes.keep(services, {}, "^GSPC", "finnhub", price, now)


async def tidied(services: Services) -> None:
    """As it was."""
    await services.db.execute(FLAG, False)


@pytest.fixture
def trader(site: Any, opened: Open) -> Iterator[Page]:
    page = opened()
    site.sign_in(page, "trader@example.org")
    site.behind(furnished)
    for _ in range(100):
        answer = page.goto(f"{site.url}/stocks")
        if answer is not None and answer.status == 200:
            break
        page.wait_for_timeout(100)
    yield page
    site.behind(tidied)


@pytest.mark.parametrize("path", ["/", "/stocks", "/stocks/%5EGSPC", "/?edit=1"])
def test_a_watchlist_fits_and_axe_has_nothing_serious(site: Any, trader: Page, path: str) -> None:
    for width, scheme in ((320, "light"), (1280, "dark")):
        trader.set_viewport_size({"width": width, "height": 800})
        trader.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        trader.goto(site.url + path)
        if path != "/?edit=1":
            expect(trader.get_by_text("999,999.123456").first).to_be_visible()
        assert trader.evaluate("document.documentElement.scrollWidth") <= width
        assert trader.evaluate(OUT) == []
        found = Axe().run(trader).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


def test_the_front_page_fits_the_narrowest_phone_for_a_visitor(site: Any, opened: Open) -> None:
    page = opened()
    for width in (320, 360):
        page.set_viewport_size({"width": width, "height": 700})
        page.goto(site.url)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUT) == []
        wide, shown = page.locator(".site-name").evaluate(
            "(one) => [one.scrollWidth, one.clientWidth]"
        )
        assert wide <= shown
