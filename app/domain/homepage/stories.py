"""Stories: one event, told by one or several items; the saved ones and those with some words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from app.domain.homepage import news, news_folding, tag_verdicts
from app.domain.homepage.news import NewsPage, Story, Tag
from app.domain.homepage.news_rows import NewsQuery
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

TAGS = "SELECT slug, name FROM tags WHERE state = 'active' ORDER BY sort"


async def tags(services: Services) -> list[Tag]:
    """The closed list of tags."""
    return [Tag(row["slug"], row["name"]) for row in await services.db.fetch(TAGS)]


# One item as this reader may see it: of a listed feed, of one they subscribe to, or saved while they did. $1 reader.
SEEN = f"""
SELECT i.id AS item_id, i.story_id AS id, i.title, i.url, i.feed_id, i.summary_html, i.author, i.published_at,
       i.image_key, i.language, coalesce(s.title, f.title) AS source, f.last_ok_at,
       st.read_at IS NOT NULL OR (st.unread_at IS NULL
           AND i.fetched_at <= coalesce(greatest(everything.read_before, this.read_before), '-infinity')) AS read,
       st.saved_at IS NOT NULL AS saved, st.saved_at, coalesce(s.pinned, false) AS pinned,
       s.user_id IS NOT NULL AS is_mine,
       EXISTS (SELECT FROM story_splits o WHERE o.user_id = $1 AND o.item_id = i.id AND o.story_id = i.story_id) AS is_apart,
       {tag_verdicts.SHOWN} AS tags
FROM feed_items i
JOIN feeds f ON f.id = i.feed_id
LEFT JOIN feed_subscriptions s ON s.feed_id = f.id AND s.user_id = $1 AND s.unsubscribed_at IS NULL
LEFT JOIN item_states st ON st.user_id = $1 AND st.item_id = i.id
LEFT JOIN news_watermarks everything ON everything.user_id = $1 AND everything.feed_id = 0
LEFT JOIN news_watermarks this ON this.user_id = $1 AND this.feed_id = f.id
WHERE (f.visibility = 'listed' OR f.owner_id = $1 OR s.user_id IS NOT NULL
    OR (f.visibility = 'member' AND st.saved_at IS NOT NULL))
"""  # noqa: S608 - joined from the literals above
BY_ITEM = f"{SEEN} AND i.id = $2"
SAVED = f"""{SEEN} AND st.saved_at IS NOT NULL AND ($2::timestamptz IS NULL OR (st.saved_at, i.id) < ($2, $3))
ORDER BY st.saved_at DESC, i.id DESC LIMIT $4"""
# A story stands at the place of the newest of its items that has the words.
ONCE = """
    AND NOT EXISTS (
        SELECT FROM feed_items n JOIN feeds nf ON nf.id = n.feed_id
        LEFT JOIN item_states nst ON nst.user_id = $1 AND nst.item_id = n.id
        WHERE n.story_id = i.story_id AND (n.published_at, n.id) > (i.published_at, i.id)
          AND (nf.visibility = 'listed' OR nf.owner_id = $1 OR nst.saved_at IS NOT NULL OR EXISTS (
              SELECT FROM feed_subscriptions ns
              WHERE ns.feed_id = nf.id AND ns.user_id = $1 AND ns.unsubscribed_at IS NULL))
          AND NOT EXISTS (SELECT FROM story_splits o
              WHERE o.user_id = $1 AND o.story_id = i.story_id AND o.item_id IN (i.id, n.id))
          AND {has_words})
"""
HAS_WORDS = "{0}.search @@ websearch_to_tsquery('english', $2)"
SEARCH = f"""{SEEN} AND {HAS_WORDS.format("i")} {ONCE.format(has_words=HAS_WORDS.format("n"))}
    AND ($3::timestamptz IS NULL OR (i.published_at, i.id) < ($3, $4))
ORDER BY i.published_at DESC, i.id DESC LIMIT $5"""


async def by_item(services: Services, who: Reader | None, item_id: int) -> Story:
    """The story of one item, led by that item. Raises NotFound."""
    row = await services.db.fetchrow(BY_ITEM, who.id if who else 0, item_id)
    if row is None:
        raise NotFound("This story is not here any more.")
    [counted] = await with_sources(services, who, [row])
    return news.story(services, counted, "page", 0)


async def with_sources(
    services: Services, who: Reader | None, rows: Sequence[Any]
) -> list[dict[str, Any]]:
    """The rows, each with how many other sources tell its event."""
    kin = await news_folding.kin_of(services, who, (row["id"] for row in rows))
    return [
        dict(row)
        | {"also_in": news_folding.sources(news_folding.together(row, kin.get(row["id"], [])))}
        for row in rows
    ]


class Saved(msgspec.Struct):
    """What one person saved."""

    items: list[Story]
    next: str | None
    total: None = None


async def saved(services: Services, who: Reader | None, asked: NewsQuery) -> Saved:
    """What the reader saved, the last saved first. Raises Invalid for a cursor that is not ours."""
    at, item_id = news.cursor(asked.cursor)
    rows = await services.db.fetch(SAVED, who.id if who else 0, at, item_id, asked.limit + 1)
    counted = await with_sources(services, who, rows)
    items, following = paged(services, counted, asked.limit, "saved", "saved_at")
    return Saved(items, following)


# What the engine found among the listed, and what PostgreSQL finds among the reader's own feeds, which it never sees.
NUMBERED_WORDS = (
    f"""({{0}}.id = ANY($6::bigint[]) OR ({{1}}.visibility <> 'listed' AND {HAS_WORDS}))"""
)
NUMBERED = f"""{SEEN} AND {NUMBERED_WORDS.format("i", "f")} {ONCE.format(has_words=NUMBERED_WORDS.format("n", "nf"))}
    AND ($3::timestamptz IS NULL OR (i.published_at, i.id) < ($3, $4))
ORDER BY i.published_at DESC, i.id DESC LIMIT $5"""


async def found(
    services: Services,
    who: Reader | None,
    words: str,
    cursor: str | None,
    limit: int,
    numbers: list[int] | None = None,
) -> NewsPage:
    """Stories with these words, newest first, of what this reader may see.

    `numbers` are the listed items that a search engine found; without them PostgreSQL looks by itself.
    """
    at, item_id = news.cursor(cursor)
    asked = (who.id if who else 0, words, at, item_id, limit + 1)
    if numbers is None:
        rows = await services.db.fetch(SEARCH, *asked)
    else:
        rows = await services.db.fetch(NUMBERED, *asked, numbers)
    counted = await with_sources(services, who, rows)
    items, following = paged(services, counted, limit, "search", "published_at")
    return NewsPage(items, following)


def paged(
    services: Services, rows: Sequence[Any], limit: int, container: str, by: str
) -> tuple[list[Story], str | None]:
    """The rows of one page as stories, and the cursor where more follow."""
    shown = [news.story(services, row, container, place) for place, row in enumerate(rows[:limit])]
    if len(rows) <= limit:
        return shown, None
    last = rows[limit - 1]
    at: datetime = last[by]
    return shown, news.cursor_of((at, last["item_id"]))


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
