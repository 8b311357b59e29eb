"""Quotas of prices: never more calls than a source allows, everybody's turn within two days (chapter 20 line 19)."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.db import Database
from app.domain.homepage import market_days, stock_quotes, stock_sources, stock_turns, stocks
from app.domain.homepage.stock_turns import Quotas, Spent, Wish
from app.services import Services
from tests.homepage.market import TUESDAY, Exchange, trading
from tests.people import member
from tests.world import markets

DAY, STEP = timedelta(days=1), timedelta(minutes=5)
LISTED = [*markets.KNOWN, *(symbol for symbol in markets.COMPANIES if symbol != "<B>")]
FORTY = [f"T{number:02d}" for number in range(40)]


@pytest.fixture(autouse=True)
def more_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the world's market know forty symbols more."""
    for symbol in FORTY:
        monkeypatch.setitem(markets.COMPANIES, symbol, (f"Company {symbol}", 50.0))


async def watching(
    services: Services, symbols: list[str], people: int = 1, since: datetime = TUESDAY
) -> list[Any]:
    """People who watch these since then; the first ones are watched by more."""
    found = []
    for number in range(people):
        who = await member(services, f"trader{number}@example.org")
        found.append(who)
        mine = symbols[: max(1, len(symbols) // (number + 1))][:20] if number else symbols
        await services.db.execute(
            "INSERT INTO stock_symbols (symbol) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
            mine,
        )
        await services.db.execute(
            "INSERT INTO stock_quotes (symbol, created_at) SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING",
            mine,
            since,
        )
        await services.db.execute(
            "INSERT INTO stock_watches (user_id, symbol) SELECT $1, unnest($2::text[])",
            who.id,
            mine,
        )
    return found


async def days_pass(on: Exchange, days: int, step: timedelta = STEP) -> dict[str, list[datetime]]:
    """Let the clock run with a job each few minutes; answer when each symbol's price came."""
    came: dict[str, list[datetime]] = {}
    seen: dict[str, datetime] = {}
    ends = on.time.at + days * DAY
    while on.time.at < ends:
        before = on.time.at
        if await stock_quotes.refresh_due(on.services, on.time.clock):
            rows = await on.services.db.fetch(
                "SELECT symbol, fetched_at FROM stock_quotes WHERE fetched_at >= $1", before
            )
            for row in rows:
                if seen.get(row["symbol"]) != row["fetched_at"]:
                    seen[row["symbol"]] = row["fetched_at"]
                    came.setdefault(row["symbol"], []).append(row["fetched_at"])
        on.time.at = before + step
    return came


async def test_forty_symbols_on_25_calls_a_day_have_each_their_turn_within_two_days(
    services: Services,
) -> None:
    begins, exceeded = datetime(2026, 11, 20, tzinfo=UTC), stock_sources.EXCEEDED._value.get()
    # Over a weekend, Thanksgiving and a half day.
    async with trading(services, "alphavantage", at=begins) as on:
        await watching(on.services, FORTY, people=6, since=begins)
        came = await days_pass(on, 8, 4 * STEP)
        asked = Counter(at // 86_400 for at in on.sources["alphavantage"].calls)
    assert max(asked.values()) <= 25 and min(asked.values()) >= 20
    assert came.keys() == set(FORTY)
    ends = begins + 8 * DAY
    waits = {
        s: max(b - a for a, b in zip([begins, *at], [*at, ends], strict=True))
        for s, at in came.items()
    }
    assert max(waits.values()) <= 2 * DAY, waits
    assert stock_sources.EXCEEDED._value.get() == exceeded


async def test_calls_are_spread_over_the_session(services: Services) -> None:
    async with trading(services, "alphavantage", at=TUESDAY.replace(hour=12)) as on:
        await watching(on.services, FORTY)
        await on.services.db.execute(
            "UPDATE stock_quotes SET fetched_at = $1, price = 1", TUESDAY - DAY
        )
        await days_pass(on, 1)
        called = [datetime.fromtimestamp(at, UTC) for at in on.sources["alphavantage"].calls]
    today = [at for at in called if at.date() == TUESDAY.date()]
    gaps = [later - earlier for earlier, later in zip(today, today[1:], strict=False)]
    assert len(today) == 25 and today[0].hour == 14
    assert max(gaps) <= timedelta(minutes=25) and min(gaps) >= timedelta(minutes=5)


async def test_the_widget_says_when_the_next_price_is_likely(services: Services) -> None:
    async with trading(services, "alphavantage") as on:
        [who] = await watching(on.services, FORTY)
        await stock_quotes.refresh_due(on.services, on.time.clock)
        view = await stocks.mine(on.services, who, on.time.at)
        told = {quote.symbol: quote.next_update for quote in view.items if quote.next_update}
        came = await days_pass(on, 1)
    assert view.next_update is not None and view.next_update > on.time.at - DAY
    late = [abs(came[symbol][0] - at) for symbol, at in told.items() if symbol in came]
    assert len(late) >= 20 and sorted(late)[len(late) // 2] <= timedelta(minutes=30)


async def test_with_a_second_source_all_are_fresh(services: Services) -> None:
    async with trading(services, "alphavantage", "finnhub") as on:
        [who] = await watching(on.services, FORTY)
        await stock_quotes.refresh_due(on.services, on.time.clock)
        await stock_quotes.refresh_due(on.services, on.time.clock)
        view = await stocks.mine(on.services, who, on.time.at)
        calls = on.sources["finnhub"].calls
    assert {quote.state for quote in view.items} == {"fresh"} and view.state == "fresh"
    assert {quote.source for quote in view.items} == {"alphavantage", "finnhub"}
    assert all(later - earlier >= 0.99 for earlier, later in zip(calls, calls[1:], strict=False))


async def test_no_minute_has_more_calls_than_a_source_allows(services: Services) -> None:
    many = [f"M{number:03d}" for number in range(80)]
    for symbol in many:
        markets.COMPANIES[symbol] = ("Many", 9.0)
    async with trading(services, "finnhub") as on:
        await watching(on.services, many)
        for _ in range(3):
            await stock_quotes.refresh_due(on.services, on.time.clock)
            on.time.at += timedelta(seconds=7)
        calls = on.sources["finnhub"].calls
        left = await on.services.db.fetchval(
            "SELECT count(*) FROM stock_quotes WHERE price IS NULL"
        )
    for symbol in many:
        del markets.COMPANIES[symbol]
    assert left == 0
    assert max(sum(at <= other < at + 60 for other in calls) for at in calls) <= 60


async def test_watchers_and_age_decide_where_not_all_can_have_their_turn(
    services: Services,
) -> None:
    many = FORTY + LISTED
    settings = {"alphavantage_quotas": "4/day"}
    async with trading(services, "alphavantage", **settings) as on:
        await watching(on.services, many, people=3)
        await on.services.db.execute(
            "UPDATE stock_quotes SET fetched_at = $1, price = 1", on.time.at - DAY
        )
        came = await days_pass(on, 1)
    popular = set(many[:20])
    assert came and came.keys() <= popular


async def test_a_source_that_says_too_often_is_left_alone_and_the_next_asked(
    services: Services,
) -> None:
    before = stock_sources.EXCEEDED._value.get()
    async with trading(services, "alphavantage", "finnhub") as on:
        await watching(on.services, ["MSFT", "IBM"])
        on.sources["alphavantage"].twists += ["note"] * 9
        await stock_quotes.refresh_due(on.services, on.time.clock)
        rows = await on.services.db.fetch("SELECT source, failures, error_code FROM stock_quotes")
        assert [tuple(row) for row in rows] == [("finnhub", 0, None)] * 2
        on.time.at += timedelta(minutes=30)
        await stock_quotes.refresh_due(on.services, on.time.clock)
        assert len(on.sources["alphavantage"].calls) == 1
    assert stock_sources.EXCEEDED._value.get() == before + 1


async def test_two_workers_never_take_the_same_call(settings: Any, services: Services) -> None:
    pool = await asyncpg.create_pool(settings.database_url, min_size=4, max_size=8)
    own = Services(services.settings, Database(pool), services.ledger, services.letters)
    days = market_days.of_year(2026)
    await pool.execute("DELETE FROM provider_quotas WHERE provider = 'alphavantage'")
    try:
        takers = [
            stock_sources.take(
                own,
                "alphavantage",
                TUESDAY + timedelta(seconds=2 * n),
                days,
                Wish(is_overdue=True),
                is_scarce=True,
            )
            for n in range(60)
        ]
        taken = await asyncio.gather(*takers)
        used = await pool.fetchval(
            "SELECT used FROM provider_quotas WHERE provider = 'alphavantage' AND span = 'day'"
        )
    finally:
        await pool.execute("DELETE FROM provider_quotas WHERE provider = 'alphavantage'")
        await pool.close()
    assert used == sum(gap == timedelta(0) for gap in taken) <= 25


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("25/day,1/second", Quotas(25, None, 1)),
        (" 60 / minute ", Quotas(None, 60, None)),
        ("", Quotas()),
        ("lots/day", Quotas(0, None, None)),
        ("9/fortnight", Quotas()),
    ],
)
def test_quotas_are_read_from_a_setting(text: str, found: Quotas) -> None:
    assert stock_turns.quotas(text) == found


def test_a_source_with_no_calls_left_has_no_turn() -> None:
    days = market_days.of_year(2026)
    spent = Spent(day=25, last_at=TUESDAY)
    for wish in (Wish(), Wish(is_new=True), Wish(is_overdue=True)):
        assert (
            stock_turns.wait(TUESDAY + DAY / 4, days, Quotas(25), spent, wish, is_scarce=True)
            is None
        )
    turns = list(stock_turns.coming(TUESDAY, days, 25, spent))
    assert len(turns) == 75 and turns[0].date() == (TUESDAY + DAY).date() and turns == sorted(turns)
