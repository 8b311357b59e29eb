"""The demo world itself: what it serves, what it records, and how it fails when told to."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import feedparser
import httpx2
import pytest

from tests.world import World, publishers, timeline
from tests.world.publishers import Publisher

ROOT = Path(__file__).parents[2]
NOON = 1_780_000_000
AUSTIN = "latitude=30.27&longitude=-97.74"


@pytest.fixture(scope="module")
async def started() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest.fixture
def world(started: World) -> World:
    started.clear()
    started.offset = 0
    return started


async def fetched(world: World, host: str, path: str, **headers: str) -> httpx2.Response:
    """Ask a publisher as the guarded client does: by its name, at the world's port."""
    url = f"http://127.0.0.1:{world.press.port}{path}"
    async with httpx2.AsyncClient() as client:
        return await client.get(url, headers={"Host": host, **headers})


async def answer(url: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=2) as client:
        return await client.get(url, headers=headers)


def entries(publisher: Publisher, response: httpx2.Response) -> list:
    if publisher.format == "json":
        return response.json()["items"]
    return feedparser.parse(response.content).entries


@pytest.mark.parametrize("publisher", publishers.ALL, ids=lambda publisher: publisher.host)
async def test_every_publisher_has_a_feed_that_a_reader_can_read(
    world: World, publisher: Publisher
) -> None:
    response = await fetched(world, publisher.host, publisher.feed_path)
    found = entries(publisher, response)
    assert len(found) == publisher.length
    assert all(entry.get("title") and (entry.get("link") or entry.get("url")) for entry in found)


async def test_a_known_feed_is_answered_with_304_until_something_new_appears(world: World) -> None:
    first = await fetched(world, "touchline.world.test", "/feed.xml")
    known = {
        "If-None-Match": first.headers["etag"],
        "If-Modified-Since": first.headers["last-modified"],
    }
    assert (await fetched(world, "touchline.world.test", "/feed.xml", **known)).status_code == 304
    world.shift(3600)
    later = await fetched(world, "touchline.world.test", "/feed.xml", **known)
    assert later.status_code == 200
    assert later.headers["etag"] != first.headers["etag"]


def test_the_same_moment_brings_the_same_news_and_another_seed_other_news() -> None:
    publisher = publishers.PAPERS[0]
    titles = [item.telling.title for item in timeline.items(publisher, NOON, 1)]
    assert titles == [item.telling.title for item in timeline.items(publisher, NOON, 1)]
    assert titles != [item.telling.title for item in timeline.items(publisher, NOON, 2)]


def test_an_item_that_was_published_stays_as_it_is() -> None:
    publisher = publishers.PAPERS[0]
    before = {item.number: item.telling for item in timeline.items(publisher, NOON, 1)}
    after = {item.number: item.telling for item in timeline.items(publisher, NOON + 7200, 1)}
    assert len(after.keys() - before.keys()) > 3
    assert all(before[number] == after[number] for number in before.keys() & after.keys())


def test_large_events_are_told_by_several_publishers_in_different_words() -> None:
    told: dict[str, dict[str, str]] = {}
    for publisher in publishers.ALL:
        for item in timeline.items(publisher, NOON, 1):
            if item.event:
                told.setdefault(item.event, {})[publisher.host] = item.telling.title
    shared = [list(titles.values()) for titles in told.values() if len(titles) > 2]
    assert len(shared) > 100
    assert sum(len(set(titles)) > 1 for titles in shared) > 0.9 * len(shared)


async def test_pictures_of_all_kinds_are_drawn_and_are_the_same_each_time(world: World) -> None:
    for kind, magic in (("jpg", b"\xff\xd8"), ("png", b"\x89PNG"), ("webp", b"RIFF")):
        first = await fetched(world, "matinee.world.test", f"/pictures/food-7-320x180.{kind}")
        again = await fetched(world, "matinee.world.test", f"/pictures/food-7-320x180.{kind}")
        assert first.content.startswith(magic)
        assert first.content == again.content


