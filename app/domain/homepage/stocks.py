"""Stocks as one person sees them: their symbols with the last good price of each, its age, and how the market stands."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import Counter

from app.domain.homepage import (
    market_days,
    market_hours,
    stock_closes,
    stock_sources,
    stock_symbols,
    stock_words,
)
from app.domain.homepage.market_hours import Days
from app.domain.homepage.widget_types import StocksSettings
from app.domain.platform.readers import Reader
from app.errors import Invalid, NotFound
from app.services import Services

STALE, SHOWN = timedelta(hours=2), timedelta(days=7)
# A price may be this much older than it is due before it counts as ageing: jobs run each minute, and take a while.
GRACE = timedelta(minutes=5)
OFF = "Stocks are not set up on this site."
EMPTY = "Add the symbols that you want to follow."
WAITING = "First look under way"
# Printed without _total, as the documents have it.
HITS = Counter("stock_cache_hits", "Looks at a symbol whose price is at hand.")
MISSES = Counter("stock_cache_misses", "Looks at a symbol without a price.")


class Market(msgspec.Struct):
    """The New York exchange: its state, in words, and until when it lasts; `day` names a holiday or half day."""

    state: str
    label: str
    until: datetime
    day: str | None = None


class Quote(msgspec.Struct):
    """One symbol: its last price as decimal texts, how old it is, and the last five closes, the oldest first."""

    symbol: str
    name: str | None
    state: str
    sentence: str = ""
    price: str | None = None
    change: str | None = None
    change_percent: str | None = None
    trend: str | None = None
    currency: str | None = None
    exchange: str | None = None
    quoted_at: datetime | None = None
    as_of: datetime | None = None
    next_update: datetime | None = None
    source: str | None = None
    closes: list[str] = []


class StocksWidget(msgspec.Struct):
    """A watchlist with the age of its oldest price, and the reason where something is wrong."""

    state: str
    sentence: str = ""
    market: Market | None = None
    as_of: datetime | None = None
    next_update: datetime | None = None
    items: list[Quote] = []
    total: int = 0


class DayClose(msgspec.Struct):
    """What a symbol closed at on one day."""

    day: date
    close: str


class Stock(msgspec.Struct):
    """One symbol with its closes of 30 days."""

    quote: Quote
    market: Market
    closes: list[DayClose]
    is_watched: bool


COLUMNS = """
    s.symbol, s.name, s.exchange, s.currency, s.state, q.price, q.change, q.change_percent, q.quoted_at, q.fetched_at,
    q.expires_at, q.next_at, q.source, q.error_code, (
        SELECT array_agg(c.close ORDER BY c.day) FROM (
            SELECT day, close FROM stock_closes WHERE symbol = s.symbol ORDER BY day DESC LIMIT 5) c
    ) AS closes
"""
MINE = f"""
SELECT {COLUMNS}
FROM stock_watches w JOIN stock_symbols s ON s.symbol = w.symbol LEFT JOIN stock_quotes q ON q.symbol = w.symbol
WHERE w.user_id = $1 ORDER BY w.sort, w.symbol
"""  # noqa: S608 - the columns are our own words


async def mine(services: Services, who: Reader | None, now: datetime | None = None) -> StocksWidget:
    """The reader's whole watchlist. One that is not set up, or empty, says so."""
    if not stock_sources.is_set_up(services):
        return StocksWidget("off", OFF)
    now = now or datetime.now(UTC)
    rows = await services.db.fetch(MINE, who.id) if who else []
    days = await market_days.around(services, now)
    if not rows:
        return StocksWidget("empty", EMPTY, market_of(now, days))
    return drawn([quote_of(row, now, days) for row in rows], market_of(now, days))


async def filled(
    services: Services, who: Reader | None, wishes: Sequence[StocksSettings]
) -> list[StocksWidget]:
    """The watchlists that the widgets of one page show."""
    whole = await mine(services, who)
    return [shortened(whole, wish.rows) for wish in wishes]


def shortened(whole: StocksWidget, rows: int) -> StocksWidget:
    """The watchlist with as many symbols as a widget shows; `total` still tells how many there are."""
    return msgspec.structs.replace(whole, items=whole.items[:rows])


def drawn(quotes: list[Quote], market: Market) -> StocksWidget:
    """The widget of some quotes: as good as the worst of them, as old as the oldest."""
    states = {quote.state for quote in quotes}
    ages = [quote.as_of for quote in quotes if quote.as_of is not None and quote.price]
    coming = [quote.next_update for quote in quotes if quote.next_update is not None]
    # A symbol that does not exist says nothing of the others.
    known = [state for state in ("failing", "stale", "ageing") if state in states]
    is_waiting = not ages and "waiting" in states
    state = "waiting" if is_waiting else known[0] if known else "fresh"
    sentence = next((quote.sentence for quote in quotes if quote.state == state), "")
    return StocksWidget(
        state=state,
        sentence=sentence,
        market=market,
        as_of=min(ages, default=None),
        next_update=min(coming, default=None),
        items=quotes,
        total=len(quotes),
    )


