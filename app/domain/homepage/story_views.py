"""One story by itself: every item that tells it and that this reader may see, and why it stands where it does."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.homepage import news, news_folding, news_top, stories
from app.domain.homepage.news import Story
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
    return viewed(services, who, inside, outside)


def viewed(
    services: Services, who: Reader | None, inside: Sequence[Any], outside: Sequence[Any]
) -> StoryView:
    """The view of a story that these items tell."""
    pinned = frozenset(row["feed_id"] for row in inside if row["pinned"])
    chosen = news_folding.lead([row for row in inside if row["is_mine"]] or inside, pinned)
    lead = dict(chosen)
    lead["also_in"] = news_folding.sources(inside)
    lead["read"] = any(row["read"] for row in inside)
    lead["last_at"] = max(row["published_at"] for row in inside)
    lead["tags"] = list(dict.fromkeys(tag for row in (chosen, *inside) for tag in row["tags"]))
    shown = news.story(services, lead, "story", 0)
    why = news_top.why(
        told_at=lead["last_at"],
        now=datetime.now(UTC),
        tags=[tag.slug for tag in shown.tags],
        topics=news_top.topics_of(who),
        sources=lead["also_in"] + 1,
        pinned=bool(pinned),
    )
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
