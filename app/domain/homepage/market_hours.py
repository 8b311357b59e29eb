"""The hours of the New York exchange in its own zone (chapter 20 rule 52). Pure: a time and its special days go in."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

ZONE = ZoneInfo("America/New_York")
EARLY, OPENS, CLOSES, LATE = time(4), time(9, 30), time(16), time(20)
SATURDAY = 5
# The longest stretch without a change: a long weekend.
LOOK_AHEAD = 6


class SpecialDay(msgspec.Struct, frozen=True):
    """A holiday, or a half day with the hour at which it ends."""

    kind: str
    closes_at: time | None
    name: str


Days = Mapping[date, SpecialDay]

WORDS = {
    "open": "Market open",
    "pre_market": "Before the market opens",
    "after_hours": "After hours",
    "closed": "Market closed",
    "weekend": "Market closed for the weekend",
    "holiday": "Market holiday",
}
# How long a price holds in each state.
EVERY = {
    "open": timedelta(minutes=5),
    "pre_market": timedelta(hours=1),
    "after_hours": timedelta(hours=1),
    "closed": timedelta(hours=1),
    "weekend": timedelta(hours=6),
    "holiday": timedelta(hours=6),
}


def state(now: datetime, days: Days) -> str:
    """The exchange's state: open, pre_market, after_hours, closed, weekend or holiday."""
    local = now.astimezone(ZONE)
    if local.weekday() >= SATURDAY:
        return "weekend"
    if is_holiday(local.date(), days):
        return "holiday"
    at = local.time()
    if at < EARLY or at >= LATE:
        return "closed"
    if at < OPENS:
        return "pre_market"
    return "open" if at < closing_time(local.date(), days) else "after_hours"


def is_holiday(day: date, days: Days) -> bool:
    """Whether the exchange rests on that day of the week."""
    return day in days and days[day].kind == "holiday"


def closing_time(day: date, days: Days) -> time:
    """The hour at which trading ends on a day of trading."""
    return (day in days and days[day].closes_at) or CLOSES


def session(day: date, days: Days) -> tuple[datetime, datetime] | None:
    """When trading begins and ends on a day; None when there is none."""
    if day.weekday() >= SATURDAY or is_holiday(day, days):
        return None
    return at(day, OPENS), at(day, closing_time(day, days))


def at(day: date, hour: time) -> datetime:
    """The moment of an hour of the exchange's clock."""
    return datetime.combine(day, hour, ZONE).astimezone(UTC)


def last_close(now: datetime, days: Days) -> datetime:
    """When trading ended last."""
    day = now.astimezone(ZONE).date()
    while True:
        hours = session(day, days)
        if hours is not None and hours[1] <= now:
            return hours[1]
        day -= timedelta(days=1)


def changes_at(now: datetime, days: Days) -> datetime:
    """When the exchange's state changes next."""
    present = state(now, days)
    return next(moment for moment in edges(now, days) if state(moment, days) != present)


def edges(now: datetime, days: Days) -> Iterator[datetime]:
    """The moments after now at which the state may change, in order."""
    today = now.astimezone(ZONE).date()
    for day in (today + timedelta(days=n) for n in range(LOOK_AHEAD)):
        for hour in (time(0), EARLY, OPENS, closing_time(day, days), LATE):
            if (moment := at(day, hour)) > now:
                yield moment
