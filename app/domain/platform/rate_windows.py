"""Windows: how often something happened lately, as a sliding-window counter, in memory or in PostgreSQL.

All of them count alike, as the library `limits` does in Redis: a window begins with its first hit, and the one before
it weighs less with every second that passes.
"""

import math
import time
from collections import OrderedDict
from typing import NamedTuple

from app.services import Services

CEILING = 100_000  # chapter 10 rule 28


class Window(NamedTuple):
    """What became of one hit: `wait` are the seconds until there is room, `reset` those until the window ends."""

    allowed: bool
    remaining: int
    reset: float
    wait: float


def window_of(
    allowed: bool, limit: int, seconds: int, *, previous: int, current: int, left: float
) -> Window:
    """A window with so many hits in its halves; `left` are the seconds until the present half ends."""
    left = min(max(left, 0.0), seconds)
    weighted = math.floor(previous * left / seconds) + current
    wait = 0.0 if allowed else wait_of(limit, seconds, previous, current, left)
    return Window(allowed, max(0, limit - weighted), left, wait)


def wait_of(limit: int, seconds: int, previous: int, current: int, left: float) -> float:
    """Seconds until one more hit finds room, when nothing else comes meanwhile."""
    if current < limit and previous:
        return max(0.0, left - (limit - current) * seconds / previous)
    # The present half has to become the previous one and to fade until it weighs less than the limit.
    return left + seconds * (1 - limit / max(current, 1)) if current >= limit else 0.0


class Half:
    """The present half of one window, the weight of the one before, and what other processes do not know of."""

    __slots__ = ("began", "current", "previous", "untold")

    def __init__(self, began: float) -> None:
        self.began = began
        self.current = 0
        self.previous = 0
        self.untold = 0

    def slide(self, now: float, seconds: int) -> None:
        """Move on to the half in which `now` lies."""
        if now < self.began + seconds:
            return
        if now < self.began + 2 * seconds:
            self.previous, self.current, self.began = self.current, 0, self.began + seconds
        else:
            self.previous, self.current, self.began = 0, 0, now


class MemoryWindows:
    """The windows of one process; the longest unused ones go when there are too many."""

    def __init__(self, ceiling: int = CEILING) -> None:
        self.ceiling = ceiling
        self.halves: OrderedDict[str, Half] = OrderedDict()

    def hit(self, name: str, limit: int, seconds: int, now: float | None = None) -> Window:
        """Count one under the name, where it is below the limit."""
        now = time.monotonic() if now is None else now
        half = self.half(name, now)
        half.slide(now, seconds)
        left = half.began + seconds - now
        weighted = math.floor(half.previous * left / seconds) + half.current
        allowed = weighted < limit
        if allowed:
            half.current += 1
            half.untold += 1
            return Window(True, limit - weighted - 1, left, 0.0)
        return window_of(
            False, limit, seconds, previous=half.previous, current=half.current, left=left
        )

    def half(self, name: str, now: float) -> Half:
        """The half of that name, made now if there is none."""
        half = self.halves.get(name)
        if half is None:
            half = self.halves[name] = Half(now)
            if len(self.halves) > self.ceiling:
                self.halves.popitem(last=False)
        else:
            self.halves.move_to_end(name)
        return half


MAKE = "INSERT INTO rate_limit_windows (name) VALUES ($1) ON CONFLICT (name) DO NOTHING"
# The row is locked before it is looked at, so that two processes never see the same last free place.
HIT = """
UPDATE rate_limit_windows AS w
SET began_at = n.began_at, previous = n.previous, current = n.current + n.allowed::int
FROM (
    SELECT name, began_at, previous, current, left_s,
           floor(previous * left_s / $3::int) + current < $2::int AS allowed
    FROM (
        SELECT name, s.began_at, s.previous, s.current,
               $3::int - extract(epoch FROM moment - s.began_at)::float8 AS left_s
        FROM (
            SELECT name, began_at, previous, current, clock_timestamp() AS moment, make_interval(secs => $3::int) AS half
            FROM rate_limit_windows WHERE name = $1 FOR UPDATE
        ) AS held,
        LATERAL (
            SELECT CASE WHEN moment < held.began_at + half THEN held.began_at
                        WHEN moment < held.began_at + 2 * half THEN held.began_at + half ELSE moment END AS began_at,
                   CASE WHEN moment < held.began_at + half THEN held.previous
                        WHEN moment < held.began_at + 2 * half THEN held.current ELSE 0 END AS previous,
                   CASE WHEN moment < held.began_at + half THEN held.current ELSE 0 END AS current
        ) AS s
    ) AS slid
) AS n
WHERE w.name = n.name
RETURNING n.allowed, w.previous, w.current, n.left_s
"""


async def hit(services: Services, name: str, limit: int, seconds: int) -> Window:
    """Count one under the name in PostgreSQL, where it is below the limit. Raises ServiceDown."""
    async with services.held() as held:
        row = await held.db.fetchrow(HIT, name, limit, seconds)
        if row is None:
            await held.db.execute(MAKE, name)
            row = await held.db.fetchrow(HIT, name, limit, seconds)
    return window_of(
        row["allowed"],
        limit,
        seconds,
        previous=row["previous"],
        current=row["current"],
        left=row["left_s"],
    )
