"""Open-Meteo's answers become forecasts that start now; its troubles become one family."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.forecasts import Forecast
from app.outside.open_meteo import OpenMeteo
from tests.outside.servers import Script, Server, always, answer, serving
from tests.outside.vendors import answering, clock, open_meteo

TORONTO, TOKYO = (43.65, -79.38), (35.7, 139.7)


@asynccontextmanager
async def door(script: Script, **more: Any) -> AsyncIterator[tuple[OpenMeteo, Server]]:
    """Give a door to a server that answers by the script."""
    async with serving(script) as server:
        settings = {"breaker": Breaker("open_meteo"), "clock": clock, **more}
        meteo = OpenMeteo(f"http://127.0.0.1:{server.port}", **settings)
        yield meteo, server
        await meteo.close()


async def one(said: Any) -> Forecast:
    async with door(answering({"/v1/forecast": said})) as (meteo, _):
        [forecast] = await meteo.forecasts([TORONTO])
        return forecast


async def test_hours_start_with_the_current_one_and_are_twenty_four() -> None:
    forecast = await one(open_meteo())
    assert len(forecast.hours) == 24
    assert forecast.hours[0].at == datetime(2026, 11, 24, 15, tzinfo=UTC)
    # Ten o'clock in Toronto is the eleventh hour of its day.
    assert (forecast.hours[0].temperature_c, forecast.hours[0].precipitation_chance) == (10.0, 10)


async def test_now_is_told_with_all_its_figures() -> None:
    now = (await one(open_meteo())).current
    assert (now.temperature_c, now.feels_like_c, now.humidity) == (3.4, -0.6, 81)
    assert (now.wind_kmh, now.wind_from_deg, now.code, now.is_day) == (18.2, 249, 61, True)


async def test_days_are_seven_of_the_place_and_what_is_missing_stays_missing() -> None:
    forecast = await one(open_meteo("Asia/Tokyo", 32400))
    # In Tokyo the next day has begun.
    assert forecast.days[0].date == date(2026, 11, 25)
    assert len(forecast.days) == 7 and forecast.time_zone == "Asia/Tokyo"
    assert [day.high_c for day in forecast.days[:3]] == [5.0, None, 7]
    assert forecast.days[3].precipitation_chance is None
    assert forecast.days[0].sunrise == datetime(2026, 11, 24, 22, 23, tzinfo=UTC)


async def test_many_spots_are_one_call_and_come_back_in_order() -> None:
    said = [open_meteo(), open_meteo("Asia/Tokyo", 32400)]
    async with door(answering({"/v1/forecast": said}), api_key="k") as (meteo, server):
        zones = [place.time_zone for place in await meteo.forecasts([TORONTO, TOKYO])]
    asked = parse_qs(urlsplit(server.visits[0].path).query)
    assert zones == ["America/Toronto", "Asia/Tokyo"] and len(server.visits) == 1
    assert (asked["latitude"], asked["longitude"]) == (["43.65,35.7"], ["-79.38,139.7"])
    assert asked["apikey"] == ["k"] and asked["timezone"] == ["auto"]


async def test_more_than_fifty_spots_are_not_asked() -> None:
    async with door(answering({})) as (meteo, server):
        for spots in ([], [TORONTO] * 51):
            with pytest.raises(ValueError, match="1 to 50"):
                await meteo.forecasts(spots)
    assert server.visits == []


SHORT = {**open_meteo()["hourly"], "temperature_2m": [1.0]}
ODD = {**open_meteo()["hourly"], "time": ["soon"] * 192}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (answer(b"{}"), "garbage"),
        (answer(b"<html>"), "garbage"),
        (answer(b"\xff\xfe"), "garbage"),
        (answer(b'{"error":true,"reason":"x"}', status="400 Bad Request"), "http_400"),
        (answer(b"", "Retry-After: 90", status="429 Slow"), "over_quota"),
        (answer(b"", status="503 Busy"), "http_503"),
        (b"", "unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", "unreachable"),
    ],
)
async def test_a_trouble_is_service_down_with_a_code(said: bytes, code: str) -> None:
    async with door(always(said)) as (meteo, server):
        with pytest.raises(ServiceDown) as down:
            await meteo.forecasts([TORONTO])
    assert down.value.code == code
    assert down.value.retry_after == (90 if code == "over_quota" else None)
    # Only a hiccup is worth a second try.
    assert len(server.visits) == (2 if code in ("http_503", "unreachable") else 1)


@pytest.mark.parametrize("hourly", [SHORT, ODD, {**SHORT, "time": None}])
async def test_lists_that_do_not_fit_are_garbage(hourly: Any) -> None:
    with pytest.raises(ServiceDown) as down:
        await one(open_meteo(hourly=hourly))
    assert down.value.code == "garbage"


async def test_too_few_places_are_garbage() -> None:
    async with door(answering({"/v1/forecast": [open_meteo()]})) as (meteo, _):
        with pytest.raises(ServiceDown):
            await meteo.forecasts([TORONTO, TOKYO])


async def test_a_slow_answer_is_given_up() -> None:
    async with door(always(b"HTTP/1.1 200 OK\r\n", pause=30), timeout=0.1) as (meteo, _):
        with pytest.raises(ServiceDown) as down:
            await meteo.forecasts([TORONTO])
    assert down.value.code == "timeout"


async def test_a_hiccup_is_tried_again() -> None:
    async def script(visit: Any) -> None:
        first = len(server.visits) == 1
        await (visit.say(answer(b"", status="502 Bad")) if first else well(visit))

    well = answering({"/v1/forecast": open_meteo()})
    async with door(script) as (meteo, server):
        assert len(await meteo.forecasts([TORONTO])) == 1
    assert len(server.visits) == 2
