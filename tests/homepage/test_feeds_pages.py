"""Feeds on pages and twins: what each reader sees and may do (chapter 20 rules 8, 28 and 30)."""

import dataclasses
from datetime import UTC, datetime

import pytest

from app.domain.homepage import catalogue, feed_additions, subscriptions
from app.domain.platform import sign_ins
from app.domain.platform.readers import Reader
from app.outside.breakers import Breaker
from app.outside.demo_world import DemoWorld
from app.services import Services
from tests.homepage import newsroom
from tests.people import Browser, member
from tests.world import World

SECRET = "https://paper.example/feed?token=very-secret"


@pytest.fixture
async def seeded(services: Services) -> Services:
    """The services on a database with the first feeds."""
    await catalogue.seed(services)
    return services


async def brought(services: Services, who: Reader, url: str, **more: object) -> int:
    """A feed that the person brought by its address."""
    async with services.tx() as tx:
        wish = feed_additions.Wish(url, **more)  # type: ignore[arg-type]
        [one] = await feed_additions.add(tx, who.id, [wish], "own")
    return one.feed_id


async def feed_of(services: Services, title: str) -> int:
    """The id of a first feed."""
    return int(await services.db.fetchval("SELECT id FROM feeds WHERE title = $1", title))


async def test_the_catalogue_is_loaded_once_however_often(seeded: Services) -> None:
    await catalogue.seed(seeded)
    assert await seeded.db.fetchval("SELECT count(*) FROM feeds WHERE visibility = 'listed'") == 15
    assert await seeded.db.fetchval("SELECT count(*) FROM tags") == 16
    assert await seeded.db.fetchval("SELECT count(*) FROM feeds WHERE default_on") == 9


async def test_the_feeds_of_the_demo_world_come_in_where_there_is_one(services: Services) -> None:
    async with World() as world:
        door = DemoWorld(world.env["DEMO_FEEDS"], breaker=Breaker("demo_world"))
        await catalogue.seed(dataclasses.replace(services, outside={"demo_world": door}))
        await door.close()
    url = "https://daily-courier.world.test/feed.xml"
    row = await services.db.fetchrow("SELECT visibility, default_on FROM feeds WHERE url = $1", url)
    assert (row["visibility"], row["default_on"]) == ("listed", True)


async def test_a_visitor_s_own_choice_of_feeds_is_what_their_news_shows(
    seeded: Services, browser: Browser
) -> None:
    default, other = await feed_of(seeded, "Nature"), await feed_of(seeded, "The Verge")
    await newsroom.item(seeded, default, "Stone")
    await newsroom.item(seeded, other, "Glass")
    assert [one["title"] for one in (await browser.json("GET", "/api/news")).json()["items"]] == [
        "Stone"
    ]
    await browser.ask("DELETE", f"/feeds/{default}/subscription")
    await browser.ask("PUT", f"/feeds/{other}/subscription")
    assert [one["title"] for one in (await browser.json("GET", "/api/news")).json()["items"]] == [
        "Glass"
    ]


async def test_a_visitor_sees_the_defaults_and_may_leave_one(
    seeded: Services, browser: Browser
) -> None:
    before = (await browser.json("GET", "/api/feeds")).json()
    assert before["total"] == 9 and {one["origin"] for one in before["items"]} == {"default"}
    answer = await browser.post(
        f"/feeds/{await feed_of(seeded, 'Nature')}/subscription", {"_method": "DELETE"}
    )
    assert answer.status_code == 303 and answer.headers["location"] == "/feeds"
    page = await browser.get("/feeds")
    assert "Nature" not in page.text and "Variety" in page.text
    assert "You do not read this feed any more." in page.text


