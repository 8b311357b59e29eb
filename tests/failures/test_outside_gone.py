"""The outside is gone: pages never touch it, and show their last values with age and reason."""

import asyncio
import dataclasses
import hashlib
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.box.ports import next_free
from app.domain.homepage import feed_fetching, weather_spots
from app.lane import Lane
from app.services import Services
from app.start import outside
from tests.conftest import client_on
from tests.failures.addresses import addresses
from tests.homepage.newsroom import ADD_ITEM, NOW
from tests.people import Browser, member

HOST = "dead-paper.example"
ADD_FEED = """
INSERT INTO feeds (url, url_key, visibility, title, default_on, last_ok_at, next_fetch_at, failing_since, failures, refresh_minutes)
VALUES ($1, $2, 'listed', 'Dead Paper', true, now() - interval '3 days', now(), now() - interval '2 days', 6, 60) RETURNING id
"""
FORECAST = {
    "time_zone": "UTC", "hours": [], "days": [],
    "current": {"temperature_c": 17.0, "code": 0, "is_day": True},
}  # fmt: skip
ADD_SPOT = """
INSERT INTO weather_cache (location_key, provider, forecast, forecast_at, expires_at)
VALUES ($2, 'open_meteo', $1, now() - interval '2 hours', now())
"""


@pytest.fixture
async def cut_off(services: Services) -> AsyncIterator[Services]:
    """Services whose every outside service is a closed port of loopback."""
    nothing = f"127.0.0.1:{next_free(17_700)}"
    settings = dataclasses.replace(
        services.settings, s3_endpoint=f"http://{nothing}", smtp_url=f"smtp://{nothing}",
        open_meteo_url=f"http://{nothing}", nws_url=f"http://{nothing}", demo_feeds=f"http://{nothing}/index.json",
        guard_hosts=f"{HOST}={nothing}", redis_url=f"redis://{nothing}/0", site_place="45.5,-73.57,Montréal",
    )  # fmt: skip
    doors, lane = outside(settings), Lane.at(settings.redis_url)
    yield dataclasses.replace(services, settings=settings, outside=doors, redis=lane)
    for door in doors.values():
        await door.close()
    await lane.close()


@pytest.fixture
async def last_values(cut_off: Services) -> int:
    """A forecast and a feed of yesterday, whose next look has failed; answers the feed's id."""
    url = f"https://{HOST}/feed"
    digest = hashlib.sha256(url.encode()).digest()
    feed_id: int = await cut_off.db.fetchval(ADD_FEED, url, digest)
    await cut_off.db.fetchval(
        ADD_ITEM, feed_id, digest, url, NOW, "Old but good", "", "old but good"
    )
    due = await cut_off.db.fetchval("SELECT next_fetch_at FROM feeds WHERE id = $1", feed_id)
    await feed_fetching.refresh(cut_off, feed_id, due.isoformat())
    await cut_off.db.execute(ADD_SPOT, FORECAST, weather_spots.key_of(45.5, -73.57))
    await weather_spots.refresh_due(cut_off)
    return feed_id


class Wire:
    """Notes and refuses every way out but that to PostgreSQL."""

    def __init__(self, allowed: tuple[str, int]) -> None:
        self.allowed, self.tried = allowed, []  # type: ignore[var-annotated]

    def refuse(self, where: Any) -> None:
        """Note one way out. Raises OSError unless it leads to PostgreSQL."""
        if tuple(where[:2]) != self.allowed:
            self.tried.append(where)
            raise OSError(f"{where} is outside")


@pytest.fixture
def wire(services: Services, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The wire, laid under sockets, names and the loop."""
    found = re.search(r"@([\w.]+):(\d+)/", services.settings.database_url)
    assert found
    wire = Wire((found[1], int(found[2])))

    def refuse(*given: Any, **named: Any) -> Any:
        numbers = [one for one in given if isinstance(one, str | int | tuple | bytes)]
        first = numbers[0] if numbers and isinstance(numbers[0], tuple) else tuple(numbers)
        wire.refuse(first or tuple(named.values()))
        raise OSError("Nothing here connects anew.")

    loop = type(asyncio.get_event_loop_policy().get_event_loop())
    for place, name in (
        (socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo"), (socket, "create_connection"),
        (loop, "sock_connect"), (loop, "create_connection"), (loop, "getaddrinfo"),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, refuse)
    return wire


async def roles(services: Services, browser: Browser) -> AsyncIterator[str]:
    """The browser as a visitor, as a member, as an admin."""
    yield "visitor"
    for name, role in (("ada", None), ("root", "super_admin")):
        await browser.sign_in(await member(services, f"{name}@example.org", role))
        yield name


async def test_no_page_and_no_fragment_opens_a_connection(
    cut_off: Services, last_values: int, wire: Wire
) -> None:
    async with client_on(cut_off) as client:
        browser = Browser(client, cut_off)
        async for role in roles(cut_off, browser):
            for path in addresses():
                for answer in (await browser.get(path), await browser.fragment(path)):
                    assert answer.status_code < 500, (role, path, answer.text)
    assert wire.tried == []
    with pytest.raises(OSError, match="is outside"):
        socket.create_connection(("127.0.0.1", 1))


async def test_every_page_answers_with_all_services_gone(
    cut_off: Services, last_values: int
) -> None:
    async with client_on(cut_off) as client:
        browser = Browser(client, cut_off)
        async for role in roles(cut_off, browser):
            for path in addresses([last_values]):
                status = (await browser.get(path)).status_code
                assert status < 500, (role, path, status)
                assert status not in (400, 405), (role, path)


async def test_weather_and_news_show_their_last_value_with_age_and_reason(
    cut_off: Services, last_values: int
) -> None:
    async with client_on(cut_off) as client:
        browser = Browser(client, cut_off)
        page = (await browser.get("/widgets/weather")).text
        assert "17°" in page
        assert "The weather service" in page
        assert "<time" in page
        feed = (await browser.json("GET", f"/api/feeds/{last_values}")).json()
        assert feed["health"]["state"] == "failing"
        assert feed["health"]["sentence"] and feed["last_ok_at"]
        assert "Old but good" in (await browser.get("/news")).text
        card = (await browser.get(f"/feeds/{last_values}")).text
        assert feed["health"]["sentence"] in card
