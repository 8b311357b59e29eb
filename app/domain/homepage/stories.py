"""Stories: one event. Until items are joined (chapter 20 rule 31), each item is a story of its own."""

from datetime import datetime
from typing import Any

import msgspec

from app.domain.homepage import news
from app.domain.homepage.news import NewsPage, Story, Tag
from app.domain.homepage.news_rows import NewsQuery
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

TAGS = "SELECT slug, name FROM tags WHERE state = 'active' ORDER BY sort"


async def tags(services: Services) -> list[Tag]:
    """The closed list of tags."""
    return [Tag(row["slug"], row["name"]) for row in await services.db.fetch(TAGS)]


# One item as this reader may see it: of a listed feed, or of one they subscribe to. $1 reader.
SEEN = """
SELECT i.id AS item_id, i.story_id AS id, i.title, i.url, i.feed_id, i.summary_html, i.author, i.published_at,
       i.image_key, i.language, coalesce(s.title, f.title) AS source, f.last_ok_at,
       st.read_at IS NOT NULL OR (st.unread_at IS NULL
           AND i.fetched_at <= coalesce(greatest(everything.read_before, this.read_before), '-infinity')) AS read,
       st.saved_at IS NOT NULL AS saved, st.saved_at,
       array(SELECT t.slug || '=' || t.name FROM item_tags it JOIN tags t ON t.id = it.tag_id
             WHERE it.item_id = i.id ORDER BY t.sort) AS tags
FROM feed_items i
JOIN feeds f ON f.id = i.feed_id
LEFT JOIN feed_subscriptions s ON s.feed_id = f.id AND s.user_id = $1 AND s.unsubscribed_at IS NULL
LEFT JOIN item_states st ON st.user_id = $1 AND st.item_id = i.id
LEFT JOIN news_watermarks everything ON everything.user_id = $1 AND everything.feed_id = 0
LEFT JOIN news_watermarks this ON this.user_id = $1 AND this.feed_id = f.id
WHERE (f.visibility = 'listed' OR f.owner_id = $1 OR s.user_id IS NOT NULL)
"""
BY_ID = f"{SEEN} AND i.story_id = $2 ORDER BY i.published_at LIMIT 1"
BY_ITEM = f"{SEEN} AND i.id = $2"
SAVED = f"""{SEEN} AND st.saved_at IS NOT NULL AND ($2::timestamptz IS NULL OR (st.saved_at, i.id) < ($2, $3))
ORDER BY st.saved_at DESC, i.id DESC LIMIT $4"""
SEARCH = f"""{SEEN} AND i.search @@ websearch_to_tsquery('english', $2)
    AND ($3::timestamptz IS NULL OR (i.published_at, i.id) < ($3, $4))
ORDER BY i.published_at DESC, i.id DESC LIMIT $5"""


async def by_id(services: Services, who: Reader | None, story_id: int) -> Story:
    """One story. Raises NotFound."""
    return one(services, await services.db.fetchrow(BY_ID, who.id if who else 0, story_id), "story")


async def by_item(services: Services, who: Reader | None, item_id: int) -> Story:
    """The story of one item. Raises NotFound."""
    return one(services, await services.db.fetchrow(BY_ITEM, who.id if who else 0, item_id), "page")


def one(services: Services, row: Any, container: str) -> Story:
    """The row as a story. Raises NotFound when there is none."""
    if row is None:
        raise NotFound("This story is not here any more.")
    return news.story(services, row, container, 0)


class Saved(msgspec.Struct):
    """What one person saved."""

    items: list[Story]
    next: str | None
    total: None = None


async def saved(services: Services, who: Reader | None, asked: NewsQuery) -> Saved:
    """What the reader saved, the last saved first. Raises Invalid for a cursor that is not ours."""
    at, item_id = news.cursor(asked.cursor)
    rows = await services.db.fetch(SAVED, who.id if who else 0, at, item_id, asked.limit + 1)
    items, following = paged(services, rows, asked.limit, "saved", "saved_at")
    return Saved(items, following)


async def found(
    services: Services, who: Reader | None, words: str, cursor: str | None, limit: int
) -> NewsPage:
    """Stories with these words, newest first, of what this reader may see."""
    at, item_id = news.cursor(cursor)
    rows = await services.db.fetch(SEARCH, who.id if who else 0, words, at, item_id, limit + 1)
    items, following = paged(services, rows, limit, "search", "published_at")
    return NewsPage(items, following)


def paged(
    services: Services, rows: list[Any], limit: int, container: str, by: str
) -> tuple[list[Story], str | None]:
    """The rows of one page as stories, and the cursor where more follow."""
    shown = [news.story(services, row, container, place) for place, row in enumerate(rows[:limit])]
    if len(rows) <= limit:
        return shown, None
    last = rows[limit - 1]
    at: datetime = last[by]
    return shown, news.cursor_of({"published_at": at, "item_id": last["item_id"]})


# The nearest title, for "Did you mean": only of what everybody may see.
NEAREST = """
SELECT word FROM (
    SELECT DISTINCT unnest(string_to_array(lower(i.title), ' ')) AS word
    FROM feed_items i JOIN feeds f ON f.id = i.feed_id
    WHERE f.visibility = 'listed' AND $1 <% i.title LIMIT 500
) AS words WHERE word % $1 AND length(word) > 2 ORDER BY similarity(word, $1) DESC, word LIMIT 1
"""


async def nearest_word(services: Services, word: str) -> str | None:
    """The word of a public headline that is most like this one; None when none is near."""
    return await services.db.fetchval(NEAREST, word.lower())  # type: ignore[no-any-return]
