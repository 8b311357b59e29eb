"""Search: what this reader may see, a near word for typos, and engines that were set up."""

import dataclasses
from datetime import timedelta

from app.domain.homepage import search
from app.services import Services
from tests.homepage.newsroom import NOW, feed, item, subscribed, tagged
from tests.people import Browser, member


async def test_words_find_stories_and_typos_find_a_near_word(
    browser: Browser, services: Services
) -> None:
    await item(services, await feed(services, "courier"), "Lighthouse keeper retires")
    assert "Lighthouse keeper" in (await browser.get("/search?q=lighthouses")).text
    found = (await browser.json("GET", "/api/search?q=lighthose")).json()
    assert (found["news"], found["did_you_mean"]) == ([], "lighthouse")
    shown = (await browser.fragment("/search?q=lighthose")).text
    assert "Did you mean" in shown and "No story has these words" not in shown


async def test_what_is_not_the_readers_is_not_found_nor_suggested(
    browser: Browser, services: Services
) -> None:
    secret = await feed(services, "secret", visibility="member", default_on=False)
    await item(services, secret, "Xylophone smuggling")
    for query in ("xylophone", "xylofone"):
        answer = await browser.json("GET", f"/api/search?q={query}")
        assert "ylophone" not in answer.text.replace(query, "")
    who = await member(services)
    await subscribed(services, who, secret)
    await browser.sign_in(who)
    assert len((await browser.json("GET", "/api/search?q=xylophone")).json()["news"]) == 1


async def test_five_at_first_and_more_by_kind(browser: Browser, services: Services) -> None:
    courier = await feed(services, "courier")
    for number in range(12):
        await item(services, courier, f"Harbour report {number}", minutes=number)
    top = (await browser.json("GET", "/api/search?q=harbour")).json()
    assert len(top["news"]) == 5
    more = (
        await browser.json("GET", f"/api/search?q=harbour&kind=news&cursor={top['next']}")
    ).json()
    assert len(more["news"]) == 7


async def test_one_letter_and_hostile_words_are_harmless(browser: Browser) -> None:
    assert (await browser.json("GET", "/api/search?q=a")).status_code == 422
    for words in ("%27%3B DROP", "%22unclosed", "-", "!!", "a%00b", "<script>alert(1)</script>"):
        answer = await browser.get(f"/search?q={words}")
        assert answer.status_code in (200, 422)
        assert "<script>alert" not in answer.text


async def test_the_web_hand_over_goes_to_known_engines_only(
    browser: Browser, services: Services
) -> None:
    assert (await browser.get("/search/web?q=goats")).status_code == 404
    settings = dataclasses.replace(
        services.settings,
        search_engines="Duck=https://duck.example/?q={q};Bad=http://bad.example/{q}",
    )
    assert (
        search.handed_over(settings, None, "a b&c", "Duck") == "https://duck.example/?q=a%20b%26c"
    )
    assert list(search.engines(settings, None)) == ["Duck"]
    own = {"search_engine": {"name": "Mine", "template": "https://mine.example/{q}"}}
    await browser.json("PATCH", "/api/preferences", own)
    answer = await browser.get("/search/web?q=goats&engine=Mine")
    assert (answer.status_code, answer.headers["location"]) == (303, "https://mine.example/goats")


async def test_browsers_can_add_the_site_as_an_engine(browser: Browser) -> None:
    assert "/search?q={searchTerms}" in (await browser.get("/opensearch.xml")).text


