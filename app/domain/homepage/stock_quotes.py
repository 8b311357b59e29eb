"""Quotes: the last price of each symbol that somebody watches, asked of the outside by jobs (chapter 20 rules 51 and 53)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from prometheus_client import Counter

from app.domain.homepage import market_days, market_hours, stock_sources, stock_turns
from app.domain.homepage.market_hours import Days
from app.domain.homepage.stock_turns import OVERDUE, Quotas, Spent, Wish
from app.errors import Forbidden, NotFound, ServiceDown
from app.services import Services

log = structlog.get_logger("stocks")

# One run ends before the clock begins the next; a gap between two calls of a source is waited for.
RUN, LONGEST_GAP = timedelta(seconds=50), timedelta(seconds=15)
REMEMBERED = timedelta(days=7)
DAY, MINUTES_5 = timedelta(days=1), timedelta(minutes=5)

REFRESHED = Counter(
    "stock_refreshes", "Prices asked for, by provider and result.", ("provider", "result")
)
for provider in stock_sources.LABELS:
    REFRESHED.labels(provider, "ok")


class Clock(NamedTuple):
    """The time, and how to wait: a test lets days pass."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[float], Awaitable[object]] = asyncio.sleep


REAL = Clock()
WISHES = (Wish(), Wish(is_new=True), Wish(is_overdue=True))


class Plan(NamedTuple):
    """What one run goes by: the sources with their quotas, which of them do not suffice, how many of the watched symbols
    have a price, how many have no turn foretold, and the special days."""

    sources: dict[str, Quotas]
    scarce: frozenset[str]
    priced: int
    untold: int
    days: Days

    @property
    def are_all_scarce(self) -> bool:
        """Whether no source can be asked whenever something is due."""
        return self.scarce == self.sources.keys()

    @property
    def is_feasible(self) -> bool:
        """Whether each symbol with a price can have its turn within two days."""
        return self.priced <= 2 * sum(self.sources[name].day or 0 for name in self.scarce)


WATCHED = """
SELECT count(*) AS watched, count(q.fetched_at) AS priced,
    count(*) FILTER (WHERE coalesce(q.next_at, '-infinity') < $2) AS untold
FROM stock_symbols s JOIN stock_quotes q ON q.symbol = s.symbol
WHERE NOT s.unknown_to @> $1 AND EXISTS (SELECT FROM stock_watches w WHERE w.symbol = s.symbol)
"""


async def planned(services: Services, now: datetime) -> Plan | None:
    """What to go by now; None where nobody is to be asked."""
    names = stock_sources.configured(services)
    if not names or not stock_sources.is_switched_on(services):
        return None
    sources = {name: stock_sources.quotas(services.settings, name) for name in names}
    watched, priced, untold = await services.db.fetchrow(WATCHED, names, now)
    scarce = {name for name, each in sources.items() if stock_turns.is_scarce(each, watched)}
    days = await market_days.around(services, now)
    return Plan(sources, frozenset(scarce), priced, untold, days)


async def refresh_due(services: Services, clock: Clock = REAL) -> int:
    """Ask for what is due, as far as the sources' quotas let us; answer how many symbols were asked for."""
    plan = await planned(services, clock.now())
    if plan is None:
        return 0
    asked: list[str] = []
    ends = clock.now() + RUN
    while clock.now() < ends and (row := await claim(services, plan, clock.now())):
        if not await ask(services, plan, row, clock):
            break
        asked.append(row["symbol"])
    if asked or plan.untold:
        await foretell(services, plan, clock.now())
    await tell(services, asked)
    return len(asked)


async def refresh_one(services: Services, symbol: str, clock: Clock = REAL) -> None:
    """Ask for a symbol that nobody has seen a price of yet; where there is no turn now, it comes in its turn."""
    plan = await planned(services, clock.now())
    if plan is None:
        return
    row = await services.db.fetchrow(CLAIM_NEW, clock.now(), symbol, list(plan.sources))
    if row is not None and await ask(services, plan, row, clock):
        await tell(services, [symbol])


