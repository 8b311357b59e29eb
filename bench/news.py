"""How much slower is a page of news than the plain newest 20 of the same feeds? (chapter 20 §9 line 4)"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

from app import config
from app.config import Settings
from app.db import migrate
from app.domain.homepage import news
from app.domain.homepage.news import NewsPage
from app.domain.homepage.news_rows import NewsQuery
from app.domain.platform.readers import Reader
from app.services import Services
from app.start import open_services
from bench import _newsroom, _site
from bench._bare import NEWS as PLAIN
from bench._load import percentile

ITEMS, FEEDS, ROUNDS, WALKED = 500_000, 150, 150, 2_000


class Case(NamedTuple):
    """One page: who looks, at what, and whether the gate of five holds for it."""

    who: str
    asked: dict[str, Any]
    gate: bool = True


# `reader` and `done` have 20,000 marks over all of the time, most of them new; `done` marked all as read a minute ago,
# `lapsed` twenty days ago. `thorough` read the newest 20,000 one by one, which no mark sums up: it is told, not judged.
CASES = {
    "latest": Case("reader", {}),
    "hide_read": Case("reader", {"unread": True}),
    "hide_read_after_mark_all": Case("done", {"unread": True}),
    "hide_read_20_days_after": Case("lapsed", {"unread": True}),
    "one_feed": Case("reader", {"feed": 7}),
    "one_folder": Case("reader", {"folder": "Folder 4"}),
    "common_tag": Case("reader", {"tag": "tag8"}, gate=False),
    "rare_tag": Case("reader", {"tag": "tag16"}, gate=False),
    "common_word": Case("reader", {"q": "goats"}, gate=False),
    "rare_words": Case("reader", {"q": "word200 term200"}, gate=False),
    "hide_20000_read_one_by_one": Case("thorough", {"unread": True}, gate=False),
}


async def main() -> None:
    """Fill, measure in turns, walk, print."""
    begin = time.perf_counter()
    given = {name.lower(): value for name, value in _site.SECRETS.items()}
    settings = config.load(
        {**os.environ, "ENVIRONMENT": "test", "VAR_DIR": str(_site.FOLDER)}, **given
    )
    people = await filled(settings)
    print(f"{ITEMS:,} items of {FEEDS} feeds in {_site.since(begin)}")
    async with open_services(settings, pool_size=1) as services:
        ratios = await measured(services, people)
        stories = await walked(services, people["reader"])
    worst = max(ratio for name, ratio in ratios.items() if CASES[name].gate)
    detail = {**ratios, "stories_walked": stories}
    print(json.dumps({"bench": "news", "ratio": worst, "detail": detail}))


async def filled(settings: Settings) -> dict[str, Reader]:
    """The newsroom with its members."""
    await migrate(settings)
    connection = await asyncpg.connect(settings.database_url)
    try:
        await _newsroom.fill(connection, ITEMS, FEEDS)
        return {
            "reader": await _newsroom.member(connection, "reader", _newsroom.MARKS),
            "thorough": await _newsroom.member(connection, "thorough", _newsroom.NEWEST),
            "done": await _newsroom.member(connection, "done", _newsroom.MARKS, "1 minute"),
            "lapsed": await _newsroom.member(connection, "lapsed", _newsroom.MARKS, "20 days"),
        }
    finally:
        await connection.execute("VACUUM ANALYZE")
        await connection.close()


async def measured(services: Services, people: dict[str, Reader]) -> dict[str, float]:
    """The p95 of each case over that of the plain query, asked in turn with it on one connection."""
    feeds = [row["id"] for row in await services.db.fetch("SELECT id FROM feeds")]
    ratios: dict[str, float] = {}
    for name, case in CASES.items():
        asked, who = NewsQuery(**case.asked), people[case.who]
        if case.asked.get("feed"):
            feeds_asked = [case.asked["feed"]]
        elif case.asked.get("folder"):
            feeds_asked = [number for number in feeds if number % 10 == 4]
        else:
            feeds_asked = feeds
        ours, plain = await in_turn(
            lambda: news.latest(services, who, asked),  # noqa: B023 - called before the next turn
            lambda: services.db.fetch(PLAIN, feeds_asked),  # noqa: B023
        )
        ratios[name] = told(name, ours, plain)
    return ratios


def told(name: str, ours: list[float], plain: list[float]) -> float:
    """Print both sides of a case; the p95 of ours over that of the plain query."""
    middle, high = (
        [1000 * percentile(side, share) for side in (ours, plain)] for share in (0.5, 0.95)
    )
    ratio = round(high[0] / high[1], 2)
    print(
        f"{name:28} p50 {middle[0]:7.2f} ms, {middle[0] / middle[1]:5.2f} x the plain query's {middle[1]:5.2f};"
        f" p95 {high[0]:7.2f} ms, {ratio:5.2f} x its {high[1]:5.2f} (load {os.getloadavg()[0]:.1f})"
    )
    return ratio


async def in_turn(
    ours: Callable[[], Awaitable[NewsPage]], plain: Callable[[], Awaitable[Any]]
) -> tuple[list[float], list[float]]:
    """Seconds of each look, ours and the plain one in turn; at most five seconds of both."""
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + 5
    for number in range(ROUNDS):
        for spent, look in zip(times, (ours, plain), strict=True):
            begin = time.perf_counter()
            await look()
            if number >= 8:  # plans are made in the first few
                spent.append(time.perf_counter() - begin)
        if time.perf_counter() > end and number > 20:
            break
    return times


async def walked(services: Services, who: Reader) -> int:
    """Walk the cursors from the top: every page is full, no story comes twice."""
    seen: set[int] = set()
    cursor, pages = None, 0
    while len(seen) < WALKED:
        page = await news.latest(services, who, NewsQuery(cursor=cursor))
        pages, cursor = pages + 1, page.next
        seen |= {story.id for story in page.items}
        assert len(page.items) == 20, f"page {pages} has {len(page.items)} stories"
        assert len(seen) == pages * 20, f"a story came twice by page {pages}"
        assert cursor is not None
    return len(seen)


if __name__ == "__main__":
    asyncio.run(main())
