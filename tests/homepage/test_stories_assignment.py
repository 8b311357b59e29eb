"""Items find their stories when they are stored: what joins, what stays alone, and what nobody else may learn by it."""

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from msgspec.structs import replace

from app.config import Settings
from app.db import Database, open_pool
from app.domain.homepage import feed_moves, news_purge
from app.services import Services
from tests.homepage.newsroom import NOW, feed
from tests.homepage.story_pairs import tellings
from tests.homepage.telling_papers import MERGER, QUAKE, bring, entry, figures, stories_of
from tests.people import member

OPEN = "UPDATE feeds SET visibility = 'listed' WHERE id = $1"


async def test_an_event_of_three_feeds_is_one_story_led_by_the_earliest_with_a_picture(
    services: Services,
) -> None:
    feeds = [await feed(services, name) for name in ("courier", "gazette", "herald")]
    [first] = await bring(services, feeds[0], entry(*QUAKE[0], hours=5))
    [second] = await bring(
        services, feeds[1], entry(*QUAKE[1], hours=3, image="https://p.example/1.jpg")
    )
    [third] = await bring(services, feeds[2], entry(*QUAKE[2], hours=4))
    [story] = set(await stories_of(services, [first, second, third]))
    row = await figures(services, story)
    assert (row["items"], row["lead_item_id"]) == (3, second)
    assert (row["first_at"], row["last_at"]) == (NOW - timedelta(hours=5), NOW - timedelta(hours=3))
    assert await services.db.fetchval("SELECT count(*) FROM stories") == 1


async def test_another_event_and_another_language_are_stories_of_their_own(
    services: Services,
) -> None:
    feeds = [await feed(services, name) for name in ("courier", "gazette")]
    [first] = await bring(services, feeds[0], entry(*QUAKE[0]))
    others = await bring(services, feeds[1], entry(*MERGER[0]), entry("Davao Mindanao Beben", "Ein Erdbeben in Davao und Mindanao hat die Stadt erschüttert.", language="de"))  # fmt: skip
    assert len(set(await stories_of(services, [first, *others]))) == 3


async def test_two_items_of_one_feed_are_never_one_story(services: Services) -> None:
    courier, gazette = await feed(services, "courier"), await feed(services, "gazette")
    items = await bring(services, courier, entry(*QUAKE[0]), entry(*QUAKE[1]))
    items += await bring(services, courier, entry(*QUAKE[2]))
    assert len(set(await stories_of(services, items))) == 3
    [other] = await bring(services, gazette, entry(*QUAKE[1], key="gazette"))
    assert (await stories_of(services, [other]))[0] in await stories_of(services, items)


async def test_a_title_that_recurs_in_its_feed_joins_nothing(services: Services) -> None:
    courier, gazette = await feed(services, "courier"), await feed(services, "gazette")
    same = "https://p.example/live"
    [there] = await bring(services, gazette, entry("Davao quake live", url=same))
    titled = [entry("Live updates", f"Number {n}", hours=30 - n, url=f"{same}/{n}") for n in (1, 2)]
    await bring(services, courier, *titled)
    [third] = await bring(services, courier, entry("Live updates", "Number 3", url=same))
    [fourth] = await bring(services, courier, entry("Not so live", "Number 4", url=same))
    story, alone, joined = await stories_of(services, [there, third, fourth])
    assert alone != story and joined == story


async def test_the_same_page_joins_for_two_weeks_and_the_same_text_too(services: Services) -> None:
    courier, gazette, herald = [
        await feed(services, name) for name in ("courier", "gazette", "herald")
    ]
    page, text = "https://wire.example/7", "This very text was bought from a wire by all of them"
    first = await bring(
        services, courier, entry("Alpha", url=page, hours=300), entry(text, hours=301)
    )
    again = await bring(services, gazette, entry("Beta", url=page), entry(text))
    late = await bring(
        services, herald, entry("Gamma", url=page, hours=640), entry(text, hours=640, key="late")
    )
    assert await stories_of(services, first) == await stories_of(services, again)
    assert not set(await stories_of(services, late)) & set(await stories_of(services, first))


async def test_an_item_that_is_known_stays_where_it_is_and_is_found_by_its_new_words(
    services: Services,
) -> None:
    courier, gazette = await feed(services, "courier"), await feed(services, "gazette")
    old = entry("Something happened", key="same")
    [first] = await bring(services, courier, old)
    [before] = await stories_of(services, [first])
    title, summary = QUAKE[0]
    corrected = replace(old, title=title, summary_html=summary, content_hash=b"new")
    await bring(services, courier, corrected)
    [other] = await bring(services, gazette, entry(*QUAKE[1]))
    assert await stories_of(services, [first, other]) == [before, before]


