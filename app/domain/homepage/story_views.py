"""One story by itself: every item that tells it and that this reader may see, and why it stands where it does."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.homepage import (
    feeds,
    news,
    news_filters,
    news_folding,
    news_rows,
    news_top,
    stories,
)
from app.domain.homepage.news import Story
from app.domain.homepage.news_rows import NewsQuery
from app.domain.homepage.news_top import Why
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services


class Told(msgspec.Struct):
    """One item of a story: who tells it, how, and when."""

    item_id: int
    title: str
    href: str
    host: str
    source: str
    feed_id: int
    published_at: datetime


class StoryView(Story, kw_only=True):
    """A story with all its items, what the reader took out of it, and the figures of its place."""

    tellings: list[Told]
    taken_out: list[Told]
    why: Why


# What stands in the story, and what this reader took out of it, wherever it stands now.
OF_STORY = f"""{stories.SEEN} AND i.id = ANY(ARRAY(
    SELECT id FROM feed_items WHERE story_id = $2
    UNION SELECT item_id FROM story_splits WHERE user_id = $1 AND story_id = $2))
ORDER BY i.published_at, i.id"""  # noqa: S608 - joined from the literals above


async def of_story(
    services: Services, who: Reader | None, story_id: int, item_id: int | None = None
) -> StoryView:
    """One story, or with `item_id` one item of it by itself. Raises NotFound."""
    rows = await services.db.fetch(OF_STORY, who.id if who else 0, story_id)
    inside = [row for row in rows if row["id"] == story_id and not row["is_apart"]]
    outside = [row for row in rows if row["id"] != story_id or row["is_apart"]]
    if item_id is not None:
        inside, outside = [row for row in rows if row["item_id"] == item_id], []
    if not inside:
        inside, outside = outside[:1], outside[1:]
    if not inside:
        raise NotFound("This story is not here any more.")
    listed = await in_list(services, who, [row["item_id"] for row in inside])
    return viewed(services, who, inside, outside, listed)


# Of some items those that may stand in the reader's own lists.
MINE = f"""
SELECT i.id FROM feed_items i JOIN feeds f ON f.id = i.feed_id
LEFT JOIN feed_subscriptions mine ON mine.user_id = $1 AND mine.feed_id = i.feed_id
WHERE i.id = ANY($3) AND {news_folding.IS_MINE.replace("$13", "$2")} ORDER BY i.published_at DESC, i.id DESC
"""  # noqa: S608 - joined from the literals above


async def in_list(services: Services, who: Reader | None, items: list[int]) -> Any | None:
    """The row of these items in the reader's list: what they do not read or have muted gives a story no place there."""
    mine = await services.db.fetch(MINE, *feeds.asker(who), items)
    walked = [{"id": row["id"], "read_before": None} for row in mine]
    asked = news_rows.begun(who, NewsQuery(unread=False), len(items), (None, 0))
    sieve = news_filters.sieve_of((await news_filters.mine(services, who)).items)
    [passed] = await news_rows.passing(services, who, [asked], [walked], sieve)
    rows = news_folding.stories(passed, unread=False, is_of_list=asked.is_of_list)
    return rows[0] if rows else None


# Where what this reader may see of a story stands, once nothing that they may see is left in it.
MOVED = f"""
WITH seen AS ({stories.SEEN} AND i.id = ANY(ARRAY(
    SELECT id FROM feed_items WHERE story_id = $2 UNION SELECT item_id FROM story_moves WHERE story_id = $2)))
SELECT id FROM seen WHERE NOT EXISTS (SELECT FROM seen WHERE id = $2) AND NOT is_apart
GROUP BY id ORDER BY count(*) DESC, id LIMIT 1
"""  # noqa: S608 - joined from the literals above


async def moved_to(services: Services, who: Reader | None, story_id: int) -> int | None:
    """The story that one which is gone has become part of, as far as this reader may see it; None for none.

    Other readers' feeds have no part in this: where a guest went shows to nobody but those who read it.
    """
    found: int | None = await services.db.fetchval(MOVED, who.id if who else 0, story_id)
    return found


def viewed(
    services: Services,
    who: Reader | None,
    inside: Sequence[Any],
    outside: Sequence[Any],
    listed: Any | None,
) -> StoryView:
    """The view of a story that these items tell; `listed` is its row in the reader's list, if it has one."""
    pinned = frozenset(row["feed_id"] for row in inside if row["pinned"])
    chosen = news_folding.lead([row for row in inside if row["is_mine"]] or inside, pinned)
    lead = dict(chosen)
    lead["also_in"] = news_folding.sources(inside)
    lead["read"] = any(row["read"] for row in inside)
    lead["last_at"] = max(row["published_at"] for row in inside)
    lead["tags"] = list(dict.fromkeys(tag for row in (chosen, *inside) for tag in row["tags"]))
    lead["pinned"] = bool(pinned)
    shown = news.story(services, lead, "story", 0)
    why = news_top.why_of(listed or lead, news_top.topics_of(who), datetime.now(UTC))
    return StoryView(
        **{name: getattr(shown, name) for name in Story.__struct_fields__},
        tellings=[telling(services, row, place) for place, row in enumerate(inside)],
        taken_out=[telling(services, row, place) for place, row in enumerate(outside)],
        why=why,
    )


def telling(services: Services, row: Any, place: int) -> Told:
    """One item of a story as it is listed there."""
    one = news.story(services, row, "story", place)
    return Told(**{name: getattr(one, name) for name in Told.__struct_fields__})