async def test_home_pages_name_their_feed_and_lead_to_articles(world: World) -> None:
    home = await fetched(world, "open-orbit.world.test", "/")
    assert 'rel="alternate" type="application/rdf+xml"' in home.text
    path = home.text.split('href="https://open-orbit.world.test')[1].split('"')[0]
    assert "<article" in (await fetched(world, "open-orbit.world.test", path)).text


async def test_broken_publishers_break_each_in_its_way(world: World) -> None:
    async def status(name: str) -> tuple[int, str]:
        response = await fetched(world, f"{name}.world.test", "/feed.xml")
        return response.status_code, response.headers.get("location", "")

    assert await status("stumbling") == (500, "")
    assert [await status("vanished") for _ in range(4)] == [(404, "")] * 3 + [(410, "")]
    assert await status("moved-house") == (301, "https://moved-house.world.test/news/feed.xml")
    assert await status("trapdoor") == (302, "http://169.254.169.254/latest/meta-data/")
    assert (await status("overrun"))[0] == 429
    moved = await fetched(world, "moved-house.world.test", "/news/feed.xml")
    assert feedparser.parse(moved.content).entries


async def test_open_meteo_answers_one_place_as_an_object_and_several_as_a_list(
    world: World,
) -> None:
    url = f"{world.env['OPEN_METEO_URL']}/v1/forecast?hourly=temperature_2m&daily=sunrise&timezone=auto"
    one = (await answer(f"{url}&{AUSTIN}")).json()
    assert one["timezone"] == "America/Chicago"
    assert len(one["hourly"]["time"]) == len(one["hourly"]["temperature_2m"]) == 168
    several = (await answer(f"{url}&latitude=30.27,43.65&longitude=-97.74,-79.38")).json()
    assert [place["timezone"] for place in several] == ["America/Chicago", "America/Toronto"]
    assert several[0]["hourly"] == one["hourly"]


async def test_open_meteo_converts_units_and_refuses_what_it_does_not_know(world: World) -> None:
    url = f"{world.env['OPEN_METEO_URL']}/v1/forecast?{AUSTIN}&forecast_days=1"
    celsius = (await answer(f"{url}&hourly=temperature_2m")).json()["hourly"]["temperature_2m"]
    other = (await answer(f"{url}&hourly=temperature_2m&temperature_unit=fahrenheit")).json()
    assert other["hourly"]["temperature_2m"] == [round(value * 1.8 + 32, 1) for value in celsius]
    assert other["hourly_units"]["temperature_2m"] == "°F"
    refused = await answer(f"{url}&hourly=happiness")
    assert refused.status_code == 400
    assert refused.json()["error"] is True


async def test_the_us_service_leads_from_a_point_to_its_forecasts(world: World) -> None:
    point = (await answer(f"{world.env['NWS_URL']}/points/30.27,-97.74")).json()["properties"]
    days = (await answer(point["forecast"])).json()["properties"]["periods"]
    hours = (await answer(point["forecastHourly"])).json()["properties"]["periods"]
    assert len(days) == 14
    assert all(
        one["isDaytime"] != two["isDaytime"] for one, two in zip(days, days[1:], strict=False)
    )
    assert len(hours) == 156
    assert hours[0]["temperatureUnit"] == "F"


async def test_the_us_service_knows_only_its_country_and_wants_a_name(world: World) -> None:
    url = world.env["NWS_URL"]
    assert (await answer(f"{url}/points/43.65,-79.38")).status_code == 404
    assert (await answer(f"{url}/points/18.46,-66.11")).status_code == 200
    assert (await answer(f"{url}/points/30.270,-97.74")).headers[
        "location"
    ] == "/points/30.27,-97.74"
    assert (await answer(f"{url}/points/30.27,-97.74", **{"User-Agent": ""})).status_code == 403


async def test_an_ordered_alert_stands_around_its_point_alone(world: World) -> None:
    world.alert(30.27, -97.74, "Flood Warning", minutes=60)

    async def events(point: str) -> list[str]:
        response = await answer(f"{world.env['NWS_URL']}/alerts/active?point={point}")
        return [feature["properties"]["event"] for feature in response.json()["features"]]

    assert "Flood Warning" in await events("30.3,-97.7")
    assert "Flood Warning" not in await events("47.6,-122.33")


