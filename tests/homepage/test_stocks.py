"""Stocks: the watchlist, last good values with their age, hostile sources, the flag, pages and twins, jobs."""

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.homepage import (
    caches,
    stock_closes,
    stock_quotes,
    stock_symbols,
    stock_watches,
    stocks,
)
from app.domain.platform import merges, readers
from app.domain.platform.flags import memory
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid
from app.services import Services
from tests.homepage.market import TUESDAY, Exchange, switched_on, trading
from tests.people import member

DAY = timedelta(days=1)


@pytest.fixture
async def ada(services: Services) -> Reader:
    return await member(services)


async def priced(on: Exchange, who: Reader, *symbols: str) -> stocks.StocksWidget:
    """The watchlist of these, asked for once."""
    await stock_watches.put(on.services, who, symbols)
    await stock_quotes.refresh_due(on.services, on.time.clock)
    return await stocks.mine(on.services, who, on.time.at)


async def test_a_price_is_a_decimal_text_with_its_change(services: Services, ada: Reader) -> None:
    async with trading(services, "finnhub") as on:
        [quote] = (await priced(on, ada, "lntn")).items
    assert quote.symbol == "LNTN" and quote.state == "fresh" and quote.price is not None
    assert Decimal(quote.price) > 100 and len(quote.price.partition(".")[2]) >= 2
    assert quote.trend == ("up" if Decimal(quote.change or 0) > 0 else "down")
    assert quote.as_of is not None and quote.source == "finnhub"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("msft", "MSFT"),
        (" ^gspc ", "^GSPC"),
        ("brk-b", "BRK-B"),
        ("eurusd=x", "EURUSD=X"),
        ("7203.T", "7203.T"),
    ],
)
async def test_symbols_are_kept_in_capitals(
    services: Services, ada: Reader, typed: str, kept: str
) -> None:
    await stock_watches.add(services, ada, typed)
    assert await stock_watches.symbols(services, ada) == [kept]


@pytest.mark.parametrize(
    "typed", ["", "   ", "A B", "-A", "TOOLONGSYMBOL1", "é", "A'--", "<B>", "A/B", "A\u0000"]
)
async def test_what_is_no_symbol_is_refused(services: Services, ada: Reader, typed: str) -> None:
    with pytest.raises(Invalid):
        await stock_watches.add(services, ada, typed)


async def test_a_watchlist_has_twenty_at_most_and_keeps_its_order(
    services: Services, ada: Reader
) -> None:
    wanted = [f"S{number}" for number in range(20)]
    await stock_watches.put(services, ada, [*wanted, "s3"])
    await stock_watches.add(services, ada, "S7")
    with pytest.raises(Conflict):
        await stock_watches.add(services, ada, "S20")
    with pytest.raises(Invalid):
        await stock_watches.put(services, ada, [*wanted, "S20"])
    await stock_watches.move(services, ada, "S1", "up")
    await stock_watches.remove(services, ada, "S2")
    assert (await stock_watches.symbols(services, ada))[:3] == ["S1", "S0", "S3"]


async def test_without_a_key_it_says_so_and_nobody_is_asked(
    services: Services, ada: Reader
) -> None:
    view = await stocks.mine(switched_on(services), ada)
    assert (view.state, view.sentence) == ("off", "Stocks are not set up on this site.")
    assert await stock_quotes.refresh_due(services) == 0


async def test_while_the_flag_is_off_nobody_is_asked(services: Services, ada: Reader) -> None:
    async with trading(services, "finnhub") as on:
        memory.of(on.services).rules.pop("stocks_widget")
        await priced(on, ada, "LNTN")
        assert on.sources["finnhub"].calls == []


async def test_a_symbol_that_no_source_knows_is_not_asked_for_again(
    services: Services, ada: Reader
) -> None:
    async with trading(services, "alphavantage", "finnhub") as on:
        [quote] = (await priced(on, ada, "NOPE")).items
        assert quote.sentence == "None of our sources knows this symbol."
        for _ in range(3):
            on.time.at += DAY
            await stock_quotes.refresh_due(on.services, on.time.clock)
        assert [len(source.calls) for source in on.sources.values()] == [1, 1]


