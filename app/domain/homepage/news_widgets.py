"""News on the front page: the paper of all my feeds, and one feed or folder by itself."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from app.domain.homepage import (
    feed_errors,
    feeds,
    news,
    news_rows,
    news_top,
    subscriptions,
    tagging,
)
from app.domain.homepage.news import Story
from app.domain.homepage.news_rows import NewsQuery
from app.domain.homepage.widget_types import NewsSettings
from app.domain.platform.readers import Reader
from app.services import Services

STALE_AFTER = timedelta(hours=6)


class NewsWidget(msgspec.Struct):
    """What a news widget shows: stories, how old the newest look is, and one reason where something is wrong."""

    items: list[Story]
    state: str
    as_of: datetime | None
    look: str = "list"
    sentence: str = ""
    next_try: datetime | None = None
    title: str | None = None
    more: str = "/news"


UNCHOSEN = NewsWidget(
    [],
    "empty",
    None,
    sentence="Choose a feed or a folder in this widget's settings.",
    more="/feeds",
)

# The health of each of the reader's feeds; every widget of a page takes its share of these rows.
HEALTH = f"""
SELECT f.id, coalesce(s.title, f.title) AS title, s.folder, f.last_ok_at, f.next_fetch_at, f.failures, f.error_code
FROM ({subscriptions.READING}) AS s JOIN feeds f ON f.id = s.feed_id
"""  # noqa: S608 - joined from the literals above


async def filled(services: Services, who: Reader | None, wishes: Sequence[Any]) -> list[NewsWidget]:
    """What the news and feed widgets of one page show, with few statements for all of them together."""
    asked = [query_of(wish) for wish in wishes]
    health = await services.db.fetch(HEALTH, *feeds.asker(who))
    chosen = [query for query in asked if query is not None]
    lists = iter(await rows_of(services, who, chosen))
    found = [
        shown(services, wish, query, next(lists), health) if query is not None else UNCHOSEN
        for wish, query in zip(wishes, asked, strict=True)
    ]
    papers = [
        one for wish, one in zip(wishes, found, strict=True) if isinstance(wish, NewsSettings)
    ]
    return with_pause(found, papers[:1], await tagging.paused(services) if papers else "")


async def rows_of(
    services: Services, who: Reader | None, asked: Sequence[NewsQuery]
) -> list[list[Any]]:
    """The rows of each widget in its order: the latest of all widgets together, what is put in order by itself."""
    is_top = [news.order_of(who, query) == "top" for query in asked]
    by_time = [query for query, top in zip(asked, is_top, strict=True) if not top]
    latest = iter(await news_rows.of_lists(services, who, by_time))
    return [
        (await news_top.of_page(services, who, query))[0] if top else next(latest)
        for query, top in zip(asked, is_top, strict=True)
    ]


def with_pause(
    found: list[NewsWidget], papers: list[NewsWidget], sentence: str
) -> list[NewsWidget]:
    """The widgets of a page, where one of all news says, once and while nothing worse is to say, that AI is paused."""
    for paper in papers:
        if sentence and paper.state == "fresh":
            paper.state, paper.sentence = "paused", sentence
    return found


def query_of(wish: Any) -> NewsQuery | None:
    """What a widget's settings ask for; None when neither feed nor folder is chosen."""
    if isinstance(wish, NewsSettings):
        return NewsQuery(
            order=wish.order, tag=wish.tag, unread=wish.unread or None, limit=wish.count
        )
    if wish.feed_id is None and wish.folder is None:
        return None
    # What one source brings is looked at for its newest.
    return NewsQuery(order="latest", feed=wish.feed_id, folder=wish.folder, limit=wish.count)


def shown(
    services: Services, wish: Any, asked: NewsQuery, rows: list[Any], health: list[Any]
) -> NewsWidget:
    """One widget: its stories, with the health of the feeds they come from."""
    container = "news_feed" if isinstance(wish, NewsSettings) else "rss_feed"
    items = [news.story(services, row, container, place) for place, row in enumerate(rows)]
    own = [
        feed
        for feed in health
        if asked.feed in (None, feed["id"]) and asked.folder in (None, feed["folder"])
    ]
    state, sentence = standing(bool(items), own, datetime.now(UTC))
    return NewsWidget(
        items,
        state,
        max((feed["last_ok_at"] for feed in own if feed["last_ok_at"]), default=None),
        wish.look,
        sentence,
        min((feed["next_fetch_at"] for feed in own if feed["next_fetch_at"]), default=None)
        if sentence
        else None,
        own[0]["title"] if asked.feed and own else asked.folder,
        more_of(asked),
    )


def more_of(asked: NewsQuery) -> str:
    """Where the whole list is."""
    if asked.feed:
        return f"/news?feed={asked.feed}"
    if asked.folder:
        return f"/news?folder={quote(asked.folder)}"
    named = [(name, one) for name, one in (("tag", asked.tag), ("order", asked.order)) if one]
    return f"/news?{urlencode(named)}" if named else "/news"


def standing(has_items: bool, health: Sequence[Any], now: datetime) -> tuple[str, str]:
    """The state of a news widget and its one sentence."""
    if not health:
        return "empty", "No feeds yet. Find some that you like."
    if all(feed["failures"] for feed in health):
        return ("failing" if has_items else "waiting"), unread(
            [str(feed["error_code"]) for feed in health]
        )
    last_ok = max((feed["last_ok_at"] for feed in health if feed["last_ok_at"]), default=None)
    if last_ok is None:
        return "waiting", "First look under way"
    if not has_items:
        return "empty", "Nothing new. You have read it all, or your filters leave nothing."
    if now - last_ok > STALE_AFTER:
        return "stale", "The sources have not answered for a while."
    return "fresh", ""


def unread(codes: Sequence[str]) -> str:
    """Why nothing new comes: the reason of the one source, or that none of them could be read, with the reason they share."""
    reason = feed_errors.sentence(codes[0])
    if len(codes) == 1:
        return reason
    none = f"None of the {len(codes):,} sources could be read"
    return f"{none}: {reason[0].lower()}{reason[1:]}" if len(set(codes)) == 1 else f"{none}."
