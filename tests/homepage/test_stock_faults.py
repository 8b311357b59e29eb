"""Stocks where somebody lies: sources that tell of tomorrow or forget what they knew, and people who ask for nonsense."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.homepage import stock_closes, stock_quotes, stock_symbols, stock_watches, stocks
from app.domain.homepage import versions as reader_versions
from app.domain.platform import integrations
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.outside.prices import Price
from app.services import Services
from tests.homepage.market import TUESDAY, Exchange, switched_on, trading, with_keys
from tests.people import Browser, member

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
async def ada(services: Services) -> Reader:
    return await member(services)


def said(price: int, at: datetime) -> Price:
    """What a source says of a symbol."""
    return Price(
        price=Decimal(price), change=None, change_percent=None, previous_close=None, quoted_at=at
    )


async def run(on: Exchange, after: timedelta = timedelta(0)) -> None:
    """Let time pass, then the job run."""
    on.time.at += after
    await stock_quotes.refresh_due(on.services, on.time.clock)


async def test_a_price_of_tomorrow_does_not_hold_back_those_of_today(
    services: Services, ada: Reader
) -> None:
    async with trading(services, "finnhub") as on:
        await stock_watches.put(on.services, ada, ["LNTN"])
        tomorrow = said(9, TUESDAY + timedelta(hours=23))
        await stock_quotes.keep(on.services, {}, "LNTN", "finnhub", tomorrow, on.time.at)
        await run(on, timedelta(minutes=30))
        [quote] = (await stocks.mine(on.services, ada, on.time.at)).items
    assert quote.price != "9.00" and quote.quoted_at is not None and quote.quoted_at <= on.time.at


async def test_a_source_that_forgets_a_symbol_is_not_believed_at_once(
    services: Services, ada: Reader
) -> None:
    async with trading(services, "finnhub") as on:
        await stock_watches.put(on.services, ada, ["LNTN"])
        await run(on)
        door = on.services.outside["finnhub"]
        ask = door.price

        async def forgets(_symbol: str) -> Any:
            raise NotFound("This source does not know this symbol.")

        door.price = forgets
        await run(on, HOUR)
        [lost] = (await stocks.mine(on.services, ada, on.time.at)).items
        door.price = ask
        await run(on, HOUR)
        [found] = (await stocks.mine(on.services, ada, on.time.at)).items
    assert (lost.price is not None, lost.state) == (True, "failing")
    assert (found.state, found.sentence) == ("fresh", "")


async def test_a_symbol_forgotten_for_a_week_is_not_asked_for_again(
    services: Services, ada: Reader
) -> None:
    async with trading(services, "finnhub") as on:
        await stock_watches.put(on.services, ada, ["LNTN"])
        await run(on)
        door, calls = on.services.outside["finnhub"], []

        async def forgets(symbol: str) -> Any:
            calls.append(symbol)
            raise NotFound("This source does not know this symbol.")

        door.price = forgets
        for _ in range(20):
            await run(on, DAY)
    assert len(calls) <= 9
    assert await services.db.fetchval("SELECT state FROM stock_symbols") == "not_found"


async def test_an_old_price_is_never_shown_as_todays(services: Services, ada: Reader) -> None:
    async with trading(services, "finnhub") as on:
        await stock_watches.put(on.services, ada, ["OLD", "YDAY", "NOW"])
        now = on.time.at
        for symbol, at in (("OLD", now - 9 * DAY), ("YDAY", now - DAY), ("NOW", now - HOUR / 2)):
            await stock_quotes.keep(on.services, {}, symbol, "finnhub", said(5, at), now)
        old, yesterday, fresh = (await stocks.mine(on.services, ada, now)).items
    assert (old.price, old.state) == (None, "failing") and "over a week" in old.sentence
    # The market has opened since: the age is that of the price, not of our asking.
    assert yesterday.as_of == now - DAY and yesterday.state == "stale"
    assert (fresh.as_of, fresh.state) == (now, "fresh")


async def test_nonsense_of_visitors_does_not_take_the_turns_of_others(
    services: Services, ada: Reader
) -> None:
    known, quota = [f"K{number:02d}" for number in range(12)], {"alphavantage_quotas": "8/day"}
    async with trading(services, "alphavantage", at=TUESDAY.replace(hour=0), **quota) as on:
        await stock_watches.put(on.services, ada, known)
        for symbol in known:
            price = said(5, on.time.at)
            await stock_quotes.keep(on.services, {}, symbol, "alphavantage", price, on.time.at)
        on.services.outside["alphavantage"].price = known_only(set(known), on)
        vandal = await member(services, "vandal@example.org")
        oldest = timedelta(0)
        for hour in range(24 * 6):
            await stock_watches.put(on.services, vandal, [f"Z{hour}{letter}" for letter in "ABCDE"])
            await services.db.execute(
                "UPDATE stock_quotes SET created_at = $1 WHERE tried_at IS NULL", on.time.at
            )
            await run(on, HOUR)
            at = await services.db.fetchval(
                "SELECT min(fetched_at) FROM stock_quotes WHERE symbol = ANY($1)", known
            )
            oldest = max(oldest, on.time.at - at)
    assert oldest <= 2 * DAY


def known_only(known: set[str], on: Exchange) -> Any:
    """A source that knows these symbols."""

    async def price(symbol: str) -> Price:
        if symbol not in known:
            raise NotFound("This source does not know this symbol.")
        return said(5, on.time.at)

    return price


async def test_each_word_on_a_price_is_a_new_version(services: Services, ada: Reader) -> None:
    async with trading(services, "finnhub") as on:
        await stock_watches.put(on.services, ada, ["LNTN", "MOSS"])
        await run(on)

        async def version() -> Any:
            return (await reader_versions.of_reader(services, ada, None)).stocks

        seen = [await version()]
        row = await services.db.fetchrow(
            "UPDATE stock_quotes q SET tried_at = $1 FROM stock_symbols s WHERE q.symbol = 'LNTN'"
            " AND s.symbol = 'LNTN' RETURNING q.symbol, q.fetched_at, q.source, NULL::timestamptz AS before, s.unknown_to",
            on.time.at + HOUR,
        )
        seen.append(await version())
        on.time.at += HOUR + timedelta(seconds=1)
        on.sources["finnhub"].twists.append("words")
        plan = await stock_quotes.planned(on.services, on.time.at)
        assert plan is not None and await stock_quotes.ask(on.services, plan, row, on.time.clock)
        seen.append(await version())
        # Another worker that asked earlier writes later.
        earlier = on.time.at - timedelta(minutes=7)
        await stock_quotes.keep(on.services, {}, "MOSS", "finnhub", said(5, earlier), earlier)
        seen.append(await version())
    assert len(set(seen)) == 4


async def test_what_others_typed_is_no_page_of_mine(
    browser: Browser, services: Services, ada: Reader
) -> None:
    switched_on(services)
    await services.db.execute("INSERT INTO stock_symbols (symbol, name) VALUES ('KO', 'Coca-Cola')")
    await stock_watches.put(services, ada, ["SECRETLY", "KO"])
    for path in ("/stocks/SECRETLY", "/api/stocks/SECRETLY"):
        assert (await browser.get(path)).status_code == 404
    assert (await browser.get("/stocks/KO")).status_code == 200
    await browser.sign_in(ada)
    assert (await browser.get("/stocks/SECRETLY")).status_code == 200


async def test_what_was_typed_can_be_added_though_something_else_looks_like_it(
    browser: Browser, services: Services, ada: Reader
) -> None:
    await browser.sign_in(ada)
    browser.client._transport.app.state["services"] = with_keys(switched_on(services), "finnhub")
    await services.db.execute(
        "INSERT INTO stock_symbols (symbol, name) VALUES ('SAP.DEX', 'Sap.de lookalike')"
    )
    asked = await browser.post("/stocks", {"symbol": "sap.de"})
    assert asked.status_code == 422 and 'value="SAP.DEX"' in asked.text
    assert 'name="choice" value="SAP.DE"' in asked.text
    await browser.post("/stocks", {"symbol": "sap.de", "choice": "SAP.DE"})
    assert await stock_watches.symbols(services, ada) == ["SAP.DE"]
    named = await browser.post("/stocks", {"symbol": "sap de lookalike"})
    assert named.text.count('name="choice"') == 1


async def test_a_source_without_a_quota_of_the_day_has_not_less_than_none_left(
    services: Services, ada: Reader
) -> None:
    async with trading(services, "finnhub", "alphavantage", at=datetime.now(UTC)) as on:
        await stock_watches.put(on.services, ada, ["LNTN", "MOSS"])
        await run(on)
        left = {
            one.service: one.quota_left for one in (await integrations.listed(on.services)).items
        }
    assert left["finnhub"] is not None and 0 <= left["finnhub"] <= 60
    assert left["alphavantage"] is None or 0 <= left["alphavantage"] <= 25


async def test_the_list_of_symbols_counts_and_a_source_that_refuses_it_rests(
    services: Services,
) -> None:
    async with trading(services, "finnhub", finnhub_quotas="1/minute") as on:
        assert await stock_symbols.refresh_list(on.services, on.time.at) > 0
        assert await stock_symbols.refresh_list(on.services, on.time.at) == 0
        assert len(on.sources["finnhub"].calls) == 1


async def test_symbols_that_nobody_lists_or_watches_are_forgotten(
    services: Services, ada: Reader
) -> None:
    await services.db.execute("INSERT INTO stock_symbols (symbol, name) VALUES ('KO', 'Coca-Cola')")
    await stock_watches.put(services, ada, ["MINE", "NONSENSE", "KO"])
    await stock_watches.put(services, ada, ["MINE"])
    await stock_closes.purge(services, datetime.now(UTC) + 29 * DAY)
    assert await services.db.fetchval("SELECT count(*) FROM stock_symbols") == 3
    await stock_closes.purge(services, datetime.now(UTC) + 61 * DAY)
    rows = await services.db.fetch("SELECT symbol FROM stock_symbols ORDER BY symbol")
    assert [row["symbol"] for row in rows] == ["KO", "MINE"]


@pytest.mark.parametrize(("quotas", "calls"), [("5/minute", 5), ("1/minute", 1)])
async def test_a_slow_source_is_waited_for_and_no_longer_than_a_run(
    services: Services, ada: Reader, quotas: str, calls: int
) -> None:
    async with trading(services, "finnhub", finnhub_quotas=quotas) as on:
        await stock_watches.put(on.services, ada, ["LNTN", "MOSS", "HRBR", "TIDE", "OAKS", "PLOV"])
        await run(on)
        assert len(on.sources["finnhub"].calls) == calls
        assert on.time.at - TUESDAY <= timedelta(seconds=50)