CLAIM_NEW = """
UPDATE stock_quotes q SET tried_at = $1 FROM stock_symbols s
WHERE s.symbol = q.symbol AND q.symbol = $2 AND q.tried_at IS NULL AND NOT s.unknown_to @> $3
RETURNING q.symbol, q.fetched_at, q.source, NULL::timestamptz AS before, s.unknown_to
"""
# Symbols without a price first, while they have not had their share: what people make up takes no more turns than that.
# Where all can have their turn within two days, one that had none for a day goes before the others; else watchers × age
# decides. Taking one moves its next try ahead, so that two workers never ask the same.
CLAIM = """
WITH chosen AS (
    SELECT q.symbol, q.tried_at AS before, s.unknown_to
    FROM stock_quotes q JOIN stock_symbols s ON s.symbol = q.symbol
    CROSS JOIN LATERAL (
        SELECT count(*) AS watchers, coalesce(q.fetched_at, CASE WHEN $10 THEN q.created_at ELSE $1 END) AS since
        FROM stock_watches w WHERE w.symbol = q.symbol
    ) w
    WHERE w.watchers > 0
        -- Only one that a source with a turn may know; new ones and those that waited too long have turns of their own.
        AND (NOT s.unknown_to @> $2::text[] OR (q.fetched_at IS NULL AND NOT s.unknown_to @> $4::text[])
            OR (q.fetched_at < $8 AND NOT s.unknown_to @> $5::text[]))
        AND least(coalesce(q.expires_at, '-infinity'), coalesce(q.fetched_at, '-infinity') + $3::interval) <= $1
        AND coalesce(q.tried_at, '-infinity') + least(interval '1 day', interval '5 minutes' * 2 ^ least(q.failures, 9)) <= $1
    ORDER BY (q.fetched_at IS NULL AND $9) DESC,
        CASE WHEN $6 THEN least(w.since, $7) END, w.watchers * extract(epoch FROM $1::timestamptz - w.since) DESC, q.symbol
    LIMIT 1 FOR UPDATE OF q SKIP LOCKED
)
UPDATE stock_quotes q SET tried_at = $1 FROM chosen WHERE q.symbol = chosen.symbol
RETURNING q.symbol, q.fetched_at, q.source, chosen.before, chosen.unknown_to
"""


async def claim(services: Services, plan: Plan, now: datetime) -> Any:
    """Take the symbol that is to be asked for next."""
    every = market_hours.EVERY[market_hours.state(now, plan.days)]
    spent = await stock_sources.spent(services, list(plan.sources), now)
    usual, new, overdue = (ready(services, plan, spent, now, wish) for wish in WISHES)
    order = (plan.is_feasible, now - DAY, now - OVERDUE)
    rank = (new_come_first(plan, spent), plan.are_all_scarce)
    return await services.db.fetchrow(CLAIM, now, usual, every, new, overdue, *order, *rank)


def new_come_first(plan: Plan, spent: Mapping[str, Spent]) -> bool:
    """Whether symbols without a price come before all others. Else they wait from when they were first watched where
    turns are rare, and come last where they are not."""
    return any(
        stock_turns.has_share(allowed, spent[name]) for name, allowed in plan.sources.items()
    )


def ready(
    services: Services, plan: Plan, spent: Mapping[str, Spent], now: datetime, wish: Wish
) -> list[str]:
    """The sources that have a turn now for such a symbol."""
    return [
        name
        for name, allowed in plan.sources.items()
        if not is_resting(services, name)
        and stock_turns.wait(
            now, plan.days, allowed, spent[name], wish, is_scarce=name in plan.scarce
        )
        is not None
    ]


