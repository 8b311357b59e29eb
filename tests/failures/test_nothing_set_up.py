"""A site with no key, no quota and no network: the homepage is complete, and says once what is off."""

import dataclasses
import re
from collections.abc import AsyncIterator

import pytest

from app.domain.homepage import stocks
from app.domain.homepage.widget_types import TYPES
from app.domain.platform.flags import memory
from app.domain.platform.flags.evaluation import Rule
from app.services import Services
from app.start import outside
from tests.conftest import client_on
from tests.failures.test_outside_gone import Wire, wire
from tests.people import Browser, member

__all__ = ["wire"]

CARD = re.compile(
    r'<section class="card[^"]*"[^>]* data-kind="([a-z]+)"[^>]* data-state="([a-z]+)"'
)
OFF = {"stocks": stocks.OFF, "social": "Social feeds are not set up on this site."}
# What a widget without anything behind it may be; none of these is a fault.
CALM = {"fresh", "empty", "waiting", "off"}


@pytest.fixture
async def bare(services: Services) -> AsyncIterator[Browser]:
    """A visitor's browser on a site whose operator gave it a database, switched the widgets on, and nothing else."""
    settings = dataclasses.replace(
        services.settings, s3_endpoint="", smtp_url="", imap_url="", redis_url="", site_place="", anthropic_api_key="",
        alphavantage_key="", finnhub_key="", facebook_app_id="", instagram_app_id="", meili_url="",
    )  # fmt: skip
    for name in ("stocks_widget", "social_integration", "ai_tagging"):
        memory.of(services).rules[name] = Rule(name, enabled=True, rollout_percentage=100)
    doors = outside(settings)
    assert not {"s3", "smtp", "anthropic", "alphavantage", "finnhub", "instagram"} & doors.keys()
    alone = dataclasses.replace(services, settings=settings, outside=doors, redis=None)
    async with client_on(alone) as client:
        yield Browser(client, alone)
    for door in doors.values():
        await door.close()


def cards(page: str) -> dict[str, str]:
    """The widgets of a page by their kinds, and how each says it is."""
    return dict(CARD.findall(page))


async def test_a_visitor_sees_every_widget_and_once_what_is_off(bare: Browser, wire: Wire) -> None:
    answer = await bare.get("/")
    assert answer.status_code == 200 and wire.tried == []
    assert cards(answer.text) == {
        "search": "fresh", "news": "empty", "weather": "empty", "stocks": "off", "links": "empty",
    }  # fmt: skip
    assert answer.text.count("not set up on this site") == 1
    assert answer.text.count(OFF["stocks"]) == 1
    for act in ("Find feeds", "Add a place", "Add a link"):
        assert answer.text.count(f">{act}<") == 1
    assert "Add symbols" not in answer.text


async def test_a_member_with_a_widget_of_each_type_sees_all_of_them_whole(
    bare: Browser, wire: Wire
) -> None:
    await bare.sign_in(await member(bare.services))
    offered = [one["type"] for one in (await bare.json("GET", "/api/widgets")).json()["types"]]
    for name in offered:
        if name not in ("search_bar", "news_feed", "weather", "stocks", "quick_links"):
            added = await bare.json("POST", "/api/widgets", {"page": "home", "type": name})
            assert added.status_code == 201, added.text
    page = (await bare.get("/")).text
    shown = cards(page)
    # One feed is drawn as all the news is.
    wanted = {kind.kind for kind in TYPES if kind.name in offered} - {"rss"}
    assert shown.keys() == wanted
    assert set(shown.values()) <= CALM and wire.tried == []
    for kind, sentence in OFF.items():
        assert shown[kind] == "off" and page.count(sentence) == 1
    for kind in shown:
        assert (await bare.fragment(f"/widgets/{kind}")).status_code == 200


async def test_what_is_off_offers_nothing_that_leads_nowhere(bare: Browser) -> None:
    await bare.sign_in(await member(bare.services))
    page = (await bare.get("/stocks")).text
    assert page.count(stocks.OFF) == 1 and "Add symbol" not in page
    assert "Connect Instagram" not in (await bare.get("/social")).text
