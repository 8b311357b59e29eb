"""When a feed is asked next, and what its failures make of it: pure rules (chapter 20 rules 19–21)."""

import random
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
FAILING_AFTER = (5, DAY)
SUSPENDED_AFTER = timedelta(days=14)
MOST_DOUBLINGS = 6
PACES = {
    "breaking": (timedelta(minutes=5), timedelta(minutes=15)),
    "normal": (timedelta(minutes=15), timedelta(minutes=180)),
    "slow": (timedelta(minutes=60), timedelta(minutes=720)),
}
LATEST = 20
MAX_AGE = re.compile(r"(?:^|[,\s])(?:s-maxage|max-age)\s*=\s*\"?(\d{1,9})", re.I)


def interval(
    published: Sequence[datetime], pace: str, refresh_minutes: int | None = None
) -> timedelta:
    """How long to wait by the feed's own rhythm: half the median gap of its last 20 items, within its pace.

    `refresh_minutes`, where the operator set it, is the answer. Without two items the shortest wait is.
    """
    if refresh_minutes:
        return timedelta(minutes=refresh_minutes)
    shortest, longest = PACES[pace]
    times = sorted(published, reverse=True)[:LATEST]
    gaps = [newer - older for newer, older in zip(times, times[1:], strict=False)]
    if not gaps:
        return shortest
    half = timedelta(seconds=median(gap.total_seconds() for gap in gaps) / 2)
    return min(max(half, shortest), longest)


def asked_for(headers: Mapping[str, str], ttl_minutes: int | None) -> timedelta:
    """The wait that the publisher asks for by Cache-Control (less Age) or `ttl`, at most a day."""
    found = MAX_AGE.search(headers.get("cache-control", ""))
    seconds = int(found[1]) if found else 0
    aged = headers.get("age", "")
    seconds -= int(aged) if aged.isdecimal() and len(aged) < 10 else 0
    wait = max(timedelta(seconds=seconds), timedelta(minutes=ttl_minutes or 0))
    return min(max(wait, timedelta(0)), DAY)


def after_success(rhythm: timedelta, asked: timedelta, *, watched: bool) -> timedelta:
    """The wait after a success: once a day for a feed that nobody has looked at for long."""
    return min(max(rhythm, asked), DAY) if watched else DAY


def after_failure(
    rhythm: timedelta, failures: int, retry_after: float | None, *, chance: float | None = None
) -> timedelta:
    """The wait after the n-th failure in a row: rhythm × 2^min(n, 6), at most a day, ± 10 %.

    Never sooner than Retry-After asks, up to a day. `chance` from 0 to 1 stands in for the dice.
    """
    dice = random.random() if chance is None else chance  # noqa: S311
    doublings: int = 2 ** min(failures, MOST_DOUBLINGS)
    asked = timedelta(seconds=min(retry_after or 0.0, DAY.total_seconds()))
    return max(min(rhythm * doublings, DAY) * (0.9 + 0.2 * dice), asked)


def state_after(failures: int, failing_since: datetime, now: datetime) -> str:
    """What a feed is after that many failures in a row: active, failing or suspended."""
    lasts = now - failing_since
    if lasts >= SUSPENDED_AFTER:
        return "suspended"
    least, span = FAILING_AFTER
    return "failing" if failures >= least and lasts >= span else "active"