async def test_what_is_typed_is_completed_from_what_the_reader_may_see(
    browser: Browser, services: Services
) -> None:
    secret = await feed(services, "kilnworks", visibility="member", default_on=False)
    await item(services, secret, "Kiln secrets")
    listed = await feed(services, "kilometre")
    await tagged(services, await item(services, listed, "The Kíln opens", text="kilt"), "kilns")
    found = (await browser.json("GET", "/api/search/suggestions?q=Kil")).json()["items"]
    assert [(one["words"], one["kind"]) for one in found] == [
        ("Kilns", "tag"), ("Kilometre", "feed"), ("The Kíln opens", "story")]  # fmt: skip
    assert "The Kíln opens" in (await browser.fragment("/search/suggestions?q=kiln")).text
    assert (await browser.json("GET", "/api/search/suggestions?q=k")).json()["items"] == []
    assert (await browser.json("GET", "/api/search/suggestions?q=%25%5F")).json()["items"] == []
    await subscribed(services, who := await member(services), secret)
    await browser.sign_in(who)
    mine = (await browser.json("GET", "/api/search/suggestions?q=kil")).json()["items"]
    assert {"Kilnworks", "Kiln secrets"} <= {one["words"] for one in mine}


async def test_what_a_reader_put_aside_is_not_suggested_to_them(
    browser: Browser, services: Services
) -> None:
    courier, loud = await feed(services, "courier"), await feed(services, "loud")
    muted = await item(services, courier, "Harbour election")
    hidden = await item(services, courier, "Harbour closes")
    twin = await item(services, loud, "Harbour closes its gates")
    await tagged(services, sport := await item(services, courier, "Harbour cup final"), "sports")
    await item(services, loud, "Harbour goats")
    kept = await item(services, courier, "Harbour goats and cows")
    who = await member(services)
    await browser.sign_in(who)
    await services.db.execute("UPDATE feed_items SET story_id = (SELECT story_id FROM feed_items WHERE id = $1) WHERE id = $2", hidden, twin)  # fmt: skip
    await browser.json("PUT", f"/api/news/items/{hidden}/hidden")
    for wish in ({"value": "election"}, {"kind": "mute_tag", "value": "sports"}, {"value": "goats", "feed_id": loud}):  # fmt: skip
        await browser.json("POST", "/api/news/filters", wish)
    asked = "/api/search/suggestions?q=harb"
    assert [one["words"] for one in (await browser.json("GET", asked)).json()["items"]] == ["Harbour goats and cows"]  # fmt: skip
    await subscribed(services, who, courier, muted_until=NOW + timedelta(days=1))
    assert (await browser.json("GET", asked)).json()["items"] == []
    assert (await browser.json("GET", "/api/search/suggestions?q=spor")).json()["items"] == []
    browser.sign_out()
    assert len((await browser.json("GET", asked)).json()["items"]) == 6
    assert muted and sport and kept


async def test_suggestions_are_eight_at_most_and_own_searches_come_first(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    courier = await feed(services, "courier")
    for number in range(12):
        await item(services, courier, f"Harbour report {number}", minutes=number)
    await browser.get("/search?q=old+harbour")
    found = (await browser.json("GET", "/api/search/suggestions?q=harb")).json()["items"]
    assert len(found) == 8
    assert found[0] == {"words": "old harbour", "kind": "recent"}


async def test_a_members_last_ten_searches_are_kept_and_forgotten_on_request(
    browser: Browser, services: Services
) -> None:
    await browser.get("/search?q=visitor")
    assert await services.db.fetchval("SELECT count(*) FROM recent_searches") == 0
    await browser.sign_in(await member(services))
    for number in range(12):
        await browser.get(f"/search?q=words+{number}")
    await browser.get("/search?q=words+5")
    kept = (await browser.json("GET", "/api/search")).json()["recent"]
    assert kept[:3] == ["words 5", "words 11", "words 10"]
    assert len(kept) == 10
    assert "words 11" in (await browser.get("/search")).text
    await browser.json("DELETE", "/api/search/recent")
    assert (await browser.json("GET", "/api/search")).json()["recent"] == []


async def test_who_switches_keeping_off_has_no_searches_kept(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    await browser.get("/search?q=before")
    await browser.json("PATCH", "/api/preferences", {"keep_searches": False})
    await browser.get("/search?q=after")
    assert await services.db.fetchval("SELECT count(*) FROM recent_searches") == 0
