"""Searches that ask Meilisearch: typos forgiven, rights kept by our tables, PostgreSQL whenever it is away."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from app.domain.homepage import listed_feeds, news_index, search_index
from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.meilisearch import Meilisearch
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.homepage.newsroom import feed, item, subscribed
from tests.people import Browser, member
from tests.world import meilisearch
from tests.world.servers import Site


@dataclasses.dataclass
class Engine:
    """The stand-in, and the services whose adapter leads to it."""

    world: meilisearch.Meilisearch
    services: Services


@pytest.fixture
async def engine(services: Services) -> AsyncIterator[Engine]:
    world = meilisearch.Meilisearch()
    site = Site(world.app)
    await site.start()
    door = Meilisearch(site.url, meilisearch.KEY, breaker=Breaker("meilisearch", limit=2))
    services.outside["meilisearch"] = door
    yield Engine(world, services)
    del services.outside["meilisearch"]
    await door.close()
    await site.stop()


async def found(browser: Browser, words: str, more: str = "") -> dict[str, object]:
    """What a search answers."""
    answer = await browser.json("GET", f"/api/search?q={words}{more}")
    return {**answer.json(), "titles": [story["title"] for story in answer.json()["news"]]}


async def test_the_engine_forgives_typos_and_holds_public_fields_only(
    browser: Browser, engine: Engine
) -> None:
    services = engine.services
    await item(services, await feed(services, "courier"), "Lighthouse keeper retires", text="Fog.")
    await search_index.rebuild(services)
    assert (await found(browser, "lighthose"))["titles"] == ["Lighthouse keeper retires"]
    (document,) = engine.world.indexes["news"].values()
    assert set(document) == {"id", "feed_id", "title", "text", "at"}


async def test_what_is_not_listed_never_reaches_the_engine_and_is_found_by_its_reader(
    browser: Browser, engine: Engine
) -> None:
    services = engine.services
    secret = await feed(services, "secret", visibility="member", default_on=False)
    await item(services, secret, "Xylophone smuggling")
    await search_index.rebuild(services)
    await news_index.put_feed(services, secret)
    assert engine.world.indexes.get("news", {}) == {}
    assert (await found(browser, "xylophone"))["titles"] == []
    await subscribed(services, who := await member(services), secret)
    await browser.sign_in(who)
    assert (await found(browser, "xylophone"))["titles"] == ["Xylophone smuggling"]


async def test_pages_of_both_are_walked_to_the_end(browser: Browser, engine: Engine) -> None:
    services = engine.services
    listed = await feed(services, "courier")
    own = await feed(services, "own", visibility="member", default_on=False)
    for number in range(9):
        await item(
            services, own if number % 3 == 0 else listed, f"Harbour {number}", minutes=number
        )
    await search_index.rebuild(services)
    await subscribed(services, who := await member(services), own)
    await subscribed(services, who, listed)
    await browser.sign_in(who)
    titles: list[str] = []
    more = "&kind=news&limit=2"
    while page := await found(browser, "harbour", more):
        titles += page["titles"]  # type: ignore[operator]
        if page["next"] is None:
            break
        more = f"&kind=news&limit=2&cursor={page['next']}"
    assert titles == [f"Harbour {number}" for number in range(9)]


async def test_one_story_of_many_papers_ends_no_search_and_comes_once(
    browser: Browser, engine: Engine
) -> None:
    services = engine.services
    papers = [await feed(services, f"paper{number}") for number in range(3)]
    many = [await item(services, paper, "Harbour burns", minutes=n) for n, paper in enumerate(papers)]  # fmt: skip
    await services.db.execute("UPDATE feed_items SET story_id = (SELECT min(story_id) FROM feed_items WHERE id = ANY($1)) WHERE id = ANY($1)", many)  # fmt: skip
    for number in range(3):
        await item(services, papers[0], f"Harbour {number}", minutes=60 + number)
    await search_index.rebuild(services)
    titles, more = [], "&kind=news&limit=2"
    for _ in range(2):
        page = await found(browser, "harbour", more)
        titles += page["titles"]  # type: ignore[operator]
        more = f"&kind=news&limit=2&cursor={page['next']}"
    assert titles == ["Harbour burns", *(f"Harbour {number}" for number in range(3))]


async def test_a_hidden_feed_is_in_no_answer_while_the_engine_still_has_it(
    browser: Browser, engine: Engine
) -> None:
    services = engine.services
    courier = await feed(services, "courier")
    await item(services, courier, "Harbour news")
    await search_index.rebuild(services)
    root = await member(services, "root@example.org", role="super_admin")
    await listed_feeds.remove(services, root, courier)
    assert len(engine.world.indexes["news"]) == 1
    assert (await found(browser, "harbour"))["titles"] == []
    await run_jobs(services, "index_feed")
    assert engine.world.indexes["news"] == {}


async def test_without_the_engine_postgres_answers_and_says_so(
    browser: Browser, engine: Engine
) -> None:
    services = engine.services
    await item(services, await feed(services, "courier"), "Lighthouse keeper retires")
    engine.world.down = True
    for _ in range(4):
        answer = await found(browser, "lighthouse")
        assert (answer["titles"], answer["quick"]) == (["Lighthouse keeper retires"], True)
    assert "quick search" in (await browser.get("/search?q=lighthouse")).text
    with pytest.raises(ServiceDown):
        await news_index.rebuild(services)


async def test_the_reindex_call_names_the_engine(browser: Browser, engine: Engine) -> None:
    root = await member(engine.services, "root@example.org", role="super_admin")
    await browser.sign_in(root)
    answer = await browser.json("POST", "/admin/api/search/reindex", {})
    assert answer.json()["backend"] == "meilisearch"


async def test_a_server_that_is_new_or_was_emptied_fills_itself(
    browser: Browser, engine: Engine
) -> None:
    services = engine.services
    courier = await feed(services, "courier")
    await item(services, courier, "Lighthouse keeper retires")
    gazette = await feed(services, "gazette")
    await item(services, gazette, "Lighthouse painted")
    both = ["Lighthouse keeper retires", "Lighthouse painted"]
    for _ in range(2):
        # However often readers search meanwhile, PostgreSQL answers them and the server is not taken for ill.
        for _ in range(4):
            assert sorted((await found(browser, "lighthouse"))["titles"]) == both  # type: ignore[call-overload]
        assert services.outside["meilisearch"].breaker.state == "closed"
        async with services.tx() as tx:
            await news_index.changed(tx, gazette)
        await run_jobs(services, "index_feed")
        await run_jobs(services, "reindex_search")
        assert len(engine.world.indexes["news"]) == 2
        engine.world.indexes["news"].clear()
