"""Order `top`: how fresh, how near to one's topics, how widely told, whether pinned (chapter 20 rule 34). Clicks play no part.

The newest stories are put in order by the whole window, then those of the next window: each comes once, no page is short.
"""

import base64
import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.domain.homepage import news_rows
from app.domain.homepage.news_rows import NewsQuery, Place
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services

WINDOW = 120
HALF_LIFE_HOURS, OF_TOPICS, OF_SOURCES, OF_PINNED, OF_SAME_FEED = 12, 0.6, 0.4, 0.3, 0.8
# Now at the first page, where the window begins, and how many of it were shown.
CURSOR = struct.Struct(">qqqH")
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


class Why(msgspec.Struct):
    """The four figures that give a story its place, and their sum."""

    freshness: float
    topics: float
    sources: float
    pinned: float
    total: float


def why(
    *,
    told_at: datetime,
    now: datetime,
    tags: Sequence[str],
    topics: Sequence[str],
    sources: int,
    pinned: bool,
) -> Why:
    """The figures of one story. `tags` and `topics` are slugs; `sources` counts feeds that the reader may see."""
    hours = max((now - told_at) / timedelta(hours=1), 0.0)
    figures = (
        2.0 ** (-hours / HALF_LIFE_HOURS),
        OF_TOPICS * len(set(tags) & set(topics)) / len(set(topics)) if topics else 0.0,
        OF_SOURCES * min(1.0, math.log2(max(sources, 1)) / 3),
        OF_PINNED if pinned else 0.0,
    )
    return Why(*figures, sum(figures))


def topics_of(who: Reader | None) -> list[str]:
    """The topics that a reader chose."""
    return list(who.preferences.get("news", {}).get("topics", [])) if who else []


def ranked(rows: Sequence[Any], topics: Sequence[str], now: datetime) -> list[Any]:
    """The rows of one window, best first; the k-th further story of a feed counts 0.8^k."""
    scored = [(why_of(row, topics, now).total, row) for row in rows]
    scored.sort(key=lambda pair: (-pair[0], -pair[1]["last_item"]))
    led: dict[int, int] = {}
    damped = []
    for score, row in scored:
        before = led.get(row["feed_id"], 0)
        led[row["feed_id"]] = before + 1
        damped.append((score * OF_SAME_FEED**before, row))
    damped.sort(key=lambda pair: (-pair[0], -pair[1]["last_item"]))
    return [row for _, row in damped]


def why_of(row: Any, topics: Sequence[str], now: datetime) -> Why:
    """The figures of one row of a list."""
    return why(
        told_at=row["last_at"],
        now=now,
        tags=[tag.split("=", 1)[0] for tag in row["tags"]],
        topics=topics,
        sources=row["also_in"] + 1,
        pinned=row["pinned"],
    )


Page = tuple[list[Any], str | None]


async def of_page(services: Services, who: Reader | None, asked: NewsQuery) -> Page:
    """The rows of one page, over as many windows as it takes, and the cursor of the next. Raises Invalid."""
    now, begin, shown = place_of(asked.cursor)
    rows: list[Any] = []
    while True:
        window = news_rows.begun(who, asked, WINDOW + 1, begin)
        await news_rows.fill(services, who, [window])
        best = ranked(window.rows[:WINDOW], topics_of(who), now)
        if begin[0] is None and window.rows:
            # Told by the story at its top: what comes later stands above this window.
            begin = (window.rows[0]["last_at"], window.rows[0]["last_item"] + 1)
        room = asked.limit - len(rows)
        rows += best[shown : shown + room]
        if len(best) > shown + room:
            return rows, cursor_of(now, begin, shown + room)
        is_last = len(window.rows) <= WINDOW
        if is_last:
            return rows, cursor_of(now, window.after, 0) if window.was_long else None
        begin, shown = last_place(window.rows[WINDOW - 1]), 0
        if len(rows) == asked.limit:
            return rows, cursor_of(now, begin, 0)


def last_place(row: Any) -> Place:
    """Where a window ends: the next begins behind it."""
    return row["last_at"], row["last_item"]


def cursor_of(now: datetime, begin: Place, shown: int) -> str:
    """The cursor of a page: times in microseconds."""
    at = ((begin[0] or BEGINNING) - BEGINNING) // MICRO
    packed = CURSOR.pack((now - BEGINNING) // MICRO, at, begin[1], shown)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def place_of(cursor: str | None) -> tuple[datetime, Place, int]:
    """Now, the beginning of the window, and how many of it were shown. Raises Invalid."""
    if not cursor:
        return datetime.now(UTC), (None, 0), 0
    try:
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        now, at, item_id, shown = CURSOR.unpack(raw)
        return BEGINNING + now * MICRO, (BEGINNING + at * MICRO, item_id), shown
    except (ValueError, struct.error, OverflowError):
        raise Invalid(
            "This page of the list is not known. Start again from the top.", code="bad_cursor"
        ) from None
