"""Turns: when a metered source of prices may be asked next (chapter 20 rules 51 and 53). Pure: figures and a time go in.

Where a day's calls do not suffice for all, they are spread over the session of that day (UTC days hold one session
each), over the whole day when there is none. A few are kept for symbols that nobody has seen a price of.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.domain.homepage import market_hours
from app.domain.homepage.market_hours import Days

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
# How often one symbol is asked for on a day of trading, if nothing stands against it.
CALLS_A_DAY = 96
# The share of a day's calls that symbols without a price may have at once and before all others: a fifth; of a
# minute's: half.
AT_ONCE, AT_ONCE_A_MINUTE = 5, 2
# After this long a symbol does not wait for its turn: it shall have been asked for within two days.
OVERDUE = timedelta(hours=46)
COMING_DAYS = 4


class Quotas(NamedTuple):
    """How often one source may be asked; None is as often as one likes."""

    day: int | None = None
    minute: int | None = None
    second: int | None = None

    @property
    def gap(self) -> timedelta:
        """The time between two calls: evenly apart, no minute has too many, wherever a source lets it begin."""
        seconds = [1 / self.second] if self.second else []
        seconds += [60 / self.minute] if self.minute else []
        return timedelta(seconds=max(seconds, default=0.0))


def quotas(text: str) -> Quotas:
    """Quotas from a setting: `25/day,1/second`. A part that cannot be read means: not at all."""
    found: dict[str, int] = {}
    for part in text.replace(" ", "").split(","):
        number, _, span = part.partition("/")
        if span in Quotas._fields:
            found[span] = int(number) if number.isdecimal() else 0
    return Quotas(**found)


class Spent(NamedTuple):
    """How far one source's quotas are used at a moment."""

    day: int = 0
    minute: int = 0
    last_at: datetime | None = None
    rests_until: datetime | None = None


class Wish(NamedTuple):
    """How a symbol is asked for: in its turn, at once for the first price, or because it has waited too long."""

    is_new: bool = False
    is_overdue: bool = False


def wait(
    now: datetime, days: Days, allowed: Quotas, spent: Spent, wish: Wish, *, is_scarce: bool
) -> timedelta | None:
    """How long to wait before a source may be asked, a gap between two calls at most; None when it has no turn."""
    if spent.rests_until is not None and now < spent.rests_until:
        return None
    if not has_turn(now, days, allowed, spent, wish, is_scarce=is_scarce):
        return None
    if spent.last_at is None:
        return timedelta(0)
    return max(spent.last_at + allowed.gap - now, timedelta(0))


def has_turn(
    now: datetime, days: Days, allowed: Quotas, spent: Spent, wish: Wish, *, is_scarce: bool
) -> bool:
    """Whether the quotas leave a call, and this is its time."""
    if allowed.minute is not None and spent.minute >= allowed.minute:
        return False
    if allowed.day is None:
        return True
    if spent.day >= allowed.day:
        return False
    if not is_scarce or wish.is_overdue or (wish.is_new and has_share(allowed, spent)):
        return True
    turn = next_turn(now, days, allowed.day, spent)
    return turn is not None and turn <= now


def has_share(allowed: Quotas, spent: Spent) -> bool:
    """Whether symbols without a price have not had their share yet."""
    if allowed.day is not None and spent.day * AT_ONCE >= allowed.day:
        return False
    return allowed.minute is None or spent.minute * AT_ONCE_A_MINUTE < allowed.minute


def next_turn(now: datetime, days: Days, allowed: int, spent: Spent) -> datetime | None:
    """When the next call of this UTC day has its turn: what is left is spread over the time that is left."""
    left = allowed - spent.day
    if left <= 0:
        return None
    begins, ends = window(now, days)
    since = max(begins, spent.last_at or begins)
    return since + max(ends - since, timedelta(0)) / (left + 1)


def window(now: datetime, days: Days) -> tuple[datetime, datetime]:
    """The time over which this UTC day's calls are spread: the session, what is left after it, or the day without one."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = market_hours.session(midnight.date(), days)
    if hours is None:
        return midnight, midnight + DAY
    return hours if now < hours[1] else (hours[1], midnight + DAY)


def coming(now: datetime, days: Days, allowed: int, spent: Spent) -> Iterator[datetime]:
    """The turns from now on: of this UTC day, and of the next ones."""
    at = now
    for _ in range(COMING_DAYS):
        while (turn := next_turn(at, days, allowed, spent)) is not None:
            yield max(turn, now)
            spent = spent._replace(day=spent.day + 1, last_at=turn)
            at = max(at, turn)
        at = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        spent = Spent()


def is_scarce(allowed: Quotas, watched: int) -> bool:
    """Whether a day's calls do not suffice to ask for every watched symbol whenever it is due."""
    return allowed.day is not None and allowed.day < watched * CALLS_A_DAY
