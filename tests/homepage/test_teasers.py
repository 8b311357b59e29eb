"""Teasers: a part of the site that registers a source has a widget; without one there is none anywhere."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.homepage import teasers
from app.domain.homepage.teasers import Source, Teaser, TeaserItem
from app.domain.platform.readers import Reader
from app.services import Services
from tests.people import Browser, member

AT = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
TITLES = "SELECT title FROM quick_links WHERE user_id = $1 ORDER BY id LIMIT $2"


async def links(services: Services, who: Reader | None, settings: Any, n: int) -> Teaser:
    """A part of the site: the reader's own links."""
    rows = await services.db.fetch(TITLES, who.id if who else 0, n)
    items = [TeaserItem(row["title"], "/links", "a link") for row in rows]
    return Teaser(items, AT, "Nobody has added a site yet.", "/sites")


async def count(services: Services, who: Reader | None) -> object:
    """How far it has come."""
    return await services.db.fetchval("SELECT count(*) FROM quick_links WHERE user_id = $1", who.id if who else 0)  # fmt: skip


@pytest.fixture
def directory() -> Iterator[None]:
    teasers.register("directory", Source(links, count))
    yield
    del teasers.SOURCES["directory"]


async def test_without_a_source_the_type_is_nowhere(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    offered = (await browser.json("GET", "/api/widgets")).text
    for name in teasers.TYPES:
        assert name not in offered
        refused = await browser.json("POST", "/api/widgets", {"page": "home", "type": name})
        assert refused.status_code == 422
    for kind in ("listings", "directory", "scenes", "campaign"):
        assert (await browser.get(f"/widgets/{kind}")).status_code == 404


@pytest.mark.usefixtures("directory")
async def test_with_a_source_it_is_offered_drawn_and_renewed(
    browser: Browser, services: Services
) -> None:
    who = await member(services)
    await browser.sign_in(who)
    made = await browser.json("POST", "/api/widgets", {"page": "home", "type": "directory", "settings": {"count": 2}})  # fmt: skip
    assert made.status_code == 201
    assert "Nobody has added a site yet." in (await browser.get("/")).text
    first = await browser.fragment("/widgets/directory?at=home.directory")
    for number in range(3):
        await browser.json("POST", "/api/links", {"url": "https://a.example/", "title": f"Site {number}"})  # fmt: skip
    page = await browser.get("/widgets/directory?at=home.directory", headers={"hx-request": "true", "if-none-match": first.headers["etag"]})  # fmt: skip
    assert page.status_code == 200
    assert ("Site 1" in page.text, "Site 2" in page.text) == (True, False)


@pytest.mark.usefixtures("directory")
async def test_a_source_that_goes_takes_its_widget_and_leaves_the_page_whole(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    await browser.json("POST", "/api/widgets", {"page": "home", "type": "directory"})
    source = teasers.SOURCES.pop("directory")
    page = await browser.json("GET", "/api/")
    teasers.SOURCES["directory"] = source
    assert page.status_code == 200
    assert "directory" not in {widget["type"] for widget in page.json()["widgets"]}


def test_only_known_types_are_registered() -> None:
    with pytest.raises(ValueError, match="no teaser"):
        teasers.register("clock", Source(links, count))
