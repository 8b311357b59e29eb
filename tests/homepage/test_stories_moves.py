"""Stories that go up in another: their old numbers, what readers took out of them, and guests who come and go unseen."""

from typing import Any

from app.domain.homepage import story_splits, story_unions
from app.domain.homepage.story_candidates import as_member
from app.domain.homepage.story_desks import Desk, Source
from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed
from tests.homepage.telling_papers import QUAKE, bring, entry, figures, stories_of
from tests.homepage.test_stories_assignment import BRIDGE
from tests.homepage.test_stories_lists import listed
from tests.homepage.test_stories_splits import quake
from tests.people import Browser, member

VERSIONS = "SELECT id, version FROM feeds ORDER BY id"
PLACE_OF = """
SELECT i.*, f.visibility FROM feed_items i JOIN feeds f ON f.id = i.feed_id WHERE i.id = ANY($1) ORDER BY i.id
"""


async def versions(services: Services) -> dict[int, int]:
    """How far each feed has come."""
    return {row["id"]: row["version"] for row in await services.db.fetch(VERSIONS)}


async def united(services: Services) -> tuple[int, int, list[int]]:
    """A story that went up in another, that other, and the items."""
    feeds = [await feed(services, name) for name in ("courier", "gazette", "herald")]
    items = await bring(services, feeds[0], entry(*BRIDGE[0]))
    items += await bring(services, feeds[2], entry(*BRIDGE[2]))
    before = set(await stories_of(services, items))
    items += await bring(services, feeds[1], entry(*BRIDGE[1]))
    [kept] = set(await stories_of(services, items))
    [gone] = before - {kept}
    return gone, kept, items


async def test_the_number_of_a_story_that_went_up_in_another_leads_there(
    browser: Browser, services: Services
) -> None:
    gone, kept, items = await united(services)
    assert await figures(services, gone) is None
    for way in ("", "/api"):
        answer = await browser.get(f"{way}/news/stories/{gone}?item={items[0]}")
        assert answer.status_code == 308
        assert answer.headers["location"] == f"{way}/news/stories/{kept}?item={items[0]}"
        assert answer.headers["cache-control"] == "private, no-cache"
    read = await browser.json("PUT", f"/api/news/stories/{gone}/read")
    assert (read.status_code, read.headers["location"]) == (308, f"/api/news/stories/{kept}/read")
    path, body = f"/api/news/stories/{gone}/splits", {"item_id": items[1]}
    assert (await browser.json("POST", path, body)).headers["location"] == path.replace(str(gone), str(kept))  # fmt: skip
    assert (await browser.json("DELETE", path, body)).status_code == 308
    assert (await browser.get("/news/stories/999999")).status_code == 404


async def test_where_a_guest_went_leads_only_its_readers_on(
    browser: Browser, services: Services
) -> None:
    club = await feed(services, "club", visibility="member", default_on=False)
    [alone] = await stories_of(services, await bring(services, club, entry(*QUAKE[0])))
    story, _ = await quake(services)
    assert await figures(services, alone) is None
    assert (await browser.get(f"/news/stories/{alone}")).status_code == 404
    await subscribed(services, who := await member(services), club)
    await browser.sign_in(who)
    answer = await browser.get(f"/news/stories/{alone}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/news/stories/{story}")


async def test_moves_go_with_their_items(services: Services) -> None:
    await united(services)
    assert await services.db.fetchval("SELECT count(*) FROM story_moves") == 1
    await services.db.execute("DELETE FROM feed_items")
    assert await services.db.fetchval("SELECT count(*) FROM story_moves") == 0