async def test_a_new_member_gets_the_defaults_and_a_removed_one_stays_away(
    seeded: Services,
) -> None:
    ada = Reader(id=await sign_ins.member_of(seeded, "ada@example.org"), kind="member")
    await subscriptions.remove(seeded, ada, await feed_of(seeded, "Nature"))
    await subscriptions.start(seeded, ada.id)
    titles = [one.title for one in (await subscriptions.of(seeded, ada)).items]
    assert len(titles) == 8 and "Nature" not in titles


async def test_undo_brings_a_feed_back_with_its_folder(seeded: Services, browser: Browser) -> None:
    ada = await member(seeded)
    await browser.sign_in(ada)
    feed_id = await brought(seeded, ada, "https://paper.example/feed", folder="Mornings")
    await browser.post(f"/feeds/{feed_id}/subscription", {"_method": "DELETE"})
    page = await browser.get("/feeds")
    assert f'action="/feeds/{feed_id}/subscription"' in page.text and "Undo" in page.text
    await browser.post(f"/feeds/{feed_id}/subscription")
    [mine] = (await browser.json("GET", "/api/feeds")).json()["items"]
    assert (mine["feed_id"], mine["folder"]) == (feed_id, "Mornings")


async def test_what_a_member_brings_is_seen_by_nobody_else(
    seeded: Services, browser: Browser
) -> None:
    ada, grace = await member(seeded), await member(seeded, "grace@example.org")
    ids = [
        await brought(seeded, ada, "https://hidden.example/feed"),
        await brought(seeded, ada, SECRET),
    ]
    await browser.sign_in(grace)
    for feed_id in ids:
        for method, path in (("GET", f"/feeds/{feed_id}"), ("PUT", f"/feeds/{feed_id}/subscription"),
                             ("DELETE", f"/feeds/{feed_id}/subscription"), ("POST", f"/feeds/{feed_id}/suggestions")):  # fmt: skip
            assert (await browser.json(method, path)).status_code == 404
    for path in (
        "/feeds",
        "/feeds/catalogue?q=hidden",
        "/feeds.opml?private=yes",
        "/api/feeds/catalogue?limit=100",
    ):
        text = (await browser.get(path)).text
        assert "hidden.example" not in text and "secret" not in text


async def test_a_private_address_is_shown_and_exported_to_nobody_unasked(
    seeded: Services, browser: Browser
) -> None:
    ada = await member(seeded)
    await browser.sign_in(ada)
    feed_id = await brought(seeded, ada, SECRET)
    for path in (
        "/feeds",
        f"/feeds/{feed_id}",
        "/api/feeds",
        f"/api/feeds/{feed_id}",
        "/feeds.opml",
    ):
        answer = await browser.get(path)
        assert answer.status_code == 200 and "very-secret" not in answer.text
    assert "token=very-secret" in (await browser.get("/feeds.opml?private=yes")).text


async def test_two_members_with_one_address_share_one_feed(services: Services) -> None:
    ada, grace = await member(services), await member(services, "grace@example.org")
    first = await brought(services, ada, "https://paper.example/feed?utm_source=x")
    assert await brought(services, grace, "http://www.paper.example/feed") == first
    assert await brought(services, grace, "http://www.paper.example/feed", private=True) != first


async def test_a_subscription_is_changed_in_words_and_shown_again_with_its_errors(
    seeded: Services, browser: Browser
) -> None:
    ada = await member(seeded)
    await browser.sign_in(ada)
    feed_id = await brought(seeded, ada, "https://paper.example/feed")
    form = {
        "_method": "PATCH",
        "title": "My paper",
        "folder": "Mornings",
        "latest_n": "3",
        "pinned": "on",
    }
    path = f"/feeds/{feed_id}/subscription"
    assert (await browser.post(path, {**form, "quiet": "monday"})).status_code == 303
    mine = (await browser.json("GET", "/api/feeds")).json()["items"][0]
    assert (mine["title"], mine["folder"], mine["latest_n"]) == ("My paper", "Mornings", 3)
    until = datetime.fromisoformat(mine["muted_until"])
    assert mine["pinned"] and until > datetime.now(UTC) and until.weekday() == 0
    wrong = await browser.post(path, {**form, "latest_n": "99", "title": "Kept title"})
    assert wrong.status_code == 422 and "Kept title" in wrong.text and "at most 20" in wrong.text


