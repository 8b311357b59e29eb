"""Live: keys and versions only, for whom it concerns; resume, ceilings, goodbye; and what is fetched then."""

import asyncio
import contextlib
import re

import httpx2
import pytest
from starlette.requests import ClientDisconnect

from app.domain.homepage import live_topics, versions
from app.domain.homepage.live_topics import of_page
from app.errors import ServiceDown
from app.main import application
from app.services import Services
from app.web.live import STREAMS_AN_ADDRESS, Hub, LiveResponse, Stream, events
from app.web.session import SESSION
from tests.homepage.newsroom import feed, item
from tests.people import Browser, cookie_of, member


def stream(user_id: int, *topics: str) -> Stream:
    return Stream(
        user_id,
        frozenset([*topics, f"reader:{user_id}"]),
        {"news": ["news"], "weather": ["weather"]},
    )


async def test_a_change_reaches_only_those_whom_it_concerns(services: Services) -> None:
    hub = Hub(services.settings)
    mine, other = stream(1, "feed:7"), stream(2, "feed:8")
    hub.join(mine, None)
    hub.join(other, None)
    hub.heard(None, 0, "", "feed:7")
    hub.heard(None, 0, "", "reader:2:weather")
    assert (list(mine.waiting), list(other.waiting)) == (["news"], ["weather"])


async def test_a_stream_sends_keys_and_numbers_and_says_goodbye(services: Services) -> None:
    hub = Hub(services.settings)
    mine = stream(1, "feed:7")
    hub.join(mine, None)
    sent = events(hub, mine)
    assert b"event: hello" in await anext(sent)
    hub.heard(None, 0, "", "feed:7")
    assert re.search(rb'event: change\ndata: \{"news":\d+\}\n\n', await anext(sent))
    hub.close()
    assert re.search(rb'event: bye\ndata: \{"seconds": \d+\}', await anext(sent))
    assert [chunk async for chunk in sent] == []
    assert not hub.streams
    assert not hub.by_topic


async def test_who_watches_another_symbol_comes_back_and_hears_of_it(services: Services) -> None:
    hub = Hub(services.settings)
    mine = Stream(1, frozenset(["stock:KO", "reader:1"]), {"stocks": ["stocks"]})
    other = Stream(2, frozenset(["stock:IBM", "reader:2"]), {"stocks": ["stocks"]})
    hub.join(mine, None)
    hub.join(other, None)
    sent = events(hub, mine)
    await anext(sent)
    hub.heard(None, 0, "", "reader:1:stocks")
    assert b"event: change" in await anext(sent)
    last = hub.number
    assert [chunk async for chunk in sent] == [] and hub.streams == {other}
    hub.heard(None, 0, "", "stock:MSFT")
    back = Stream(1, frozenset(["stock:KO", "stock:MSFT", "reader:1"]), {"stocks": ["stocks"]})
    hub.join(back, last)
    assert list(back.waiting) == ["stocks"] and not other.waiting


async def test_who_comes_back_hears_what_was_missed(services: Services) -> None:
    hub = Hub(services.settings)
    since = hub.number
    hub.heard(None, 0, "", "feed:7")
    known, stranger = stream(1, "feed:7"), stream(2, "feed:9")
    hub.join(known, since)
    hub.join(stranger, since)
    assert (list(known.waiting), list(stranger.waiting)) == (["news"], [])
    lost = stream(3, "feed:9")
    hub.join(lost, since - 5_000)
    assert set(lost.waiting) == {"news", "weather"}


async def test_five_streams_a_person_and_a_ceiling_a_process(services: Services) -> None:
    hub = Hub(services.settings)
    for _ in range(5):
        hub.join(stream(1), None)
    with pytest.raises(ServiceDown):
        hub.join(stream(1), None)
    hub.ceiling = 5
    with pytest.raises(ServiceDown):
        hub.join(stream(2), None)


async def test_visitors_get_none_unless_the_site_says_so(browser: Browser) -> None:
    assert (await browser.json("GET", "/live")).status_code == 401


async def test_a_page_hears_of_its_reader_its_feeds_and_its_places(
    browser: Browser, services: Services
) -> None:
    feed_id, who = await feed(services, "courier"), await member(services)
    await services.db.execute(
        "INSERT INTO feed_subscriptions (user_id, feed_id) VALUES ($1, $2)", who.id, feed_id
    )
    await services.db.execute(
        "INSERT INTO weather_places (user_id, name, lat, lon) VALUES ($1, 'Home', 45.5, -73.57)",
        who.id,
    )
    topics, keys = await of_page(services, who, "home")
    assert topics == {f"feed:{feed_id}", f"reader:{who.id}", "weather:45.50:-73.57"}
    assert keys["news"] == ["news"] and keys["notices"] == ["bell"]