async def test_a_guest_that_joins_or_leaves_changes_nothing_that_others_see(
    services: Services,
) -> None:
    story, items = await quake(services)
    club = await feed(services, "club", visibility="member", default_on=False)
    before = await versions(services)
    [guest] = await bring(services, club, entry(*QUAKE[0], key="club"))
    assert await stories_of(services, [guest]) == [story]
    assert await versions(services) == before
    root = await member(services, "root@example.org", "super_admin")
    await subscribed(services, root, club)
    await story_splits.add(services, root, story, guest)
    assert await stories_of(services, [guest]) != [story]
    # Its own readers are told.
    assert await versions(services) == before | {club: before[club] + 1}
    await story_splits.remove(services, root, story, guest)
    assert await stories_of(services, [guest]) == [story]
    assert await versions(services) == before | {club: before[club] + 2}
    await services.db.execute("DELETE FROM feed_items WHERE id = $1", guest)
    assert await versions(services) == before | {club: before[club] + 2}
    assert (await figures(services, story))["items"] == len(items)


async def test_a_listed_item_that_leaves_is_told_to_the_readers_of_all(services: Services) -> None:
    story, items = await quake(services)
    before = await versions(services)
    root = await member(services, "root@example.org", "super_admin")
    await story_splits.add(services, root, story, items[0])
    assert await versions(services) == {feed_id: n + 1 for feed_id, n in before.items()}


async def test_no_feed_is_a_guest_twice_in_one_story(services: Services) -> None:
    story, _ = await quake(services)
    club = await feed(services, "club", visibility="member", default_on=False)
    guests = [await item(services, club, f"Club {n}") for n in range(3)]
    await story_unions.invite(services, story, guests[:2])
    first, second = await stories_of(services, guests[:2])
    assert first == story != second
    await story_unions.invite(services, story, guests[2:])
    assert (await stories_of(services, guests[2:]))[0] != story


async def test_a_guest_stays_alone_whose_feed_came_along_when_two_stories_became_one(
    services: Services,
) -> None:
    courier, gazette, herald = [await feed(services, n) for n in ("courier", "gazette", "herald")]
    club = await feed(services, "club", visibility="member", default_on=False)
    first = await bring(services, courier, entry(*BRIDGE[0], hours=3))
    other = await bring(services, herald, entry(*BRIDGE[2], hours=3))
    guests = await bring(services, club, entry(*BRIDGE[2], hours=2, key="club"))
    assert await stories_of(services, guests) == await stories_of(services, other)
    # The very page of the one to come, which so far nobody tells.
    page = "https://wire.example/bridge"
    guests += await bring(services, club, entry("In other words", url=page, hours=2))
    items = first + other + await bring(services, gazette, entry(*BRIDGE[1], url=page))
    [story] = set(await stories_of(services, items))
    places = await stories_of(services, guests)
    assert sorted(place == story for place in places) == [False, True]


async def moved_together(services: Services, items: list[int]) -> int:
    """Let items be put together anew in a story of their own, as a desk does; answer it."""
    rows = await services.db.fetch(PLACE_OF, items)
    to = await story_unions.begin(services, "en")
    desk = Desk(services, Source(0, "listed"), [])
    await desk.move([as_member(row) for row in rows], to, {row["id"]: row["story_id"] for row in rows})  # fmt: skip
    return to


async def test_what_a_reader_took_out_stays_apart_where_its_story_is_put_together_anew(
    browser: Browser, services: Services
) -> None:
    story, items = await quake(services)
    who = await member(services)
    await browser.sign_in(who)
    for row in await services.db.fetch("SELECT id FROM feeds"):
        await subscribed(services, who, row["id"])
    await story_splits.add(services, who, story, items[0])
    assert sorted(one["also_in"] for one in await listed(browser)) == [0, 1]
    to = await moved_together(services, items[:2])
    assert await stories_of(services, items) == [to, to, story]
    assert [one["also_in"] for one in await listed(browser)] == [0, 0, 0]


async def test_who_moves_away_alone_is_apart_from_nobody_else(services: Services) -> None:
    story, items = await quake(services)
    who = await member(services)
    await story_splits.add(services, who, story, items[0])
    await moved_together(services, items[:1])
    rows: list[Any] = await services.db.fetch("SELECT story_id FROM story_splits")
    assert [row["story_id"] for row in rows] == [story]
