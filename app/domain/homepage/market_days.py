"""Days on which the New York exchange is closed or closes early: this year's and the next's, from the `holidays` package."""

import re
from datetime import date, datetime, time, timedelta

import holidays

from app.domain.homepage.market_hours import ZONE, Days, SpecialDay
from app.services import Services

EXCHANGE = "XNYS"
# The package names the hour in brackets behind a half day's name; all of them end at one.
HALF_DAY_ENDS = time(13)
BRACKETS = re.compile(r"\s*\((?:markets? close|at ).*\)$")

# What the package does not name any more goes, and so does what has changed.
FILL = """
WITH given AS (
    SELECT day, kind, closes_at, name
    FROM unnest($2::date[], $3::text[], $4::time[], $5::text[]) AS given (day, kind, closes_at, name)
), gone AS (
    DELETE FROM market_days m
    WHERE m.exchange = $1 AND extract(year FROM m.day) = ANY($6::integer[])
        AND NOT EXISTS (SELECT FROM given WHERE given.day = m.day)
), kept AS (
    INSERT INTO market_days (exchange, day, kind, closes_at, name)
    SELECT $1, day, kind, closes_at, name FROM given
    ON CONFLICT (exchange, day) DO UPDATE
    SET kind = EXCLUDED.kind, closes_at = EXCLUDED.closes_at, name = EXCLUDED.name
    WHERE (market_days.kind, market_days.closes_at, market_days.name)
        IS DISTINCT FROM (EXCLUDED.kind, EXCLUDED.closes_at, EXCLUDED.name)
    RETURNING day
)
SELECT count(*) FROM kept
"""


async def fill(services: Services, year: int | None = None) -> int:
    """Write the special days of a year (this one) and the next; answer how many were new or changed."""
    first = year or datetime.now(ZONE).year
    found = {**of_year(first), **of_year(first + 1)}
    rows = [(day, special.kind, special.closes_at, special.name) for day, special in found.items()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return int(await services.db.fetchval(FILL, EXCHANGE, *columns, [first, first + 1]))


def of_year(year: int) -> dict[date, SpecialDay]:
    """Holidays and half days of a year. A day that is both is a holiday."""
    half = holidays.financial_holidays("NYSE", years=year, categories=("half_day",))
    whole = holidays.financial_holidays("NYSE", years=year, categories=("public",))
    return {
        **{day: SpecialDay("half_day", HALF_DAY_ENDS, named(name)) for day, name in half.items()},
        **{day: SpecialDay("holiday", None, named(name)) for day, name in whole.items()},
    }


def named(name: str) -> str:
    """A day's name without what is said of its hours."""
    return BRACKETS.sub("", name)


AROUND = """
SELECT day, kind, closes_at, name FROM market_days WHERE exchange = $1 AND day BETWEEN $2 AND $3
"""


async def around(services: Services, now: datetime) -> Days:
    """The special days of two weeks before and after a moment."""
    day, weeks = now.astimezone(ZONE).date(), timedelta(days=14)
    rows = await services.db.fetch(AROUND, EXCHANGE, day - weeks, day + weeks)
    return {row["day"]: SpecialDay(row["kind"], row["closes_at"], row["name"]) for row in rows}


LAST_KNOWN = "SELECT max(day) FROM market_days WHERE exchange = $1"


async def known_until(services: Services) -> date | None:
    """The last special day that is known; None while nothing was filled in."""
    found: date | None = await services.db.fetchval(LAST_KNOWN, EXCHANGE)
    return found
