"""Adding a feed by its address: what is found at it and near it (chapter 20 rules 27 and 28)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.domain.homepage import feed_checks
from app.services import Services
from tests.conftest import client_on
from tests.homepage.conftest import OTHER_HOST
from tests.homepage.job_runs import run_jobs
from tests.homepage.publisher import HOST, Publisher, item, rss
from tests.people import Browser, member


@pytest.fixture
async def ada(reaching: Services) -> AsyncIterator[Browser]:
    """The browser of a signed-in member."""
    async with client_on(reaching) as client:
        browser = Browser(client, reaching)
        await browser.sign_in(await member(reaching))
        yield browser


async def looked(ada: Browser, url: str, **more: object) -> dict[str, Any]:
    """What the check of an address came to."""
    answer = await ada.json("POST", "/api/feeds", {"url": url, **more})
    assert answer.status_code == 202 and answer.json()["state"] == "checking"
    assert await run_jobs(ada.services, "check_feed") == 1
    found: dict[str, Any] = (
        await ada.json("GET", f"/api/feeds/checks/{answer.json()['token']}")
    ).json()
    return found


async def test_an_address_of_a_feed_shows_its_newest_items_to_choose(
    ada: Browser, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item(f"News {n}", n) for n in range(1, 9)]))
    check = await looked(ada, f"{HOST}/feed")
    token = check["token"]
    [found] = check["candidates"]
    assert (check["state"], found["title"], found["url"]) == (
        "found",
        "The Paper",
        f"https://{HOST}/feed",
    )
    assert [one["title"] for one in found["items"]] == [f"News {n}" for n in range(1, 6)]
    page = await ada.get(f"/feeds/checks/{token}")
    assert "News 1" in page.text and "Add feed" in page.text
    chosen = await ada.post(f"/feeds/checks/{token}/choices", {"choice": "0", "folder": "Mornings"})
    [mine] = (await ada.json("GET", "/api/feeds")).json()["items"]
    assert (
        chosen.headers["location"] == f"/feeds/{mine['feed_id']}" and mine["folder"] == "Mornings"
    )
    # Its stories come now, not when the clock next looks for what is due.
    assert await run_jobs(ada.services, "dispatch_feeds") == 1


async def test_a_page_names_its_feeds_each_once(ada: Browser, publisher: Publisher) -> None:
    links = "".join(
        f'<link rel="alternate" type="application/rss+xml" href="/{name}">'
        for name in ("a", "b", "a")
    )
    publisher.put(
        "/", f"<html><head>{links}</head><body>Hello</body></html>", content_type="text/html"
    )
    publisher.put("/a", rss([item("One")], "Paper A"))
    publisher.put("/b", rss([item("Two")], "Paper B"))
    check = await looked(ada, HOST)
    assert [one["title"] for one in check["candidates"]] == ["Paper A", "Paper B"]


async def test_a_page_without_names_is_tried_where_feeds_often_are(
    ada: Browser, publisher: Publisher
) -> None:
    publisher.put("/blog", "<html><body>Hello</body></html>", content_type="text/html")
    publisher.put("/rss.xml", rss([item("One")]))
    check = await looked(ada, f"https://{HOST}/blog")
    assert [one["url"] for one in check["candidates"]] == [f"https://{HOST}/rss.xml"]
    assert [place.removeprefix(HOST) for place, _ in publisher.asked] == [
        "/blog",
        "/feed",
        "/rss",
        "/rss.xml",
    ]


async def test_a_page_without_feeds_costs_eight_requests_at_most_and_says_so(
    ada: Browser, publisher: Publisher
) -> None:
    publisher.put("/", "<html><body>Hello</body></html>", content_type="text/html")
    check = await looked(ada, HOST)
    token = check["token"]
    assert (check["state"], check["code"]) == ("failed", "no_feed")
    assert check["sentence"] == "We found a web page there, but no feed."
    assert len(publisher.asked) <= 8
    assert "Another address" in (await ada.get(f"/feeds/checks/{token}")).text


@pytest.mark.parametrize(("url", "code"), [
    ("http://127.0.0.1/feed", "refused_address"), ("http://[::1]/feed.x", None), ("https://10.0.0.8/", "refused_address"),
    ("http://paper.example:8080/feed", "refused_port"), ("nonsense", None), ("ftp://paper.example/feed", None),
])  # fmt: skip
async def test_what_may_not_be_fetched_has_its_own_sentence(
    ada: Browser, url: str, code: str | None
) -> None:
    if code is None:
        answer = await ada.post("/feeds", {"url": url})
        assert (
            answer.status_code == 422
            and "Enter the address of a site" in answer.text
            and url in answer.text
        )
        return
    check = await looked(ada, url)
    assert (check["state"], check["code"]) == ("failed", code)


async def test_a_key_in_the_address_makes_the_feed_private_and_stays_hidden(
    ada: Browser, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("One")]))
    check = await looked(ada, f"https://{HOST}/feed?api_key=hush-hush")
    token = check["token"]
    assert check["candidates"][0]["private"] and "hush" not in str(check)
    stored = await ada.services.db.fetchval(
        "SELECT string_agg(feed_checks::text, '') FROM feed_checks"
    )
    jobs = await ada.services.db.fetchval(
        "SELECT string_agg(delayed_jobs::text, '') FROM delayed_jobs"
    )
    await ada.post(f"/feeds/checks/{token}/choices", {"choice": "0"})
    [mine] = (await ada.json("GET", "/api/feeds")).json()["items"]
    feeds = await ada.services.db.fetchval("SELECT string_agg(feeds::text, '') FROM feeds")
    assert mine["visibility"] == "private" and "hush" not in stored + jobs + feeds


async def test_a_check_is_its_asker_s_alone(ada: Browser, publisher: Publisher) -> None:
    publisher.put("/feed", rss([item("One")]))
    check = await looked(ada, f"https://{HOST}/feed")
    token = check["token"]
    await ada.sign_in(await member(ada.services, "grace@example.org"))
    assert (await ada.get(f"/feeds/checks/{token}")).status_code == 404
    assert (await ada.post(f"/feeds/checks/{token}/choices", {"choice": "0"})).status_code == 404


async def test_the_page_asks_again_while_the_look_lasts_also_without_script(ada: Browser) -> None:
    answer = await ada.post("/feeds", {"url": HOST})
    assert answer.status_code == 303
    page = await ada.get(answer.headers["location"])
    assert 'hx-trigger="every 1s"' in page.text and "Look again" in page.text
    fragment = await ada.fragment(answer.headers["location"])
    assert "<html" not in fragment.text and 'id="check"' in fragment.text
    assert f"/feeds/checks/{answer.headers['location'].rpartition('/')[2]}" in fragment.text


async def test_a_look_that_died_says_so_after_a_while(ada: Browser) -> None:
    token = (await ada.json("POST", "/api/feeds", {"url": HOST})).json()["token"]
    await ada.services.db.execute(
        "UPDATE feed_checks SET created_at = now() - interval '6 minutes'"
    )
    assert (await ada.json("GET", f"/api/feeds/checks/{token}")).json()["code"] == "interrupted"


async def test_a_visitor_is_led_to_sign_in(ada: Browser) -> None:
    ada.sign_out()
    assert (await ada.json("POST", "/api/feeds", {"url": HOST})).status_code == 401


async def test_a_feed_that_is_switched_off_here_is_not_taken_up(
    ada: Browser, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("One")]), host=OTHER_HOST)
    check = await looked(ada, f"https://{OTHER_HOST}/feed")
    token = check["token"]
    key = await ada.services.db.fetchval("SELECT count(*) FROM feeds")
    await ada.json("POST", f"/api/feeds/checks/{token}/choices", {"choice": 0})
    await ada.services.db.execute("UPDATE feeds SET state = 'disabled', next_fetch_at = NULL")
    refused = await ada.json("POST", f"/api/feeds/checks/{token}/choices", {"choice": 0})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_offered") and key == 0


async def test_looking_stops_when_its_time_is_over(
    reaching: Services, publisher: Publisher, monkeypatch: Any
) -> None:
    monkeypatch.setattr("app.domain.homepage.feed_search.MOST_SECONDS", 0.0)
    found, code = await feed_checks.look(reaching, f"https://{HOST}/")
    assert (found, code, publisher.asked) == ([], "too_slow", [])