@pytest.mark.parametrize(
    "twist", ["nan", "infinite", "huge", "power", "negative", "zero", "words", "markup"]
)
@pytest.mark.parametrize("source", ["alphavantage", "finnhub"])
async def test_a_hostile_price_is_refused_and_the_last_one_stays(
    services: Services, ada: Reader, source: str, twist: str
) -> None:
    async with trading(services, source) as on:
        good = (await priced(on, ada, "LNTN")).items[0]
        on.time.at += timedelta(hours=1)
        on.sources[source].twists.append(twist)
        await stock_quotes.refresh_due(on.services, on.time.clock)
        [quote] = (await stocks.mine(on.services, ada, on.time.at)).items
    assert (quote.price, quote.state) == (good.price, "failing")
    assert quote.sentence == "The source of prices sent something we cannot read."


async def test_a_failed_source_falls_to_the_next(services: Services, ada: Reader) -> None:
    async with trading(services, "alphavantage", "finnhub") as on:
        on.sources["alphavantage"].key = "another"
        [quote] = (await priced(on, ada, "LNTN")).items
    assert (quote.source, quote.state) == ("finnhub", "fresh")


async def test_the_last_price_shows_for_seven_days(services: Services, ada: Reader) -> None:
    async with trading(services, "finnhub") as on:
        await priced(on, ada, "LNTN")
        for age, shown, state in (
            (1, True, "fresh"),
            (3, True, "stale"),
            (8 * 24, False, "failing"),
        ):
            later = on.time.at + timedelta(hours=age)
            await services.db.execute(
                "UPDATE stock_quotes SET fetched_at = $1, error_code = NULL", on.time.at
            )
            if age == 1:
                await services.db.execute(
                    "UPDATE stock_quotes SET fetched_at = $1", later - timedelta(minutes=4)
                )
            [quote] = (await stocks.mine(on.services, ada, later)).items
            assert (quote.price is not None, quote.state) == (shown, state)


async def test_an_older_price_of_another_source_does_not_replace_a_newer(
    services: Services, ada: Reader
) -> None:
    async with trading(services, "finnhub") as on:
        newer = (await priced(on, ada, "LNTN")).items[0]
        old = dataclasses.make_dataclass(
            "Old", ["price", "change", "change_percent", "previous_close", "day", "quoted_at"]
        )(Decimal(1), None, None, None, None, on.time.at - DAY)
        await stock_quotes.keep(on.services, {}, "LNTN", "other", old, on.time.at)
        [quote] = (await stocks.mine(on.services, ada, on.time.at)).items
    assert (quote.price, quote.source) == (newer.price, "finnhub")


async def test_closes_make_the_sparkline_and_the_chart(services: Services, ada: Reader) -> None:
    async with trading(services, "finnhub", at=datetime(2026, 11, 19, 20, 55, tzinfo=UTC)) as on:
        for _ in range(9):
            await priced(on, ada, "LNTN")
            await stock_closes.write(on.services, on.time.at + timedelta(hours=1))
            on.time.at += DAY
        found = await stocks.one(on.services, ada, "LNTN", on.time.at)
    # Neither the weekend nor Thanksgiving has a close; the day before the first does.
    assert [close.day.isoformat() for close in found.closes] == [
        "2026-11-18", "2026-11-19", "2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27",
    ]  # fmt: skip
    assert len(found.quote.closes) == 5 and found.quote.closes[-1] == found.closes[-1].close


async def test_what_nobody_watches_for_thirty_days_goes(services: Services, ada: Reader) -> None:
    async with trading(services, "finnhub") as on:
        await priced(on, ada, "LNTN", "MOSS")
        await services.db.execute("UPDATE stock_quotes SET watched_at = $1", on.time.at)
        await stock_watches.remove(on.services, ada, "MOSS")
        await services.db.execute(
            "INSERT INTO stock_closes VALUES ('LNTN', $1, 1)", TUESDAY.date() - 410 * DAY
        )
        await stock_closes.purge(on.services, datetime.now(UTC) + 31 * DAY)
    kept = await services.db.fetch("SELECT symbol FROM stock_quotes")
    assert [row["symbol"] for row in kept] == ["LNTN"]
    assert (
        await services.db.fetchval(
            "SELECT count(*) FROM stock_closes WHERE symbol = 'MOSS' OR close = 1"
        )
        == 0
    )


