"""Pages of stocks and their twins: the watchlist by plain forms, one symbol with its chart, the card."""

from datetime import UTC, datetime

import pytest

from app.domain.homepage import stock_quotes, stock_watches, stocks
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage.market import switched_on, trading, with_keys
from tests.people import Browser, member


@pytest.fixture
async def ada(services: Services) -> Reader:
    return await member(services)


async def test_a_watchlist_works_by_plain_forms(browser: Browser, services: Services) -> None:
    ready = with_keys(switched_on(services), "finnhub")
    browser.client._transport.app.state["services"] = ready
    answer = await browser.post("/stocks", {"symbol": "brk-b"})
    assert answer.status_code == 303 and answer.headers["location"] == "/stocks"
    await browser.post("/stocks", {"symbol": "^GSPC"})
    await browser.post("/stocks/%5EGSPC/watch", {"_method": "PUT", "move": "up"})
    page = (await browser.get("/stocks")).text
    assert page.index("/stocks/%5EGSPC/watch") < page.index("/stocks/BRK-B/watch")
    refused = await browser.post("/stocks", {"symbol": "no symbol"})
    assert refused.status_code == 422 and 'value="no symbol"' in refused.text
    await browser.post("/stocks/%5EGSPC/watch", {"_method": "DELETE"})
    assert "GSPC/watch" not in (await browser.get("/stocks")).text


async def test_the_twins_speak_of_the_same_watchlist(
    browser: Browser, services: Services, ada: Reader
) -> None:
    await browser.sign_in(ada)
    browser.client._transport.app.state["services"] = with_keys(switched_on(services), "finnhub")
    put = await browser.json(
        "PUT", "/api/widgets/stocks/watchlist", {"symbols": ["msft", "IBM", "MSFT"]}
    )
    assert put.status_code == 200 and [one["symbol"] for one in put.json()["items"]] == [
        "MSFT",
        "IBM",
    ]
    assert (await browser.json("PUT", "/api/stocks/KO/watch", {})).json()["total"] == 3
    assert (await browser.json("DELETE", "/api/stocks/IBM/watch")).json()["total"] == 2
    assert (await browser.json("DELETE", "/api/stocks/IBM/watch")).status_code == 404
    shown = (await browser.json("GET", "/api/widgets/stocks")).json()
    assert shown["state"] == "waiting" and shown["market"]["state"] in stocks.market_hours.WORDS
    assert (await browser.json("GET", "/api/stocks")).json()["total"] == 2
    too_many = await browser.json(
        "PUT", "/api/widgets/stocks/watchlist", {"symbols": [f"A{n}" for n in range(21)]}
    )
    assert too_many.status_code == 422 and "symbols" in too_many.json()["errors"]


async def test_one_symbol_has_a_page_with_a_chart_and_a_table(
    browser: Browser, services: Services, ada: Reader
) -> None:
    await services.db.execute(
        "INSERT INTO stock_symbols (symbol, name) VALUES ('^GSPC', '<b>Index</b>')"
    )
    await services.db.execute(
        "INSERT INTO stock_closes SELECT '^GSPC', current_date - n, 100 + n FROM generate_series(0, 40) n"
    )
    switched_on(services)
    page = (await browser.get("/stocks/%5EGSPC")).text
    assert "&lt;b&gt;Index" in page and "<b>Index" not in page
    assert 'class="chart-line"' in page and page.count("<tr>") == 32
    found = (await browser.json("GET", "/api/stocks/%5Egspc")).json()
    assert len(found["closes"]) == 31 and found["closes"][-1]["close"] == "100.00"
    for unknown in ("ZZZZ", "a%20b", "%00", "%2F", "X" * 40):
        assert (await browser.get(f"/stocks/{unknown}")).status_code == 404
    assert (await browser.get("/stocks/suggestions?q=%5EG")).text.count("^GSPC") == 2


async def test_a_card_has_name_sparkline_change_and_price(
    browser: Browser, services: Services, ada: Reader
) -> None:
    async with trading(services, "finnhub", at=datetime.now(UTC)) as on:
        await services.db.execute(
            "INSERT INTO stock_symbols (symbol, name) VALUES ('LNTN', 'Lantern <i>')"
        )
        await services.db.execute(
            "INSERT INTO stock_closes SELECT 'LNTN', current_date - n - 1, 100 + n FROM generate_series(0, 4) n"
        )
        await stock_watches.put(on.services, ada, ["LNTN"])
        await stock_quotes.refresh_due(on.services, on.time.clock)
        [quote] = (await stocks.mine(on.services, ada)).items
        browser.client._transport.app.state["services"] = on.services
        await browser.sign_in(ada)
        card = (await browser.fragment("/widgets/stocks?at=home.stocks")).text
    assert f">{quote.price}<" in card and "sparkline" in card and "Lantern &lt;i&gt;" in card
    assert 'href="/stocks/LNTN"' in card and "as of" in card


async def test_the_metrics_go_by_the_names_of_the_documents(
    browser: Browser, services: Services, ada: Reader
) -> None:
    async with trading(services, "finnhub") as on:
        await stock_watches.put(on.services, ada, ["LNTN", "NEW"])
        await stock_quotes.refresh_due(on.services, on.time.clock)
        await stocks.mine(on.services, ada, on.time.at)
    text = (await browser.get("/metrics")).text
    for name in ("stock_rate_limit_exceeded", "stock_cache_hits", "stock_cache_misses"):
        assert f"\n{name} " in text
    assert "LNTN" not in text


async def test_a_company_s_name_asks_which_symbol_is_meant(
    browser: Browser, services: Services
) -> None:
    browser.client._transport.app.state["services"] = with_keys(switched_on(services), "finnhub")
    await services.db.execute(
        "INSERT INTO stock_symbols (symbol, name) VALUES ('LNTN', 'Lantern Works')"
    )
    asked = await browser.post("/stocks", {"symbol": "lantern"})
    assert asked.status_code == 422 and 'value="lantern"' in asked.text
    assert 'name="choice" value="LNTN"' in asked.text
    added = await browser.post("/stocks", {"symbol": "lantern", "choice": "LNTN"})
    assert added.status_code == 303 and added.cookies["vu_said"] == "symbol_added"
    assert (await browser.json("GET", "/api/stocks")).json()["items"][0]["symbol"] == "LNTN"
    # Scripts mean what they say, and so does whoever writes a listed symbol in small letters.
    assert (await browser.json("POST", "/api/stocks", {"symbol": "lantern"})).status_code == 201
    assert (await browser.post("/stocks", {"symbol": "lntn"})).status_code == 303