async def test_letters_are_kept_with_their_envelope(world: World) -> None:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "a@village.test", "b@village.test", "Grüße"
    letter.set_content("First line\n.dotted\n")
    await aiosmtplib.send(
        letter, port=world.mail.port, hostname="127.0.0.1", recipients=["c@village.test"]
    )
    [kept] = world.letters
    assert (kept.sender, kept.recipients) == ("a@village.test", ["c@village.test"])
    assert kept.message["subject"] == "Grüße"
    assert kept.text.splitlines() == ["First line", ".dotted"]


async def test_the_mail_server_refuses_for_now_or_for_good(world: World) -> None:
    await world.fault("smtp", "503")
    await world.fault("smtp", "500")
    for code in (451, 550):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await aiosmtplib.send(
                "Subject: x\n\nx",
                sender="a@b.test",
                recipients=["c@d.test"],
                port=world.mail.port,
                hostname="127.0.0.1",
            )
        assert refused.value.recipients[0].code == code
    assert world.letters == []


@pytest.mark.parametrize("kind", ["500", "503", "429", "garbage", "shape"])
async def test_a_fault_happens_as_often_as_it_was_ordered(world: World, kind: str) -> None:
    url = f"{world.env['OPEN_METEO_URL']}/v1/forecast?{AUSTIN}&hourly=temperature_2m"
    good = (await answer(url)).json()["hourly"]
    await world.fault("open_meteo", kind, times=2, seconds=9)
    bad = [await answer(url), await answer(url)]
    assert [one.status_code for one in bad] == [int(kind) if kind.isdigit() else 200] * 2
    assert all(b"hourly" not in one.content for one in bad)
    assert (await answer(url)).json()["hourly"] == good


async def test_half_an_answer_ends_in_the_middle_and_a_hang_does_not_begin(world: World) -> None:
    url = f"{world.env['OPEN_METEO_URL']}/v1/forecast?{AUSTIN}&hourly=temperature_2m"
    await world.fault("open_meteo", "half")
    with pytest.raises(httpx2.RemoteProtocolError):
        await answer(url)
    await world.fault("open_meteo", "hang")
    with pytest.raises(httpx2.ReadTimeout):
        async with httpx2.AsyncClient(timeout=0.2) as client:
            await client.get(url)


async def test_a_fault_may_be_for_one_publisher_and_is_told_apart_in_the_record(
    world: World,
) -> None:
    await world.fault("touchline.world.test", "500", times=None)
    assert (await fetched(world, "touchline.world.test", "/feed.xml")).status_code == 500
    assert (await fetched(world, "matinee.world.test", "/feed.xml")).status_code == 200
    counts = Counter(one.host for one in world.requests("feeds"))
    assert counts == {"touchline.world.test": 1, "matinee.world.test": 1}
    world.clear()
    assert (await fetched(world, "touchline.world.test", "/feed.xml")).status_code == 200
    assert len(world.requests("touchline.world.test")) == 1


async def test_an_unknown_fault_or_service_is_refused(world: World) -> None:
    for service, kind in (("feeds", "boredom"), ("post office", "500")):
        with pytest.raises(ValueError):
            await world.fault(service, kind)


async def test_the_world_runs_by_itself_and_stops_when_told() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.world", "--port", "0", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    ready = json.loads(await process.stdout.readline())
    index = (await answer(ready["env"]["DEMO_FEEDS"])).json()
    assert {feed["broken"] for feed in index} == {True, False}
    async with httpx2.AsyncClient() as client:
        ordered = await client.post(
            f"{ready['control']}/faults", json={"service": "nws", "kind": "500"}
        )
    assert ordered.status_code == 204
    assert (await answer(f"{ready['env']['NWS_URL']}/points/30.27,-97.74")).status_code == 500
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) == 0
