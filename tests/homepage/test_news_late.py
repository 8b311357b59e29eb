"""Unread news after "mark all read": what came late and tells what was read stays away, and costs few looks."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.homepage import news, news_streams
from app.domain.homepage.news_rows import NewsQuery
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage.newsroom import NOW, feed, item, subscribed
from tests.people import member

MARK = "INSERT INTO news_watermarks (user_id, feed_id, read_before) VALUES ($1, 0, $2::timestamptz)"
FETCHED = "UPDATE feed_items SET fetched_at = $2 WHERE id = $1"
OF_STORY = (
    "UPDATE feed_items SET story_id = (SELECT story_id FROM feed_items WHERE id = $2) WHERE id = $1"
)
UNREAD = "INSERT INTO item_states (user_id, item_id, unread_at) VALUES ($1, $2, now())"
APART = "INSERT INTO story_splits (user_id, story_id, item_id) SELECT $1, story_id, id FROM feed_items WHERE id = $2"


async def told_late(services: Services, courier: int, gazette: int, number: int) -> tuple[int, int]:
    """An item that was read with all the rest an hour ago, and one of the same story that came afterwards."""
    minutes = 200 + number
    early = await item(services, courier, f"Early {number}", minutes=minutes)
    late = await item(services, gazette, f"Late {number}", minutes=minutes)
    await services.db.execute(FETCHED, early, NOW - timedelta(minutes=minutes))
    await services.db.execute(FETCHED, late, NOW - timedelta(minutes=5))
    await services.db.execute(OF_STORY, late, early)
    return early, late


@pytest.fixture
async def ground(services: Services) -> tuple[Reader, int, int]:
    """A reader of two papers who marked all as read an hour ago."""
    who = await member(services)
    courier, gazette = await feed(services, "courier"), await feed(services, "gazette")
    for paper in (courier, gazette):
        await subscribed(services, who, paper)
    await services.db.execute(MARK, who.id, NOW - timedelta(minutes=60))
    return who, courier, gazette


async def titles(services: Services, who: Reader) -> list[str]:
    page = await news.latest(services, who, NewsQuery(unread=True))
    return [story.title for story in page.items]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("", False),
        ("its twin is unread again", True),
        ("its twin is of a paper that is not read", True),
        ("it was taken out of the story", True),
    ],
)
async def test_what_came_late_is_shown_unless_its_story_was_read(
    services: Services, ground: Any, change: str, shown: bool
) -> None:
    who, courier, gazette = ground
    early, late = await told_late(services, courier, gazette, 1)
    if "unread" in change:
        await services.db.execute(UNREAD, who.id, early)
    elif "paper" in change:
        await subscribed(services, who, courier, unsubscribed_at=NOW)
    elif "story" in change:
        await services.db.execute(APART, who.id, late)
    assert (
        "Late 1" in " ".join(await titles(services, who))
        or "Early 1" in await titles(services, who)
    ) is shown


async def test_many_that_tell_what_was_read_take_two_statements(
    services: Services, ground: Any
) -> None:
    who, courier, gazette = ground
    for number in range(30):
        await told_late(services, courier, gazette, number)
    await item(services, courier, "New", minutes=1)
    made: list[str] = []
    services.db.connection.add_query_logger(lambda record: made.append(record.query))
    assert await titles(services, who) == ["New"]
    assert len([text for text in made if "typeinfo_tree" not in text]) == 2


async def test_the_last_place_is_not_looked_for_two_by_two(services: Services, ground: Any) -> None:
    who, courier, gazette = ground
    # Hidden twins are no plain case: the statement lets the late ones through, and the fold puts them aside.
    for number in range(40):
        early, _ = await told_late(services, courier, gazette, number)
        await services.db.execute(
            "INSERT INTO item_states (user_id, item_id, unread_at, hidden_at) VALUES ($1, $2, now(), now())", who.id, early
        )  # fmt: skip
    for number in range(20):
        await item(services, courier, f"New {number}", minutes=number)
    made: list[str] = []
    services.db.connection.add_query_logger(lambda record: made.append(record.query))
    assert len(await titles(services, who)) == 20
    looks = [
        text
        for text in made
        if text == news_streams.statement("late", unread=True, is_narrow=False)
    ]
    assert 1 <= len(looks) <= 4
