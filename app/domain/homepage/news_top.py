"""Order `top`: how fresh, how near to one's topics, how widely told, whether pinned (chapter 20 rule 34). Clicks play no part.

The newest stories are put in order by the whole window, then those of the next window: each comes once, no page is short.
Later pages look at the news as it was at the first: what comes meanwhile is for the next first page.
"""

import base64
import math
import struct
from collections.abc import Iterable, Iterator, Sequence
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
# When the first page was made and where the window begins; behind it stands what of the window was shown. A cursor that
# said only how many were shown would lose and repeat stories whenever something comes, goes, or is told once more.
CURSOR = struct.Struct(">qqq")
# Of what was shown and is in the window no more, because it was read or hidden, this much is kept in mind.
MOST_SHOWN = 2 * WINDOW
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


def ranked(
    rows: Sequence[Any], topics: Sequence[str], now: datetime, shown: frozenset[int] = frozenset()
) -> list[Any]:
    """The rows of one window that were not `shown`, best first; the k-th further story of a feed counts 0.8^k.

    What was shown stood above the rest, whatever has become of it since.
    """
    scored = [
        (bool(shown) and not shown.isdisjoint(row["told_by"]), why_of(row, topics, now).total, row)
        for row in rows
    ]
    scored.sort(key=lambda one: (not one[0], -one[1], -one[2]["last_item"]))
    led: dict[int, int] = {}
    damped = []
    for was_shown, score, row in scored:
        before = led.get(row["feed_id"], 0)
        led[row["feed_id"]] = before + 1
        if not was_shown:
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
    since, begin, shown = place_of(asked.cursor)
    now = since or datetime.now(UTC)
    rows: list[Any] = []
    while True:
        window = news_rows.begun(who, asked, WINDOW + 1, begin)
        window.until = since
        await news_rows.fill(services, who, [window])
        inside = window.rows[:WINDOW]
        best = ranked(inside, topics_of(who), now, shown)
        taken = best[: asked.limit - len(rows)]
        rows += taken
        shown |= {row["last_item"] for row in taken}
        # By the database's clock, which may be another: what this page was made of was there in time.
        now = max([now, *(row["fetched_at"] for row in inside)])
        if len(best) > len(taken):
            return rows, cursor_of(now, begin, shown)
        if len(window.rows) <= WINDOW:
            return rows, cursor_of(now, window.after, shown) if window.was_long else None
        # What has come into the window late has moved others out at its end: those are not shown once more.
        shown -= {item for row in inside for item in row["told_by"]}
        begin = inside[-1]["last_at"], inside[-1]["last_item"]
        if len(rows) == asked.limit:
            return rows, cursor_of(now, begin, shown)


def cursor_of(now: datetime, begin: Place, shown: Iterable[int]) -> str:
    """The cursor of a page: times in microseconds, then what was shown, each by its distance from the one before."""
    packed = CURSOR.pack(micros(now), micros(begin[0] or BEGINNING), begin[1])
    last = 0
    for item in sorted(shown)[-MOST_SHOWN:]:
        packed += written(item - last)
        last = item
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def micros(at: datetime) -> int:
    """A time as a whole number."""
    return (at - BEGINNING) // MICRO


def written(number: int) -> bytes:
    """A number in as few bytes as it takes, seven bits each."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def place_of(cursor: str | None) -> tuple[datetime | None, Place, frozenset[int]]:
    """When the first page was made, the beginning of the window, and what of it was shown. Raises Invalid."""
    if not cursor:
        return None, (None, 0), frozenset()
    try:
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        now, at, item_id = CURSOR.unpack(raw[: CURSOR.size])
        begin = (BEGINNING + at * MICRO, item_id) if at else (None, 0)
        return BEGINNING + now * MICRO, begin, frozenset(read(raw[CURSOR.size :]))
    except (ValueError, struct.error, OverflowError):
        raise Invalid(
            "This page of the list is not known. Start again from the top.", code="bad_cursor"
        ) from None


def read(raw: bytes) -> Iterator[int]:
    """The numbers that were written one after the other. Raises ValueError for more than we write."""
    last = number = bits = 0
    if raw and raw[-1] > 127:
        raise ValueError
    for byte in raw:
        number |= (byte & 127) << bits
        bits += 7
        if byte < 128:
            last += number
            number = bits = 0
            yield last
