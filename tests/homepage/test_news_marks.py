"""Marks: read, saved, hidden, read up to here; of one's own, and they can be taken back."""

from datetime import UTC, datetime, timedelta

from app.services import Services
from tests.homepage.newsroom import feed, item
from tests.people import Browser, cookie_of, member

STORY = "SELECT story_id FROM feed_items WHERE id = $1"


async def shown(browser: Browser) -> list[tuple[str, bool, bool]]:
    """Title, read, saved of each story of the list."""
    answer = await browser.json("GET", "/api/news")
    return [(story["title"], story["read"], story["saved"]) for story in answer.json()["items"]]


async def test_hiding_saving_and_reading_can_be_taken_back(
    browser: Browser, services: Services
) -> None:
    item_id = await item(services, await feed(services, "courier"), "Goats")
    story_id = await services.db.fetchval(STORY, item_id)
    assert (await browser.json("PUT", f"/api/news/items/{item_id}/hidden")).json()["hidden"]
    assert await shown(browser) == []
    await browser.json("DELETE", f"/api/news/items/{item_id}/hidden")
    await browser.json("PUT", f"/api/news/items/{item_id}/saved")
    await browser.json("PUT", f"/api/news/stories/{story_id}/read")
    assert await shown(browser) == [("Goats", True, True)]
    await browser.json("DELETE", f"/api/news/items/{item_id}/saved")
    await browser.json("DELETE", f"/api/news/stories/{story_id}/read")
    assert await shown(browser) == [("Goats", False, False)]


async def test_read_in_one_session_is_read_in_the_other(
    browser: Browser, services: Services
) -> None:
    item_id = await item(services, await feed(services, "courier"), "Goats")
    story_id = await services.db.fetchval(STORY, item_id)
    who = await member(services)
    await services.db.execute(
        "INSERT INTO feed_subscriptions (user_id, feed_id) SELECT $1, id FROM feeds", who.id
    )
    await browser.sign_in(who)
    before = (await browser.fragment("/widgets/news")).headers["etag"]
    await browser.json("PUT", f"/api/news/stories/{story_id}/read")
    browser.carry(await cookie_of(services, who))
    after = await browser.fragment("/widgets/news")
    assert after.headers["etag"] != before
    assert "is-read" in after.text
    await browser.json("DELETE", f"/api/news/stories/{story_id}/read")
    assert "is-read" not in (await browser.fragment("/widgets/news")).text


async def test_mark_all_writes_one_watermark_and_unread_lifts_over_it(
    browser: Browser, services: Services
) -> None:
    courier = await feed(services, "courier")
    items = [await item(services, courier, f"Story {n}", minutes=n) for n in range(3)]
    before = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    answer = await browser.json("POST", "/api/news/read-marks", {"before": before})
    assert answer.json()["previous"] is None
    assert [read for _, read, _ in await shown(browser)] == [True] * 3
    assert await services.db.fetchval("SELECT count(*) FROM news_watermarks") == 1
    story_id = await services.db.fetchval(STORY, items[1])
    await browser.json("DELETE", f"/api/news/stories/{story_id}/read")
    assert [read for _, read, _ in await shown(browser)] == [True, False, True]


async def test_a_story_has_its_own_page_and_a_row_after_a_mark(
    browser: Browser, services: Services
) -> None:
    item_id = await item(services, await feed(services, "courier"), "Goats", text="They stayed.")
    story_id = await services.db.fetchval(STORY, item_id)
    page = await browser.get(f"/news/stories/{story_id}")
    assert "Read it at paper.example" in page.text
    row = await browser.ask("PUT", f"/news/items/{item_id}/saved", headers={"hx-request": "true"})
    assert "Take out of saved" in row.text
    assert "Goats" in (await browser.get("/news/saved")).text


async def test_what_a_reader_may_not_see_cannot_be_marked_or_read(
    browser: Browser, services: Services
) -> None:
    item_id = await item(services, await feed(services, "secret", visibility="member"), "Hush")
    story_id = await services.db.fetchval(STORY, item_id)
    await browser.sign_in(await member(services))
    for method, path in (
        ("PUT", f"/api/news/items/{item_id}/saved"),
        ("PUT", f"/api/news/stories/{story_id}/read"),
        ("GET", f"/api/news/stories/{story_id}"),
    ):
        answer = await browser.json(method, path)
        assert answer.status_code == 404
        assert "Hush" not in answer.text


async def test_a_plain_form_goes_back_to_the_page_it_came_from(
    browser: Browser, services: Services
) -> None:
    item_id = await item(services, await feed(services, "courier"), "Goats")
    answer = await browser.post(
        f"/news/items/{item_id}/hidden",
        {"_method": "PUT"},
        headers={"referer": "http://testserver/news?tag=food"},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/news?tag=food")


async def test_what_was_saved_of_a_feed_stays_readable_after_leaving_it(
    browser: Browser, services: Services
) -> None:
    club, who = await feed(services, "club", visibility="member"), await member(services)
    kept, other = await item(services, club, "Kept"), await item(services, club, "Not kept")
    await services.db.execute(
        "INSERT INTO feed_subscriptions (user_id, feed_id) VALUES ($1, $2)", who.id, club
    )
    await browser.sign_in(who)
    await browser.json("PUT", f"/api/news/items/{kept}/saved")
    await browser.json("DELETE", f"/api/feeds/{club}/subscription")
    saved = (await browser.json("GET", "/api/news/saved")).json()["items"]
    assert [story["title"] for story in saved] == ["Kept"]
    story_id = await services.db.fetchval(STORY, other)
    assert (await browser.json("GET", f"/api/news/stories/{story_id}")).status_code == 404
    assert (await browser.json("PUT", f"/api/news/items/{other}/saved")).status_code == 404
    gone = await browser.ask("DELETE", f"/news/items/{kept}/saved", headers={"hx-request": "true"})
    assert (gone.status_code, "Taken out" in gone.text) == (200, True)
    assert (await browser.json("GET", "/api/news/saved")).json()["items"] == []