async def test_items_of_private_feeds_take_no_part(services: Services) -> None:
    courier, owner = await feed(services, "courier"), await member(services)
    secret = await services.db.fetchval(
        "INSERT INTO feeds (url_enc, url_key, owner_id, visibility) VALUES ('x', 'y', $1, 'private') RETURNING id",
        owner.id,
    )
    [listed] = await bring(services, courier, entry(*QUAKE[0], url="https://p.example/1"))
    [hidden] = await bring(services, secret, entry(*QUAKE[1], url="https://p.example/1"))
    one, other = await stories_of(services, [listed, hidden])
    assert one != other
    assert (
        await services.db.fetchval("SELECT story_keys FROM feed_items WHERE id = $1", hidden)
        is None
    )


async def test_a_guest_stands_in_a_story_and_nothing_of_it_shows(services: Services) -> None:
    courier = await feed(services, "courier")
    club = await feed(services, "club", visibility="member")
    [listed] = await bring(services, courier, entry(*QUAKE[0], hours=5))
    [story] = await stories_of(services, [listed])
    before = dict(await figures(services, story))
    [guest] = await bring(
        services, club, entry(*QUAKE[1], hours=1, image="https://p.example/1.jpg")
    )
    assert await stories_of(services, [guest]) == [story]
    assert dict(await figures(services, story)) == before


async def test_a_guest_that_came_first_is_called_in_and_two_guests_never_meet_alone(
    services: Services,
) -> None:
    courier = await feed(services, "courier")
    clubs = [await feed(services, name, visibility="member") for name in ("club", "lodge")]
    [one] = await bring(services, clubs[0], entry(*QUAKE[1], hours=4))
    [other] = await bring(services, clubs[1], entry(*QUAKE[2], hours=3))
    first, second = await stories_of(services, [one, other])
    assert first != second
    [listed] = await bring(services, courier, entry(*QUAKE[0]))
    [story] = await stories_of(services, [listed])
    assert story not in (first, second)
    assert await stories_of(services, [one, other]) == [story, story]
    assert (await figures(services, story))["items"] == 1
    assert await figures(services, first) is None and await figures(services, second) is None


async def test_a_members_feed_that_is_listed_counts_from_then_on(services: Services) -> None:
    courier = await feed(services, "courier")
    club = await feed(services, "club", visibility="member")
    [listed] = await bring(services, courier, entry(*QUAKE[0]))
    await bring(services, club, entry(*QUAKE[1]))
    [story] = await stories_of(services, [listed])
    await services.db.execute(OPEN, club)
    assert (await figures(services, story))["items"] == 2


async def test_the_other_feeds_of_a_story_tell_their_readers(services: Services) -> None:
    feeds = [await feed(services, name) for name in ("courier", "gazette", "herald")]
    await bring(services, feeds[0], entry(*QUAKE[0]))
    await bring(services, feeds[2], entry(*MERGER[0]))
    await bring(services, feeds[1], entry(*QUAKE[1]))
    rows = await services.db.fetch(
        "SELECT version FROM feeds WHERE id = ANY($1) ORDER BY id", feeds
    )
    assert [row["version"] for row in rows] == [1, 0, 0]


# The first and the last are too far from each other; the second is like both.
BRIDGE = (
    ("Davao quake: streets fill", "Mindanao trembled."),
    ("Davao quake fills streets, Mindanao trembled, schools in Cotabato close, markets shut",
     "After the Davao quake on Mindanao schools in Cotabato close and markets shut."),
    ("Schools in Cotabato close, markets shut", "Cotabato schools and markets shut."),
)  # fmt: skip


async def bridged(services: Services) -> list[int]:
    """The items of three feeds, the one in the middle brought last."""
    feeds = [await feed(services, name) for name in ("courier", "gazette", "herald")]
    items = []
    for place in (0, 2, 1):
        items += await bring(services, feeds[place], entry(*BRIDGE[place]))
    return items


async def test_an_item_that_fits_two_stories_makes_them_one(services: Services) -> None:
    [story] = set(await stories_of(services, await bridged(services)))
    assert (await figures(services, story))["items"] == 3


