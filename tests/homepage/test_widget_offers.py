"""Types of widgets behind a flag: off takes one away everywhere, and no place is lost by it (chapter 20 rule 10)."""

import pytest

from app.domain.homepage import pages
from app.domain.platform.flags import memory
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage.market import switched_on
from tests.people import Browser, member


@pytest.fixture
async def ada(services: Services) -> Reader:
    return await member(services)


async def test_a_flag_that_is_off_takes_the_type_away_everywhere(
    browser: Browser, services: Services, ada: Reader
) -> None:
    await browser.sign_in(ada)
    for path in (
        "/widgets/stocks",
        "/stocks",
        "/stocks/MSFT",
        "/stocks/suggestions?q=a",
        "/api/widgets/stocks",
    ):
        assert (await browser.get(path)).status_code == 404
    assert (await browser.json("PUT", "/api/stocks/MSFT/watch", {})).status_code == 404
    assert (await browser.json("POST", "/api/widgets", {"type": "stocks"})).status_code == 422
    for path in ("/", "/?edit=1", "/api/widgets", "/api/pages/home"):
        assert "stocks" not in (await browser.get(path)).text.lower().replace("/css/", "")
    page = await pages.shown(services, ada)
    assert [widget.key for widget in page.widgets] == ["search", "news", "weather", "links"]
    switched_on(services)
    assert (await browser.get("/widgets/stocks")).status_code == 200
    assert 'id="widget-stocks"' in (await browser.get("/")).text


async def test_a_flag_counts_on_the_shared_page_at_100_percent_only(
    browser: Browser, services: Services
) -> None:
    switched_on(services, 99)
    assert "widget-stocks" not in (await browser.get("/")).text
    switched_on(services, 100)
    browser.client._transport.app.state["shared"].answers.clear()
    assert "widget-stocks" in (await browser.get("/")).text


async def test_a_page_keeps_its_stocks_while_the_flag_is_off(
    browser: Browser, services: Services, ada: Reader
) -> None:
    await browser.sign_in(ada)
    switched_on(services)
    added = (
        await browser.json("POST", "/api/widgets", {"type": "stocks", "settings": {"rows": 3}})
    ).json()
    key = added["widget"]["key"]
    memory.of(services).rules.pop("stocks_widget")
    await browser.json("PUT", "/api/pages/home/widgets/weather/place", {"x": 0, "y": 0})
    assert key not in {widget.key for widget in (await pages.shown(services, ada)).widgets}
    switched_on(services)
    [back] = [widget for widget in (await pages.shown(services, ada)).widgets if widget.key == key]
    assert back.settings == {"rows": 3}


async def test_the_default_page_has_stocks_at_their_place(services: Services) -> None:
    view = await pages.shown(switched_on(services), None)
    places = {widget.key: (widget.x, widget.y, widget.w, widget.h) for widget in view.widgets}
    assert places["stocks"] == (8, 5, 4, 3) and places["links"] == (0, 8, 12, 2)
