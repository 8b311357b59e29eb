"""Closes: what each symbol closed at, written when trading has ended; sparklines and charts are made of them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog

from app.domain.homepage import market_days, market_hours
from app.domain.homepage.market_hours import ZONE
from app.services import Services

log = structlog.get_logger("stocks")

CHART_DAYS = 30
KEPT_DAYS, UNWATCHED_DAYS = 400, 30


class Close(NamedTuple):
    """What a symbol closed at on one day."""

    day: date
    close: Decimal


# The last price of that day stands for its close until the next day's quote tells it exactly.
WRITE = """
INSERT INTO stock_closes (symbol, day, close)
SELECT symbol, $1, price FROM stock_quotes WHERE price IS NOT NULL AND quoted_at >= $2 AND quoted_at < $3
ON CONFLICT (symbol, day) DO UPDATE SET close = EXCLUDED.close WHERE stock_closes.close <> EXCLUDED.close
"""


async def write(services: Services, now: datetime | None = None) -> int:
    """Write the closes of today, if there was trading and it is over; answer how many."""
    now = now or datetime.now(UTC)
    today = now.astimezone(ZONE).date()
    hours = market_hours.session(today, await market_days.around(services, now))
    if hours is None or now < hours[1]:
        return 0
    begins = market_hours.at(today, market_hours.EARLY)
    tag = await services.db.execute(WRITE, today, begins, begins + timedelta(days=1))
    return int(tag.split()[-1])


LATEST = """
SELECT day, close FROM stock_closes WHERE symbol = $1 AND day >= $2 ORDER BY day
"""


async def latest(services: Services, symbol: str, now: datetime) -> list[Close]:
    """What a symbol closed at in the last 30 days, the oldest first."""
    since = now.astimezone(ZONE).date() - timedelta(days=CHART_DAYS)
    rows = await services.db.fetch(LATEST, symbol, since)
    return [Close(row["day"], row["close"]) for row in rows]


SEEN = """
UPDATE stock_quotes q SET watched_at = $1
WHERE EXISTS (SELECT FROM stock_watches w WHERE w.symbol = q.symbol)
"""
PURGE_QUOTES = """
WITH gone AS (
    DELETE FROM stock_quotes q WHERE q.watched_at < $1
        AND NOT EXISTS (SELECT FROM stock_watches w WHERE w.symbol = q.symbol)
    RETURNING symbol
)
DELETE FROM stock_closes c USING gone WHERE c.symbol = gone.symbol
"""
# What somebody typed, and no list has, goes with the last trace of it; typed again, all sources are asked anew.
PURGE_SYMBOLS = """
DELETE FROM stock_symbols s WHERE s.name IS NULL
    AND NOT EXISTS (SELECT FROM stock_quotes q WHERE q.symbol = s.symbol)
    AND NOT EXISTS (SELECT FROM stock_watches w WHERE w.symbol = s.symbol)
"""
PURGE_CLOSES = "DELETE FROM stock_closes WHERE day < $1"


async def purge(services: Services, now: datetime | None = None) -> None:
    """Forget quotes and closes of symbols that nobody watched for 30 days, and closes of over 400 days ago.

    A symbol that no list has is forgotten too.
    """
    now = now or datetime.now(UTC)
    async with services.tx() as tx:
        await tx.db.execute(SEEN, now)
        await tx.db.execute(PURGE_QUOTES, now - timedelta(days=UNWATCHED_DAYS))
        await tx.db.execute(PURGE_SYMBOLS)
        await tx.db.execute(PURGE_CLOSES, now.date() - timedelta(days=KEPT_DAYS))