async def test_the_topics_of_a_page_are_kept_only_while_a_stream_holds_them(
    services: Services,
) -> None:
    await feed(services, "courier")
    held, who = len(live_topics._held), await member(services)
    one, _ = await of_page(services, who, "home")
    other, _ = await of_page(services, who, "home")
    assert one is other
    assert len(live_topics._held) == held + 1
    del one, other
    assert len(live_topics._held) == held


async def test_changes_answers_204_or_only_what_changed(
    browser: Browser, services: Services
) -> None:
    feed_id, who = await feed(services, "courier"), await member(services)
    await services.db.execute(
        "INSERT INTO feed_subscriptions (user_id, feed_id) VALUES ($1, $2)", who.id, feed_id
    )
    await browser.sign_in(who)
    page = (await browser.get("/")).text
    have = ",".join(
        f"{key}:{version}"
        for key, version in re.findall(r'data-key="(\w+)".*?data-version="(\w+)"', page)
    )
    assert (await browser.fragment(f"/widgets/changes?page=home&have={have}")).status_code == 204
    await item(services, feed_id, "Breaking goats")
    await services.db.execute("UPDATE feeds SET version = version + 1")
    answer = await browser.fragment(f"/widgets/changes?page=home&have={have}")
    assert "Breaking goats" in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert 'id="widget-links"' not in answer.text


async def test_changes_says_when_only_the_whole_page_can_show_them(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    have = ",".join(
        f"{key}:{version}"
        for key, version in re.findall(
            r'data-key="(\w+)".*?data-version="(\w+)"', (await browser.get("/")).text
        )
    )
    address = f"/widgets/changes?page=home&have={have}"
    assert "hx-refresh" not in (await browser.fragment(address)).headers
    assert (await browser.fragment(f"{address},gone:0")).headers["hx-refresh"] == "true"
    assert (await browser.fragment(address.rpartition(",")[0])).headers["hx-refresh"] == "true"


async def test_versions_move_with_what_they_stand_for(services: Services) -> None:
    who = await member(services)
    before = await versions.of_reader(services, who, None)
    await versions.bump(services, who.id, "links")
    after = await versions.of_reader(services, who, None)
    assert after.links == before.links + 1
    assert after.news == before.news


async def test_a_readers_versions_are_read_again_only_after_a_change(services: Services) -> None:
    app, who, asked = application(services.settings, services), await member(services), list[str]()
    hub: Hub = app.state["hub"]
    hub.listening = True
    services.db.connection.add_query_logger(lambda record: asked.append(record.query))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://testserver"
    ) as client:
        headers = {"cookie": f"{SESSION}={await cookie_of(services, who)}"}

        async def looks() -> int:
            asked.clear()
            assert (await client.get("/", headers=headers)).status_code == 200
            await asyncio.sleep(0.01)  # the connection tells of its queries a turn later
            return sum(query == versions.OF_READER for query in asked)

        assert [await looks(), await looks()] == [1, 0]
        hub.heard(None, 0, "", "feed:7")
        assert [await looks(), await looks()] == [1, 0]
        await versions.bump(services, who.id, "links")
        assert [await looks(), await looks()] == [1, 0]
        hub.listening = False
        assert [await looks(), await looks()] == [1, 1]


async def test_who_is_gone_before_the_first_word_leaves_no_stream(services: Services) -> None:
    hub, ours = Hub(services.settings), stream(1, "feed:7")
    hub.join(ours, None)

    async def gone(_message: object) -> None:
        raise OSError("the reader is gone")

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    with contextlib.suppress(OSError, ClientDisconnect, BaseExceptionGroup):
        await LiveResponse(hub, ours, {})({"type": "http", "asgi": {}}, receive, gone)
    assert not hub.streams


async def test_one_address_cannot_take_every_stream_of_the_visitors(services: Services) -> None:
    hub = Hub(services.settings)
    held = [Stream(0, frozenset(["feed:7"]), {}, "192.0.2.7") for _ in range(STREAMS_AN_ADDRESS)]
    for one in held:
        hub.join(one, None)
    with pytest.raises(ServiceDown):
        hub.join(Stream(9, frozenset(["reader:9"]), {}, "192.0.2.7"), None)
    hub.join(Stream(0, frozenset(["feed:7"]), {}, "192.0.2.8"), None)
    hub.join(stream(1, "feed:7"), None)
    hub.leave(held[0])
    hub.leave(held[0])
    hub.join(Stream(0, frozenset(["feed:7"]), {}, "192.0.2.7"), None)
    for one in held[1:]:
        hub.leave(one)
    assert hub.by_address == {"192.0.2.7": 1, "192.0.2.8": 1}
