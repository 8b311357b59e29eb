"""All doors against the demo world, which speaks in the vendors' shapes and fails on demand."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.forecasts import Forecast
from app.outside.guarded import FetchFailed, GuardedClient
from app.outside.nws import NotCovered, Nws
from app.outside.open_meteo import OpenMeteo
from app.outside.smtp import Mailer, Permanent, Temporary
from tests.world import World

NEW_YORK, HONOLULU, SAN_JUAN, TORONTO = (
    *((40.71, -74.01), (21.31, -157.86), (18.47, -66.11), (43.7, -79.42)),
)


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest.fixture
def world(running: World) -> World:
    running.clear()
    return running


@pytest.fixture
async def meteo(world: World) -> AsyncIterator[OpenMeteo]:
    door = OpenMeteo(world.env["OPEN_METEO_URL"], breaker=Breaker("open_meteo"), timeout=20)
    yield door
    await door.close()


@pytest.fixture
async def nws(world: World) -> AsyncIterator[Nws]:
    door = Nws(world.env["NWS_URL"], contact="ops@v.example", breaker=Breaker("nws"), timeout=20)
    yield door
    await door.close()


@pytest.fixture
def guarded(world: World) -> GuardedClient:
    places = {
        name: ("127.0.0.1", int(place.rpartition(":")[2]))
        for name, _, place in (pair.partition("=") for pair in world.env["GUARD_HOSTS"].split(","))
    }
    return GuardedClient("https://v.example", places, spacing=0.0, silence=1.5)


def plausible(found: Forecast) -> None:
    now = datetime.now(UTC)
    assert len(found.hours) == 24 and len(found.days) == 7
    assert now - timedelta(hours=1) < found.hours[0].at <= now
    steps = {later.at - one.at for one, later in zip(found.hours, found.hours[1:], strict=False)}
    assert steps == {timedelta(hours=1)}
    assert all(
        hour.temperature_c is not None and -60 < hour.temperature_c < 60 for hour in found.hours
    )
    assert all(hour.code is not None and hour.wind_from_deg is not None for hour in found.hours)
    assert {hour.is_day for hour in found.hours} == {True, False}
    assert all(day.sunrise and day.sunset and day.sunrise < day.sunset for day in found.days)


async def test_open_meteo_forecasts_fifty_places_in_one_call(
    world: World, meteo: OpenMeteo
) -> None:
    spots = [(round(30 + 0.3 * n, 2), round(-120 + 0.9 * n, 2)) for n in range(50)]
    for found in await meteo.forecasts(spots):
        plausible(found)
    assert len(world.requests("open_meteo")) == 1
    [toronto] = await meteo.forecasts([TORONTO])
    assert toronto.time_zone == "America/Toronto"


@pytest.mark.parametrize(
    ("spot", "zone"),
    [
        (NEW_YORK, "America/New_York"),
        (HONOLULU, "Pacific/Honolulu"),
        (SAN_JUAN, "America/Puerto_Rico"),
    ],
)
async def test_the_weather_service_forecasts_states_and_territories(
    nws: Nws, spot: tuple[float, float], zone: str
) -> None:
    found = await nws.forecast(*spot)
    plausible(found)
    assert found.time_zone == zone


async def test_the_weather_service_does_not_cover_toronto(nws: Nws) -> None:
    with pytest.raises(NotCovered):
        await nws.forecast(*TORONTO)


async def test_alerts_are_those_in_force(world: World, nws: Nws) -> None:
    world.alert(*HONOLULU, "High Surf Warning", "Severe", minutes=60)
    world.alert(*HONOLULU, "Flood Watch", "Moderate", minutes=-5)
    events = [alert.event for alert in await nws.alerts(*HONOLULU)]
    assert "High Surf Warning" in events and "Flood Watch" not in events


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("500", "http_500"),
        ("503", "http_503"),
        ("429", "over_quota"),
        ("garbage", "garbage"),
        ("half", "unreachable"),
        ("shape", "garbage"),
    ],
)
async def test_every_fault_of_a_weather_service_has_its_code(
    world: World, meteo: OpenMeteo, nws: Nws, kind: str, code: str
) -> None:
    await world.fault("open_meteo", kind, times=None)
    await world.fault("nws", kind, times=None)
    for asked in (meteo.forecasts([TORONTO]), nws.forecast(*NEW_YORK), nws.alerts(*NEW_YORK)):
        with pytest.raises(ServiceDown) as down:
            await asked
        assert down.value.code == code


@pytest.mark.parametrize("kind", ["hang", "slow"])
async def test_a_weather_service_that_keeps_us_waiting_is_given_up(world: World, kind: str) -> None:
    await world.fault("nws", kind, times=None)
    nws = Nws(world.env["NWS_URL"], contact="ops@v.example", breaker=Breaker("nws"), timeout=0.2)
    with pytest.raises(ServiceDown) as down:
        await nws.alerts(*NEW_YORK)
    await nws.close()
    assert down.value.code == "timeout"


async def test_a_service_that_is_back_is_asked_again_after_its_rest(world: World) -> None:
    now = [0.0]
    breaker = Breaker("open_meteo", limit=2, clock=lambda: now[0])
    meteo = OpenMeteo(world.env["OPEN_METEO_URL"], breaker=breaker)
    await world.fault("open_meteo", "garbage", times=2)
    for _ in range(4):
        with pytest.raises(ServiceDown):
            await meteo.forecasts([TORONTO])
    assert len(world.requests("open_meteo")) == 2
    now[0] += 60
    assert len(await meteo.forecasts([TORONTO])) == 1
    await meteo.close()


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("stumbling", "http_500"),
        ("vanished", "http_404"),
        ("silent", "timeout"),
        ("overrun", "http_429"),
        ("trapdoor", "refused_address"),
        ("roundabout", "too_many_redirects"),
        ("endless", "too_large"),
    ],
)
async def test_every_broken_publisher_fails_with_its_code(
    guarded: GuardedClient, host: str, code: str
) -> None:
    with pytest.raises(FetchFailed) as failure:
        await guarded.fetch(f"https://{host}.world.test/feed.xml", max_bytes=2**20)
    assert failure.value.code == code


async def test_a_publisher_that_moved_is_found(guarded: GuardedClient) -> None:
    moved = await guarded.fetch("https://moved-house.world.test/feed.xml")
    assert moved.permanent_url == "https://moved-house.world.test/news/feed.xml"
    assert moved.content.startswith(b"<?xml")


async def test_an_unchanged_feed_is_304(world: World, guarded: GuardedClient) -> None:
    slowest = max(world.press.index(), key=lambda feed: int(str(feed["refresh_minutes"])))
    first = await guarded.fetch(str(slowest["url"]))
    again = await guarded.fetch(str(slowest["url"]), etag=first.headers["etag"])
    assert first.content and (again.status, again.content) == (304, b"")


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "noreply@v.example", "ann@people.example"
    message["Subject"] = "Hello"
    message.set_content("A letter.")
    return message


async def test_a_letter_arrives_in_the_world(world: World) -> None:
    mailer = Mailer(world.env["SMTP_URL"], breaker=Breaker("smtp"))
    assert (await mailer.send(letter())).startswith("250")
    assert [one.text.strip() for one in world.letters] == ["A letter."]


@pytest.mark.parametrize(
    ("kind", "family"),
    [("429", Temporary), ("503", Temporary), ("500", Permanent), ("hang", Temporary)],
)
async def test_faults_of_the_mail_server_are_passing_or_final(
    world: World, kind: str, family: type[Exception]
) -> None:
    await world.fault("smtp", kind, times=None)
    with pytest.raises(family):
        await Mailer(world.env["SMTP_URL"], breaker=Breaker("smtp"), timeout=1).send(letter())