async def ask(services: Services, plan: Plan, row: Any, clock: Clock) -> bool:
    """Ask the sources for a claimed symbol, one after the other until one answers; False when none had a turn."""
    symbol, code, unknown = row["symbol"], "", list(row["unknown_to"])
    for name in plan.sources:
        if name in unknown or is_resting(services, name):
            continue
        if not await has_turn(services, plan, name, wish_of(row, clock.now()), clock):
            continue
        try:
            price = await services.outside[name].price(symbol)
        except NotFound:
            if is_believed(row, name, clock.now()):
                unknown.append(name)
            code = "not_found"
            REFRESHED.labels(name, code).inc()
        except Forbidden as refused:
            code = refused.code
            REFRESHED.labels(name, code).inc()
        except ServiceDown as down:
            code = down.code
            REFRESHED.labels(name, code).inc()
            if code == "over_quota":
                await stock_sources.rest(services, name, clock.now(), down)
        else:
            REFRESHED.labels(name, "ok").inc()
            await keep(services, plan.days, symbol, name, price, clock.now())
            return True
    if not code:
        await services.db.execute(RELEASE, symbol, row["before"])
        return False
    await fail(services, plan, symbol, code, unknown, clock.now())
    return True


def is_believed(row: Any, name: str, now: datetime) -> bool:
    """Whether a source that does not know a symbol is right: not while it had a price of it within a week."""
    return bool(row["source"] != name or row["fetched_at"] < now - REMEMBERED)


def is_resting(services: Services, name: str) -> bool:
    """Whether a source's breaker is open: a call that is not made must not be counted."""
    return bool(services.outside[name].breaker.state == "open")


def wish_of(row: Any, now: datetime) -> Wish:
    """How a symbol is asked for."""
    fetched_at = row["fetched_at"]
    return Wish(fetched_at is None, fetched_at is not None and fetched_at < now - OVERDUE)


async def has_turn(services: Services, plan: Plan, name: str, wish: Wish, clock: Clock) -> bool:
    """Take a turn of a source, after the gap that it wants between two calls."""
    ends = clock.now() + LONGEST_GAP
    is_scarce = name in plan.scarce
    while clock.now() <= ends:
        gap = await stock_sources.take(
            services, name, clock.now(), plan.days, wish, is_scarce=is_scarce
        )
        if gap is None or not gap:
            return gap is not None
        if clock.now() + gap > ends:
            return False
        await clock.wait(gap.total_seconds())
    return False


RELEASE = "UPDATE stock_quotes SET tried_at = $2 WHERE symbol = $1"
# An older price of another source does not replace a newer one.
KEEP = """
UPDATE stock_quotes q SET
    price = CASE WHEN new.is_newer THEN $2 ELSE price END,
    change = CASE WHEN new.is_newer THEN $3 ELSE change END,
    change_percent = CASE WHEN new.is_newer THEN $4 ELSE change_percent END,
    quoted_at = CASE WHEN new.is_newer THEN $5 ELSE quoted_at END,
    source = CASE WHEN new.is_newer THEN $6 ELSE source END,
    fetched_at = $7, expires_at = $7::timestamptz + $8::interval, failures = 0, error_code = NULL, next_at = NULL
FROM (SELECT symbol, coalesce(quoted_at, '-infinity') <= $5 AS is_newer FROM stock_quotes WHERE symbol = $1) AS new
WHERE q.symbol = new.symbol
"""
KNOWN = "UPDATE stock_symbols SET state = 'ok' WHERE symbol = $1 AND state <> 'ok'"
CLOSED_AT = """
INSERT INTO stock_closes (symbol, day, close) VALUES ($1, $2, $3)
ON CONFLICT (symbol, day) DO UPDATE SET close = EXCLUDED.close WHERE stock_closes.close <> EXCLUDED.close
"""


async def keep(
    services: Services, days: Days, symbol: str, source: str, price: Any, now: datetime
) -> None:
    """Keep a price as the last good one, and what the symbol closed at the day before."""
    # A source's clock may run ahead of ours; a price of tomorrow would hold back all of today's.
    quoted_at = min(price.quoted_at or end_of(price.day, days), now)
    every = market_hours.EVERY[market_hours.state(now, days)]
    figures = (price.price, price.change, price.change_percent)
    async with services.tx() as tx:
        await tx.db.execute(KEEP, symbol, *figures, quoted_at, source, now, every)
        await tx.db.execute(KNOWN, symbol)
        if price.previous_close is not None:
            day = day_before(quoted_at.astimezone(market_hours.ZONE).date(), days)
            await tx.db.execute(CLOSED_AT, symbol, day, price.previous_close)