async def test_what_a_script_does_not_name_stays(seeded: Services, browser: Browser) -> None:
    ada = await member(seeded)
    await browser.sign_in(ada)
    feed_id = await brought(
        seeded, ada, "https://paper.example/feed", title="Mine", folder="Mornings"
    )
    path = f"/api/feeds/{feed_id}/subscription"
    patched = (await browser.json("PATCH", path, {"folder": None, "latest_n": 3})).json()
    assert (patched["folder"], patched["title"], patched["latest_n"]) == (None, "Mine", 3)


async def test_the_catalogue_is_searched_by_tag_and_words_page_by_page(
    seeded: Services, browser: Browser
) -> None:
    found = (await browser.json("GET", "/api/feeds/catalogue?tag=technology&limit=3")).json()
    rest = (
        await browser.json(
            "GET", f"/api/feeds/catalogue?tag=technology&limit=3&cursor={found['next']}"
        )
    ).json()
    names = [one["title"] for one in found["items"] + rest["items"]]
    assert (
        names == ["Ars Technica", "Hacker News", "TechCrunch", "The Verge"] and rest["next"] is None
    )
    words = (await browser.json("GET", "/api/feeds/catalogue?q=guardian")).json()
    assert [one["title"] for one in words["items"]] == ["The Guardian"]
    page = await browser.get("/feeds/catalogue?q=100%25")
    assert page.status_code == 200 and "No feed here goes by these words." in page.text


async def test_a_row_of_the_catalogue_is_taken_up_in_place(
    seeded: Services, browser: Browser
) -> None:
    await browser.sign_in(await member(seeded))
    feed_id = await feed_of(seeded, "The Verge")
    answer = await browser.ask(
        "PUT", f"/feeds/{feed_id}/subscription", headers={"hx-request": "true"}
    )
    assert (
        answer.status_code == 200 and "Stop reading" in answer.text and "<html" not in answer.text
    )
    answer = await browser.ask(
        "DELETE", f"/feeds/{feed_id}/subscription", headers={"hx-request": "true"}
    )
    assert "Read this" in answer.text


async def test_a_feed_says_how_it_is(seeded: Services, browser: Browser) -> None:
    feed_id = await feed_of(seeded, "Variety")
    assert "First look under way" in (await browser.get(f"/feeds/{feed_id}")).text
    await seeded.db.execute(
        "UPDATE feeds SET state = 'failing', failures = 7, error_code = 'http_404', failing_since = now() - interval '2 days' "
        "WHERE id = $1", feed_id,
    )  # fmt: skip
    page = await browser.get(f"/feeds/{feed_id}")
    assert "There is nothing at this address." in page.text and "Next try" in page.text
    health = (await browser.json("GET", f"/api/feeds/{feed_id}")).json()["health"]
    assert (health["state"], health["code"]) == ("failing", "http_404")


async def test_a_member_suggests_a_feed_but_never_a_private_one(
    seeded: Services, browser: Browser
) -> None:
    ada = await member(seeded)
    await browser.sign_in(ada)
    shared, private = (
        await brought(seeded, ada, "https://paper.example/feed"),
        await brought(seeded, ada, SECRET),
    )
    assert (await browser.post(f"/feeds/{shared}/suggestions")).status_code == 303
    assert "Suggested for everybody" in (await browser.get(f"/feeds/{shared}")).text
    assert (await browser.post(f"/feeds/{private}/suggestions")).status_code == 404


async def test_publishers_read_who_we_are_and_how_to_stop_us(browser: Browser) -> None:
    page = await browser.get("/bot")
    assert page.status_code == 200
    assert "VillageBot/1.0 (+http://testserver/bot)" in page.text and "410" in page.text
