"""Orders of news: a widget has its own or the reader's, and topics are chosen in a form (chapter 20 rule 34)."""

from typing import Any

import pytest

from app.domain.homepage import news_widgets
from app.domain.homepage.widget_types import FeedSettings, NewsSettings
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage.newsroom import feed, item, subscribed, tagged
from tests.people import Browser, member

TAGS = "INSERT INTO tags (slug, name) SELECT slug, initcap(slug) FROM unnest($1::text[]) AS slug"
LATEST, TOP = ["Plain", "Topic"], ["Topic", "Plain"]


async def reader(services: Services, order: str | None = None) -> tuple[Reader, int]:
    """A member who cares for science, with two stories of one feed: the later one is about nothing."""
    who, courier = await member(services), await feed(services, "courier")
    await subscribed(services, who, courier)
    await item(services, courier, "Plain", minutes=1)
    await tagged(services, await item(services, courier, "Topic", minutes=9), "science")
    news = {"topics": ["science"]} | ({"order": order} if order else {})
    return Reader(id=who.id, kind="member", preferences={"news": news}), courier


async def titles(services: Services, who: Reader, *wishes: Any) -> list[list[str]]:
    found = await news_widgets.filled(services, who, wishes)
    return [[story.title for story in widget.items] for widget in found]


@pytest.mark.parametrize(
    ("own", "preferred", "expected"),
    [
        (None, None, LATEST), ("top", None, TOP), (None, "top", TOP), ("latest", "top", LATEST),
    ],
)  # fmt: skip
async def test_a_widget_goes_by_its_own_order_else_by_its_readers(
    services: Services, own: Any, preferred: str | None, expected: list[str]
) -> None:
    who, _ = await reader(services, preferred)
    assert await titles(services, who, NewsSettings(order=own)) == [expected]


async def test_widgets_of_several_orders_stand_on_one_page(services: Services) -> None:
    who, courier = await reader(services, "top")
    wishes = FeedSettings(feed_id=courier), NewsSettings(), NewsSettings(order="latest", count=1)
    assert await titles(services, who, *wishes) == [LATEST, TOP, LATEST[:1]]
    [widget] = await news_widgets.filled(services, who, [NewsSettings(order="top", tag="science")])
    assert widget.more == "/news?tag=science&order=top"


async def test_the_order_is_chosen_in_the_widgets_form(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    form = (await browser.get("/pages/home/widgets/news")).text
    assert 'name="settings.order"' in form
    assert "As in Display" in form


async def test_topics_are_ticked_and_unticked(browser: Browser, services: Services) -> None:
    await services.db.execute(TAGS, ["science", "travel", "world"])
    await browser.sign_in(await member(services))
    assert 'id="topics"' in (await browser.get("/preferences")).text
    for ticked in (["science", "travel"], ["travel"], []):
        form = {"_method": "PATCH", "live": "on", "news.topics": ticked}
        assert (await browser.post("/preferences", form)).status_code == 303
        mine = (await browser.json("GET", "/api/preferences")).json()
        assert mine["news"]["topics"] == ticked
        page = (await browser.get("/preferences")).text
        for slug in ("science", "travel", "world"):
            box = page[page.index(f'value="{slug}"') :].split(">")[0]
            assert (" checked" in box) is (slug in ticked)
