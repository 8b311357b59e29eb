"""News on the front page: the paper of all my feeds, and one feed or folder by itself."""

from datetime import UTC, datetime, timedelta

import msgspec

from app.domain.homepage import feed_errors, news
from app.domain.homepage.news import NewsQuery, Story
from app.domain.homepage.widget_types import FeedSettings, NewsSettings
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


HEALTH = """
SELECT count(*) AS feeds, max(f.last_ok_at) AS last_ok_at, min(f.next_fetch_at) AS next_fetch_at,
       count(*) FILTER (WHERE f.failures > 0) AS failing, max(f.error_code) AS error_code, min(f.title) AS title
FROM feeds f
LEFT JOIN feed_subscriptions s ON s.feed_id = f.id AND s.user_id = $1
WHERE s.unsubscribed_at IS NULL
    AND (s.user_id IS NOT NULL OR (NOT $2 AND f.default_on AND f.visibility = 'listed'))
    AND ($3::bigint IS NULL OR f.id = $3) AND ($4::text IS NULL OR s.folder = $4)
"""


async def paper(services: Services, who: Reader | None, settings: NewsSettings) -> NewsWidget:
    """The news of all the reader's feeds, or of one tag."""
    asked = NewsQuery(tag=settings.tag, unread=settings.unread or None, limit=settings.count)
    more = f"/news?tag={settings.tag}" if settings.tag else "/news"
    return await filled(services, who, asked, "news_feed", settings.look, more)


async def one_feed(services: Services, who: Reader | None, settings: FeedSettings) -> NewsWidget:
    """One feed or one folder; with neither chosen, a sentence that says so."""
    if settings.feed_id is None and settings.folder is None:
        return NewsWidget([], "empty", None, sentence="Choose a feed or a folder in this widget's settings.", more="/feeds")
    asked = NewsQuery(feed=settings.feed_id, folder=settings.folder, limit=settings.count)
    more = f"/news?feed={settings.feed_id}" if settings.feed_id else f"/news?folder={settings.folder}"
    return await filled(services, who, asked, "rss_feed", "list", more)


async def filled(
    services: Services, who: Reader | None, asked: NewsQuery, container: str, look: str, more: str
) -> NewsWidget:
    """The stories, with the health of the feeds they come from."""
    page = await news.latest(services, who, asked, container)
    health = await services.db.fetchrow(
        HEALTH, who.id if who else 0, who is not None and who.is_member, asked.feed, asked.folder
    )
    state, sentence = standing(bool(page.items), dict(health), datetime.now(UTC))
    title = health["title"] if asked.feed else asked.folder
    return NewsWidget(
        page.items, state, health["last_ok_at"], look, sentence, health["next_fetch_at"] if sentence else None, title, more
    )


def standing(has_items: bool, health: dict[str, object], now: datetime) -> tuple[str, str]:
    """The state of a news widget and its one sentence."""
    last_ok = health["last_ok_at"]
    if not health["feeds"]:
        return "empty", "No feeds yet. Find some that you like."
    if health["failing"] == health["feeds"]:
        reason = feed_errors.sentence(str(health["error_code"] or "timeout"))
        return ("failing" if has_items else "waiting"), reason
    if not isinstance(last_ok, datetime):
        return "waiting", "First look under way"
    if not has_items:
        return "empty", "Nothing new. You have read it all, or your filters leave nothing."
    if now - last_ok > STALE_AFTER:
        return "stale", "The sources have not answered for a while."
    return "fresh", ""