async def test_a_killed_run_is_taken_up_again(services: Services, ada: Reader) -> None:
    class Killed(BaseException):
        pass

    async with trading(services, "finnhub") as on:
        await stock_watches.put(on.services, ada, ["LNTN", "MOSS"])
        door = on.services.outside["finnhub"]
        ask, times = door.price, []

        async def dies(symbol: str) -> Any:
            times.append(symbol)
            if len(times) == 2:
                raise Killed
            return await ask(symbol)

        door.price = dies
        with pytest.raises(Killed):
            await stock_quotes.refresh_due(on.services, on.time.clock)
        on.time.at += timedelta(minutes=6)
        await stock_quotes.refresh_due(on.services, on.time.clock)
        view = await stocks.mine(on.services, ada, on.time.at)
    assert {quote.state for quote in view.items} == {"fresh"}
    assert len(on.sources["finnhub"].calls) <= 4


async def test_clearing_the_cache_makes_prices_due_and_keeps_them(
    services: Services, ada: Reader
) -> None:
    async with trading(services, "finnhub") as on:
        before = (await priced(on, ada, "LNTN")).items[0].price
        admin = msgspec.structs.replace(ada, role="ops")
        cleared = await caches.clear(on.services, admin, "stock-cache")
        assert cleared.cleared == 1
        [quote] = (await stocks.mine(on.services, ada, on.time.at)).items
        on.time.at = max(on.time.at, datetime.now(UTC)) + timedelta(seconds=30)
        assert (
            quote.price == before
            and await stock_quotes.refresh_due(on.services, on.time.clock) == 1
        )


async def test_suggestions_know_names_and_typos_and_not_what_others_typed(
    services: Services, ada: Reader
) -> None:
    assert await stock_symbols.seed(services) > 100
    assert await stock_symbols.seed(services) == 0
    await stock_watches.add(services, ada, "MSSECRET")

    async def found(typed: str) -> list[str]:
        return [
            one.symbol for one in (await stock_symbols.suggestions(services, None, typed)).items
        ]

    assert (await found("ms"))[0] == "MS" and "MSFT" in await found("MS")
    assert "MSFT" in await found("microsft") and "DIS" in await found("disney")
    assert "MSSECRET" not in await found("MSSEC")
    assert await found("%") == [] and await found("") == []
    assert len(await found("a")) <= 8


async def test_the_list_of_a_source_gives_names_and_brings_symbols_back(
    services: Services, ada: Reader
) -> None:
    async with trading(services, "alphavantage", "finnhub") as on:
        await stock_watches.add(on.services, ada, "LNTN")
        await services.db.execute(
            "UPDATE stock_symbols SET state = 'not_found', unknown_to = '{alphavantage,finnhub}'"
        )
        assert await stock_symbols.refresh_list(on.services) == 8
        [quote] = (await priced(on, ada, "LNTN")).items
    assert (quote.name, quote.exchange, quote.state) == ("Lantern Works", "NYSE", "fresh")


async def test_a_visitors_watches_go_over_at_sign_in(services: Services, ada: Reader) -> None:
    visitor = await readers.add_visitor(services, "a-visitor-of-the-market")
    await stock_watches.put(services, ada, ["AAPL", "IBM"])
    await stock_watches.put(
        services, visitor, ["IBM", "MSFT", *(f"V{number}" for number in range(18))]
    )
    [merge] = [one for one in merges.MERGES if "stock_watches" in one.tables]
    await merge.act(services, visitor.id, ada.id)
    mine = await stock_watches.symbols(services, ada)
    assert mine[:3] == ["AAPL", "IBM", "MSFT"] and len(mine) == 20
