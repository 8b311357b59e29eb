"""Two requests at once on one person's pages and links: nothing comes back from the dead, no ceiling is passed."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from app.db import Database, open_pool
from app.domain.homepage import links, news_filters, page_widgets, pages, weather_places
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services
from tests.people import Browser, member


@pytest.fixture
async def committed(services: Services) -> AsyncIterator[Services]:
    """Services whose transactions are real; the people of the test go afterwards."""
    pool = await open_pool(services.settings)
    yield dataclasses.replace(services, db=Database(pool))
    await pool.execute("DELETE FROM users WHERE email = 'races@example.org'")
    await pool.execute("DELETE FROM weather_cache WHERE location_key LIKE '45.%:-73.00'")
    await pool.execute("TRUNCATE delayed_jobs, job_count_deltas, job_counts CASCADE")
    await pool.close()


async def test_a_name_for_a_tab_that_goes_meanwhile_does_not_bring_it_back(
    committed: Services,
) -> None:
    ada = await member(committed, "races@example.org")
    await pages.add(committed, ada, "Work")
    async with committed.tx() as tx:
        await pages.remove(tx, ada, "work")
        renaming = asyncio.create_task(pages.rename(committed, ada, "work", "Play"))
        await asyncio.sleep(0.1)
    with pytest.raises(NotFound):
        await renaming
    assert [tab.slug for tab in (await pages.shown(committed, ada)).tabs] == ["home"]


async def full_of_links(committed: Services, ada: Reader) -> list[Callable[[], Awaitable[Any]]]:
    """199 links, and ways to have more."""
    sql = "INSERT INTO quick_links (user_id, title, url) SELECT $1, 'n', 'https://a.example/' || n FROM generate_series(1, 199) n"
    await committed.db.execute(sql, ada.id)
    gone = [await links.add(committed, ada, links.NewLink("https://b.example/"))]
    await links.remove(committed, ada, gone[0].id)
    return [
        lambda: links.restore(committed, ada, gone[0].id),
        lambda: links.add(committed, ada, links.NewLink("https://c.example/")),
        lambda: links.add(committed, ada, links.NewLink("https://d.example/")),
    ]


async def test_links_stay_within_their_ceiling_when_many_come_at_once(committed: Services) -> None:
    ada = await member(committed, "races@example.org")
    ways = await full_of_links(committed, ada)
    ended = await asyncio.gather(*(way() for way in ways), return_exceptions=True)
    assert (await links.mine(committed, ada)).total == 200
    assert [type(one) for one in ended].count(Conflict) == 2


async def test_a_removed_link_comes_back_only_where_there_is_room(services: Services) -> None:
    ada = await member(services)
    [restore, add, _] = await full_of_links(services, ada)
    await add()
    with pytest.raises(Conflict, match="You have 200 links"):
        await restore()


async def test_widgets_and_pages_stay_within_theirs(committed: Services) -> None:
    ada = await member(committed, "races@example.org")
    for _ in range(18):
        view = (await page_widgets.add(committed, ada, "home", "note")).page
    adding = [page_widgets.add(committed, ada, "home", "note") for _ in range(24)]
    await asyncio.gather(*adding, return_exceptions=True)
    assert len((await pages.shown(committed, ada)).widgets) == 24 > len(view.widgets)
    await asyncio.gather(
        *(pages.add(committed, ada, "Tab") for _ in range(15)), return_exceptions=True
    )
    assert len((await pages.shown(committed, ada)).tabs) == 10


async def test_undo_in_a_tab_that_saw_an_older_page_is_refused_with_the_newer_one(
    browser: Browser,
) -> None:
    await browser.json("POST", "/api/widgets", {"type": "note"})
    seen = (await browser.json("POST", "/api/widgets", {"type": "note"})).json()["page"]
    await browser.json("DELETE", "/api/pages/home/widgets/links")
    for step in ("undos", "redos"):
        answer = await browser.json("POST", f"/api/pages/home/{step}", {"version": seen["version"]})
        assert (answer.status_code, answer.json()["code"]) == (409, "page_changed")
        assert "links" not in [w["key"] for w in answer.json()["page"]["widgets"]]
    form = await browser.post("/pages/home/undos", {"version": str(seen["version"])})
    assert form.status_code == 409 and "This page was changed meanwhile." in form.text
    version = answer.json()["page"]["version"]
    page = (await browser.json("POST", "/api/pages/home/undos", {"version": version})).json()
    assert "links" in [w["key"] for w in page["widgets"]]


async def test_places_and_filters_stay_within_theirs_when_many_come_at_once(
    committed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weather_places, "CEILING", 1)
    monkeypatch.setattr(news_filters, "CEILING", 1)
    ada = await member(committed, "races@example.org")
    adding: list[Awaitable[Any]] = []
    for n in range(6):
        place = weather_places.NewPlace(lat=45.0 + n / 10, lon=-73.0, name=f"Town {n}")
        adding.append(weather_places.add(committed, ada, place))
        adding.append(news_filters.add(committed, ada, news_filters.NewFilter(f"word{n}")))
    ended = await asyncio.gather(*adding, return_exceptions=True)
    assert [type(one) for one in ended].count(Conflict) == 10
    assert (await weather_places.mine(committed, ada)).total == 1
    assert (await news_filters.mine(committed, ada)).total == 1
