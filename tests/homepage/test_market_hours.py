"""The hours of the New York exchange, for every minute of 2026, against a table of its own (chapter 20 line 18)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.homepage import market_days, market_hours
from app.services import Services

# As the exchange publishes them: month, day.
HOLIDAYS = ((1, 1), (1, 19), (2, 16), (4, 3), (5, 25), (6, 19), (7, 3), (9, 7), (11, 26), (12, 25))
HALF_DAYS = ((11, 27), (12, 24))
# Summer time of 2026 in New York: from 8 March 07:00 UTC to 1 November 06:00 UTC.
SUMMER = (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC))


def expected(moment: datetime) -> str:
    """The state by plain arithmetic, without zones or the product's code."""
    hours = 4 if SUMMER[0] <= moment < SUMMER[1] else 5
    local = moment.replace(tzinfo=None) - timedelta(hours=hours)
    if local.weekday() in (5, 6):
        return "weekend"
    if (local.month, local.day) in HOLIDAYS:
        return "holiday"
    minute = local.hour * 60 + local.minute
    ends = 13 * 60 if (local.month, local.day) in HALF_DAYS else 16 * 60
    steps = ((240, "closed"), (570, "pre_market"), (ends, "open"), (1200, "after_hours"))
    return next((name for until, name in steps if minute < until), "closed")


async def test_the_state_is_right_for_every_minute_of_2026(services: Services) -> None:
    days = {**market_days.of_year(2026), **market_days.of_year(2027)}
    moment, wrong = datetime(2026, 1, 1, 5, tzinfo=UTC), []
    while moment < datetime(2027, 1, 1, 5, tzinfo=UTC):
        if market_hours.state(moment, days) != expected(moment):
            wrong.append(moment)
        moment += timedelta(minutes=1)
    assert wrong == []


async def test_the_calendar_has_ten_holidays_and_two_half_days(services: Services) -> None:
    await services.db.execute(
        "INSERT INTO market_days VALUES ('XNYS', '2026-03-03', 'holiday', NULL, 'Gone')"
    )
    assert await market_days.fill(services, 2026) > 20
    rows = await services.db.fetch(
        "SELECT day, kind, closes_at, name FROM market_days WHERE extract(year FROM day) = 2026 ORDER BY day"
    )
    found = {
        kind: [r["day"] for r in rows if r["kind"] == kind] for kind in ("holiday", "half_day")
    }
    assert found["holiday"] == [date(2026, *day) for day in HOLIDAYS]
    assert found["half_day"] == [date(2026, *day) for day in HALF_DAYS]
    assert all("(" not in row["name"] or "observed" in row["name"] for row in rows)
    assert await market_days.fill(services, 2026) == 0


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 11, 24, 15, tzinfo=UTC), datetime(2026, 11, 24, 21, tzinfo=UTC)),
        (datetime(2026, 11, 26, 15, tzinfo=UTC), datetime(2026, 11, 27, 5, tzinfo=UTC)),
        (datetime(2026, 11, 27, 15, tzinfo=UTC), datetime(2026, 11, 27, 18, tzinfo=UTC)),
        (datetime(2026, 11, 28, 2, tzinfo=UTC), datetime(2026, 11, 28, 5, tzinfo=UTC)),
        # From Saturday to Monday's first minute, over the end of summer time.
        (datetime(2026, 10, 31, 12, tzinfo=UTC), datetime(2026, 11, 2, 5, tzinfo=UTC)),
    ],
)
def test_it_is_told_when_the_state_changes_next(now: datetime, until: datetime) -> None:
    assert market_hours.changes_at(now, market_days.of_year(2026)) == until


def test_the_last_close_is_before_the_holiday() -> None:
    days = market_days.of_year(2026)
    on_thanksgiving = datetime(2026, 11, 26, 20, tzinfo=UTC)
    assert market_hours.last_close(on_thanksgiving, days) == datetime(2026, 11, 25, 21, tzinfo=UTC)