def market_of(now: datetime, days: Days) -> Market:
    """How the exchange stands."""
    state = market_hours.state(now, days)
    special = days.get(now.astimezone(market_hours.ZONE).date())
    return Market(
        state,
        market_hours.WORDS[state],
        market_hours.changes_at(now, days),
        special.name if special else None,
    )


def quote_of(row: Any, now: datetime, days: Days) -> Quote:
    """One symbol as it is shown; a price of over a week ago is not."""
    state, sentence = standing(row, now, days)
    is_shown = row["price"] is not None and now - made_at(row) <= SHOWN
    (HITS if is_shown else MISSES).inc()
    found = Quote(
        symbol=row["symbol"],
        name=row["name"],
        state=state,
        sentence=sentence,
        currency=row["currency"],
        exchange=row["exchange"],
        next_update=upcoming(row, now),
        closes=[str(stock_words.text(close)) for close in row["closes"] or []],
    )
    return with_price(found, row, heard_at(row, now, days)) if is_shown else found


def made_at(row: Any) -> datetime:
    """When a price was good last: a source that repeats one of last month does not make it younger."""
    at: datetime = min(row["fetched_at"], row["quoted_at"] or row["fetched_at"])
    return at


def heard_at(row: Any, now: datetime, days: Days) -> datetime:
    """The age of a price is when we heard it; while the market is open, one of before the opening is as old as it is."""
    hours = market_hours.session(now.astimezone(market_hours.ZONE).date(), days)
    is_of_before = hours is not None and made_at(row) < hours[0] <= now < hours[1]
    at: datetime = made_at(row) if is_of_before else row["fetched_at"]
    return at


def with_price(found: Quote, row: Any, as_of: datetime) -> Quote:
    """The symbol with its price."""
    return msgspec.structs.replace(
        found,
        price=stock_words.text(row["price"]),
        change=stock_words.text(row["change"]),
        change_percent=stock_words.percent(row["change_percent"]),
        trend=stock_words.trend(row["change"]),
        quoted_at=row["quoted_at"],
        as_of=as_of,
        source=row["source"],
    )


def standing(row: Any, now: datetime, days: Days) -> tuple[str, str]:
    """The state of one symbol and, where something is wrong, one reason; `empty` is one that there is not."""
    code = row["error_code"]
    if row["state"] == "not_found":
        return "empty", stock_words.reason("not_found")
    if row["price"] is None:
        return "waiting", stock_words.reason(code) if code else WAITING
    if now - made_at(row) > SHOWN:
        return "failing", stock_words.reason(code) if code else "The last price is over a week old."
    age, market = now - heard_at(row, now, days), market_hours.state(now, days)
    if market == "open" and age > STALE:
        why = (
            stock_words.reason(code)
            if code
            else "Prices come in turns; this one is over 2 hours old."
        )
        return "stale", why
    if code:
        return "failing", stock_words.reason(code)
    is_due = age > market_hours.EVERY[market] + GRACE
    return ("ageing", "Prices come in turns.") if is_due else ("fresh", "")


def upcoming(row: Any, now: datetime) -> datetime | None:
    """When a newer price is likely to come; None where nobody can tell."""
    if row["state"] == "not_found":
        return None
    at: datetime | None = row["next_at"] or row["expires_at"]
    return at if at is not None and at > now else None


ONE = f"""
SELECT {COLUMNS}, EXISTS (SELECT FROM stock_watches w WHERE w.symbol = s.symbol AND w.user_id = $2) AS is_watched
FROM stock_symbols s LEFT JOIN stock_quotes q ON q.symbol = s.symbol WHERE s.symbol = $1
    -- What others typed and no list has is theirs.
    AND (s.name IS NOT NULL OR EXISTS (SELECT FROM stock_watches w WHERE w.symbol = s.symbol AND w.user_id = $2))
"""  # noqa: S608 - the columns are our own words


async def one(
    services: Services, who: Reader | None, typed: str, now: datetime | None = None
) -> Stock:
    """One symbol with its chart. Raises NotFound for one that no list has and the reader does not watch."""
    now = now or datetime.now(UTC)
    row = await services.db.fetchrow(ONE, known(typed), who.id if who else 0)
    if row is None:
        raise NotFound("We know no symbol like this.")
    days = await market_days.around(services, now)
    closes = await stock_closes.latest(services, row["symbol"], now)
    points = [DayClose(close.day, str(stock_words.text(close.close))) for close in closes]
    return Stock(quote_of(row, now, days), market_of(now, days), points, row["is_watched"])


def known(typed: str) -> str:
    """The symbol of an address. Raises NotFound for what is none."""
    try:
        return stock_symbols.checked(typed)
    except Invalid:
        raise NotFound("We know no symbol like this.") from None
