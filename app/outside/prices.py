"""What sources of prices tell of one symbol, checked: a price is a finite, positive number that can be kept."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

import msgspec

from app.errors import ServiceDown

# What numeric(18,6) holds with room for a sum.
LARGEST = Decimal(10) ** 11
PLACES = Decimal("0.000001")
# A source whose clock runs ahead of ours by a time zone is believed; one that quotes from next week is not.
AHEAD = timedelta(days=1)
MOST_NAME = 80
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """The last price of one symbol. `quoted_at` is None where the source tells only the `day` of trading."""

    price: Decimal
    change: Decimal | None
    change_percent: Decimal | None
    previous_close: Decimal | None
    day: date | None = None
    quoted_at: datetime | None = None


class Listed(msgspec.Struct, frozen=True):
    """One symbol of a source's list."""

    symbol: str
    name: str
    exchange: str | None
    currency: str | None


def positive(number: Decimal) -> Decimal:
    """A price, to six places. Raises ServiceDown with code `garbage` for what cannot be one."""
    found = figure(number)
    if found <= 0:
        raise garbage()
    return found


def figure(number: Decimal) -> Decimal:
    """A number, to six places. Raises ServiceDown with code `garbage` for what is none, or is too large."""
    # `abs` would round, and fail on a number like 1e999999999.
    if not number.is_finite() or number.copy_abs() >= LARGEST:
        raise garbage()
    try:
        return number.quantize(PLACES)
    except InvalidOperation:
        raise garbage() from None


def past(at: datetime, now: datetime) -> datetime:
    """A time that can be the time of a price. Raises ServiceDown with code `garbage`."""
    if not datetime(1990, 1, 1, tzinfo=UTC) < at < now + AHEAD:
        raise garbage()
    return at


def past_day(day: date, now: datetime) -> date:
    """A day that can be the day of a price. Raises ServiceDown with code `garbage`."""
    past(datetime(day.year, day.month, day.day, tzinfo=UTC), now)
    return day


def garbage() -> ServiceDown:
    """The problem with an answer that cannot be used."""
    return ServiceDown("This source does not answer.", code="garbage")


def plain(text: str) -> str:
    """A name as it can be shown: one line without signs that cannot be seen, at most 80 characters."""
    return " ".join(UNSEEN.sub(" ", text).split())[:MOST_NAME].strip()