def end_of(day: date, days: Days) -> datetime:
    """When a price was made of which only the day is known: at its close."""
    return market_hours.at(day, market_hours.closing_time(day, days))


def day_before(day: date, days: Days) -> date:
    """The day of trading before a day."""
    day -= DAY
    while market_hours.session(day, days) is None:
        day -= DAY
    return day


# A source that is asked too often says nothing of this symbol. The time of it makes a new version of what is shown.
FAIL = """
UPDATE stock_quotes SET error_code = $2, failures = failures + ($2 <> 'over_quota')::integer, tried_at = $3
WHERE symbol = $1
"""
UNKNOWN = """
UPDATE stock_symbols SET unknown_to = $2, state = CASE WHEN $2::text[] @> $3::text[] THEN 'not_found' ELSE state END WHERE symbol = $1
"""


async def fail(
    services: Services, plan: Plan, symbol: str, code: str, unknown: list[str], now: datetime
) -> None:
    """Note why there is no newer price; the last one stays. A source that does not know the symbol is not asked again."""
    async with services.tx() as tx:
        await tx.db.execute(FAIL, symbol, code, now)
        await tx.db.execute(UNKNOWN, symbol, sorted(unknown), list(plan.sources))


# In the order of CLAIM, whether due or not.
QUEUE = """
SELECT q.symbol FROM stock_quotes q JOIN stock_symbols s ON s.symbol = q.symbol
CROSS JOIN LATERAL (
    SELECT count(*) AS watchers, coalesce(q.fetched_at, q.created_at) AS since FROM stock_watches w WHERE w.symbol = q.symbol
) w
WHERE w.watchers > 0 AND NOT s.unknown_to @> $2
ORDER BY (q.fetched_at IS NULL AND $4) DESC, CASE WHEN $3 THEN w.since END,
    w.watchers * extract(epoch FROM $1::timestamptz - w.since) DESC, q.symbol
LIMIT 500
"""
# Times to the next five minutes: they stay what they are while turns come as foretold.
FORETELL = """
UPDATE stock_quotes q SET next_at = told.at FROM unnest($1::text[], $2::timestamptz[]) AS told (symbol, at)
WHERE q.symbol = told.symbol AND q.next_at IS DISTINCT FROM told.at
"""
FORGET = "UPDATE stock_quotes SET next_at = NULL WHERE next_at IS NOT NULL AND NOT symbol = ANY($1)"


async def foretell(services: Services, plan: Plan, now: datetime) -> None:
    """Write down when each symbol is likely to have its turn, where there is not a turn for each."""
    told: dict[str, datetime] = {}
    if plan.are_all_scarce:
        names = list(plan.sources)
        spent = await stock_sources.spent(services, names, now)
        is_new_first = new_come_first(plan, spent)
        queue = await services.db.fetch(QUEUE, now, names, plan.is_feasible, is_new_first)
        turns = turns_ahead(plan, spent, now, len(queue))
        told = {row["symbol"]: rounded(at) for row, at in zip(queue, turns, strict=False)}
    await services.db.execute(FORETELL, list(told), list(told.values()))
    await services.db.execute(FORGET, list(told))


def turns_ahead(plan: Plan, spent: Mapping[str, Spent], now: datetime, many: int) -> list[datetime]:
    """The next turns of all sources together, in order."""
    found: list[datetime] = []
    for name, allowed in plan.sources.items():
        begins = max(now, spent[name].rests_until or now)
        turns = stock_turns.coming(begins, plan.days, allowed.day or 0, spent[name])
        found += [turn for turn, _ in zip(turns, range(many), strict=False)]
    return sorted(found)


def rounded(at: datetime) -> datetime:
    """A time to the next full five minutes."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + -(-(at - midnight) // MINUTES_5) * MINUTES_5


# In one transaction: open pages hear of all prices of a run together.
TELL = "SELECT pg_notify('village_changes', 'stock:' || symbol) FROM unnest($1::text[]) AS symbol"


async def tell(services: Services, symbols: list[str]) -> None:
    """Tell the web processes which symbols were asked for."""
    if symbols:
        await services.db.execute(TELL, symbols)
