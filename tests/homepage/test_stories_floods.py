"""A flood of items that are nearly the same: what one item costs stays bounded, and its story is found all the same."""

import pytest
from msgspec.structs import replace

from app.domain.homepage import story_candidates, story_desks
from app.domain.homepage.story_assignment import found_by, member_of
from app.domain.homepage.story_desks import Assigned, Desk, Source
from app.services import Services
from tests.homepage.newsroom import feed
from tests.homepage.telling_papers import QUAKE, bring, entry, figures, stories_of

FLOOD = """
WITH told AS (
    INSERT INTO stories (first_at, last_at, language) SELECT now(), now(), 'en' FROM generate_series(1, $3::int) RETURNING id
)
INSERT INTO feed_items (feed_id, guid_hash, title, summary_html, language, published_at, content_hash, story_id, story_keys)
SELECT $1, sha256(id::text::bytea), $4, $5, 'en', now() - interval '1 hour', '', id, $2 FROM told
"""
WORDS = "INSERT INTO story_words (key, span, items) SELECT key, 0, $2 FROM unnest($1::int[]) AS key ON CONFLICT DO NOTHING"


async def flooded(services: Services, count: int) -> None:
    """One feed with so many items that tell of a quake in the same words, each a story."""
    courier = await feed(services, "courier")
    told = entry(*QUAKE[0])
    found = found_by(Source(courier, "listed"), told.title, member_of(Source(courier, "listed"), told))  # fmt: skip
    await services.db.execute(FLOOD, courier, found, count, told.title, told.summary_html)
    await services.db.execute(WORDS, found, count)


async def test_of_thousands_that_are_the_same_the_newest_are_looked_at(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await flooded(services, 3_000)
    gazette = await feed(services, "gazette")
    member = member_of(Source(gazette, "listed"), entry(*QUAKE[1]))
    assert len(await story_candidates.of_item(services, member)) == 8
    monkeypatch.setattr(story_candidates, "MOST_SHARING", 5)
    newest = await services.db.fetch("SELECT id FROM feed_items ORDER BY id DESC LIMIT 5")
    rows = await story_candidates.of_item(services, member)
    assert {row["id"] for row in rows} == {row["id"] for row in newest}
    [item] = await bring(services, gazette, entry(*QUAKE[1]))
    [story] = await stories_of(services, [item])
    assert (await figures(services, story))["items"] == 2


WAYS = (
    "again",
    "today",
    "nearby",
    "inland",
    "offshore",
    "overnight",
    "suddenly",
    "briefly",
    "lightly",
    "twice",
)
ENTRIES = [entry(f"{QUAKE[0][0]} {way}", QUAKE[0][1]) for way in WAYS]


@pytest.mark.parametrize(("times", "together", "done"), [(50, 120, 10), (3, 120, 3), (50, 2, 0)])
async def test_what_contends_for_everything_is_put_together_anew_within_bounds(
    services: Services, monkeypatch: pytest.MonkeyPatch, times: int, together: int, done: int
) -> None:
    monkeypatch.setattr(story_desks, "MOST_TIMES", times)
    monkeypatch.setattr(story_desks, "MOST_TOGETHER", together)
    courier, gazette = await feed(services, "courier"), await feed(services, "gazette")
    await bring(services, courier, *ENTRIES)
    source = Source(gazette, "listed")
    answers = [Assigned() for _ in ENTRIES]
    desk = Desk(services, source, answers)
    for place, told in enumerate(ENTRIES):
        await desk.place(replace(member_of(source, told), item=-1 - place))
    assert desk.regrouped == done
    # Each finds a story, however it is found, and no two of them the same.
    found = [answer.story_id for answer in answers]
    assert None not in found and len(set(found)) == len(found)