async def test_items_that_go_leave_right_figures_and_no_empty_story(services: Services) -> None:
    feeds = [await feed(services, name) for name in ("courier", "gazette")]
    [old] = await bring(services, feeds[0], entry(*QUAKE[0], hours=24 * 89))
    [younger] = await bring(services, feeds[1], entry(*QUAKE[1], hours=24 * 89 - 2))
    [lone] = await bring(services, feeds[0], entry(*MERGER[0], hours=24 * 89))
    story, other = await stories_of(services, [old, lone])
    assert (await figures(services, story))["items"] == 2
    await services.db.execute("UPDATE feed_items SET published_at = published_at - interval '30 hours' WHERE feed_id = $1", feeds[0])  # fmt: skip
    assert await news_purge.purge_items(services) == 2
    row = await figures(services, story)
    assert (row["items"], row["lead_item_id"]) == (1, younger)
    assert await figures(services, other) is None
    await services.db.execute("DELETE FROM feeds WHERE id = $1", feeds[1])
    assert await services.db.fetchval("SELECT count(*) FROM stories") == 0


async def test_a_feed_that_goes_up_in_another_leaves_one_item_of_it_in_a_story(
    services: Services,
) -> None:
    courier, gazette = await feed(services, "courier"), await feed(services, "gazette")
    items = await bring(services, courier, entry(*QUAKE[0])) + await bring(
        services, gazette, entry(*QUAKE[1])
    )
    assert len(set(await stories_of(services, items))) == 1
    async with services.tx() as tx:
        await feed_moves.join(tx, courier, gazette)
    one, other = await stories_of(services, items)
    assert one != other
    assert {(await figures(services, story))["items"] for story in (one, other)} == {1}


@contextlib.asynccontextmanager
async def committed(settings: Settings, services: Services) -> AsyncIterator[Services]:
    """Services whose workers see one another; what they wrote is cleared away."""
    pool = await open_pool(settings, size=8)
    try:
        yield dataclasses.replace(services, db=Database(pool))
    finally:
        pool.terminate()
        cleaner = await asyncpg.connect(settings.database_url)
        await cleaner.execute(
            "TRUNCATE users, feeds, stories, audit_log, delayed_jobs, job_count_deltas, job_counts"
            " RESTART IDENTITY CASCADE"
        )
        await cleaner.close()


async def test_workers_that_store_one_event_together_make_one_story(
    settings: Settings, services: Services
) -> None:
    async with committed(settings, services) as shared:
        feeds = [await feed(shared, f"paper{n}") for n in range(6)]
        brought = await asyncio.gather(
            *(
                bring(shared, feed_id, entry(*QUAKE[n % 3], key=str(n)))
                for n, feed_id in enumerate(feeds)
            )
        )
        [story] = set(await stories_of(shared, [item for [item] in brought]))
        assert (await figures(shared, story))["items"] == 6
        assert await shared.db.fetchval("SELECT count(*) FROM stories") == 1


PARTITION = "SELECT array_agg(encode(guid_hash, 'hex') ORDER BY guid_hash) AS told FROM feed_items GROUP BY story_id ORDER BY 1"


@pytest.mark.parametrize("seed", [1, 2])
async def test_many_workers_agree_with_one(
    settings: Settings, services: Services, seed: int
) -> None:
    papers = [list(tellings(NOW - timedelta(hours=180)))[n:160:8] for n in range(8)]
    found = []
    for workers in (1, 8):
        async with committed(settings, services) as shared:
            feeds = [await feed(shared, f"paper{n}") for n in range(8)]
            gate = asyncio.Semaphore(workers)
            await asyncio.gather(*(
                brought_in_parts(shared, gate, feed_id, papers[n], seed * workers) for n, feed_id in enumerate(feeds)
            ))  # fmt: skip
            found.append([row["told"] for row in await shared.db.fetch(PARTITION)])
    assert found[0] == found[1]
    assert len(found[0]) < 160


async def brought_in_parts(
    services: Services,
    gate: asyncio.Semaphore,
    feed_id: int,
    told: list[tuple[object, ...]],
    seed: int,
) -> None:
    """One paper's items in a random order, three at a time."""
    chance = random.Random(seed * 100 + feed_id)
    entries = [
        replace(entry(title, summary, language=language), published_at=at)
        for title, summary, at, language in chance.sample(told, len(told))
    ]
    for start in range(0, len(entries), 3):
        async with gate:
            await bring(services, feed_id, *entries[start : start + 3])
