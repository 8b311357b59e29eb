"""The National Weather Service's answers become the common shape, in metric."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.forecasts import Alert, Forecast, wind_degrees
from app.outside.nws import NotCovered, Nws
from app.outside.nws_answers import Quantity
from app.outside.nws_words import CODE_OF_ICON, celsius, code_of, kmh
from app.outside.suns import is_up, rise_and_set
from tests.outside.servers import Server, serving
from tests.outside.vendors import EAST, NOW, alert, answering, hourly, nws, period

NEW_YORK = (40.71, -74.01)
TEN = datetime(2026, 11, 24, 10, tzinfo=EAST)


@asynccontextmanager
async def door(pages: dict[str, Any], now: datetime = NOW) -> AsyncIterator[tuple[Nws, Server]]:
    """Give a door to a server with these pages."""
    async with serving(answering(pages)) as server:
        place = f"http://127.0.0.1:{server.port}/"
        service = Nws(place, contact="ops@v.example", breaker=Breaker("nws"), clock=lambda: now)
        yield service, server
        await service.close()


async def forecast(hours: list[Any], halves: list[Any], now: datetime = NOW) -> Forecast:
    async with door(nws(hours, halves), now) as (service, _):
        return await service.forecast(*NEW_YORK)


def half(day: int, is_day: bool, degrees: int | None, **more: Any) -> dict[str, Any]:
    start = datetime(2026, 11, day, 6 if is_day else 18, tzinfo=EAST)
    return period(start, 12, is_day, temperature=degrees, **more)


async def test_hours_start_now_and_are_metric() -> None:
    found = await forecast(hourly(TEN - timedelta(hours=2)), [half(24, True, 50)])
    first = found.hours[0]
    assert len(found.hours) == 24 and first.at == datetime(2026, 11, 24, 15, tzinfo=UTC)
    assert (first.temperature_c, first.wind_kmh, first.wind_from_deg) == (10.0, 16.1, 315)
    assert (first.precipitation_chance, first.precipitation_mm, first.code) == (30, None, 95)
    assert (found.current.temperature_c, found.current.humidity) == (10.0, 55)
    assert found.current.feels_like_c is None


async def test_the_base_address_is_kept_and_the_agent_says_whom_to_write_to() -> None:
    async with door(nws(hourly(TEN), [half(24, True, 50)])) as (service, server):
        await service.forecast(*NEW_YORK)
    assert [visit.path for visit in server.visits] == list(nws([], []))
    assert server.visits[0].header("user-agent") == "Village (ops@v.example)"


async def test_highs_and_lows_stand_with_their_day_and_none_is_invented() -> None:
    halves = [half(24, False, 41), half(25, True, 59), half(25, False, None), half(26, True, 32)]
    evening = datetime(2026, 11, 25, 1, tzinfo=UTC)
    days = (await forecast(hourly(TEN), halves, evening)).days
    assert [(day.date.day, day.high_c, day.low_c) for day in days] == [
        (24, None, 5.0),
        (25, 15.0, None),
        (26, 0.0, None),
    ]


async def test_after_midnight_the_rest_of_the_night_makes_no_day() -> None:
    night = period(datetime(2026, 11, 25, 2, tzinfo=EAST), 4, False, temperature=30)
    halves = [night, half(25, True, 50), half(25, False, 40)]
    two_at_night = datetime(2026, 11, 25, 7, 10, tzinfo=UTC)
    days = (await forecast(hourly(TEN), halves, two_at_night)).days
    assert [(day.date, day.low_c) for day in days] == [(date(2026, 11, 25), 4.44)]


async def test_fourteen_halves_are_seven_days_with_sun() -> None:
    halves = [half(24 + n, is_day, 50) for n in range(7) for is_day in (True, False)]
    days = (await forecast(hourly(TEN), halves)).days
    assert [day.date.day for day in days] == [24, 25, 26, 27, 28, 29, 30]
    expected = datetime(2026, 11, 24, 11, 53, tzinfo=UTC)
    assert abs((days[0].sunrise or NOW) - expected) <= timedelta(minutes=2)


async def test_measured_figures_are_read_by_their_units() -> None:
    more = {
        "temperature": {"unitCode": "wmoUnit:degC", "value": 7.5},
        "windSpeed": {"unitCode": "wmoUnit:km_h-1", "minValue": 9, "maxValue": 18.5},
        "probabilityOfPrecipitation": {"unitCode": "wmoUnit:percent", "value": None},
    }
    found = await forecast([period(TEN, 1, True, **more)], [half(24, True, 50)])
    assert (found.hours[0].temperature_c, found.hours[0].wind_kmh) == (7.5, 18.5)
    assert found.hours[0].precipitation_chance is None


async def test_a_place_that_is_not_covered_is_known_as_such() -> None:
    async with door({}) as (service, _):
        with pytest.raises(NotCovered):
            await service.forecast(48.85, 2.35)


@pytest.mark.parametrize(
    "pages",
    [
        nws([], [half(24, True, 50)]),
        nws([{"startTime": "soon"}], []),
        {"/points/40.71,-74.01": {"properties": {}}},
        {
            **nws(hourly(TEN), []),
            "/points/40.71,-74.01": {
                "properties": {"gridId": "OKX", "gridX": 33, "gridY": 35, "timeZone": "../etc"}
            },
        },
    ],
)
async def test_garbage_is_service_down(pages: dict[str, Any]) -> None:
    async with door(pages) as (service, _):
        with pytest.raises(ServiceDown) as down:
            await service.forecast(*NEW_YORK)
    assert down.value.code == "garbage"


async def alerts(*features: dict[str, Any]) -> list[Alert]:
    async with door({"/alerts/active": {"features": list(features)}}) as (service, server):
        found = await service.alerts(*NEW_YORK)
    assert server.visits[0].path == "/alerts/active?point=40.71%2C-74.01"
    return found


async def test_alerts_in_force_are_told_the_worst_first() -> None:
    found = await alerts(
        alert(), alert(event="Tornado", severity="Extreme"), alert(severity="Odd", headline=None)
    )
    assert [one.severity for one in found] == ["extreme", "moderate", "unknown"]
    assert found[2].headline == "Wind Advisory" and found[1].ends_at == NOW + timedelta(days=1)


PAST = (NOW - timedelta(minutes=1)).isoformat()


@pytest.mark.parametrize(
    "more",
    [
        {"ends": PAST},
        {"ends": None, "expires": PAST},
        {"status": "Test"},
        {"status": "Exercise"},
        {"messageType": "Cancel"},
    ],
)
async def test_what_is_over_or_not_meant_is_no_alert(more: dict[str, Any]) -> None:
    assert await alerts(alert(**more)) == []


async def test_an_alert_whose_message_expires_before_the_weather_is_in_force() -> None:
    assert len(await alerts(alert(expires=PAST))) == 1


@pytest.mark.parametrize("icon", CODE_OF_ICON)
def test_every_icon_has_a_code(icon: str) -> None:
    assert code_of(f"https://api.weather.gov/icons/land/night/{icon},40?size=small", "") is not None


@pytest.mark.parametrize(
    ("icon", "words", "code"),
    [
        ("/icons/land/day/skc", "Sunny", 0),
        ("/icons/land/day/wind_bkn?size=small", "Windy", 3),
        ("/icons/land/day/few/tsra,60", "Sunny then Thunderstorms", 95),
        ("/icons/land/day/rain,30", "Chance Light Rain", 61),
        ("/icons/land/day/rain,90", "Heavy Rain", 65),
        ("/icons/land/day/rain,30", "Drizzle", 51),
        ("/icons/land/day/rain", "Soggy", 63),
        ("/icons/land/day/snow", "Light Snow", 71),
        ("/icons/land/day/snow", "Heavy Snow", 75),
        (None, "Mostly Cloudy", 3),
        (None, "Mostly Sunny", 1),
        ("", "Partly Cloudy", 2),
        ("/icons/land/day/newfangled", "Freezing Fog", 48),
        ("/icons/land/day/newfangled", "Frogs", None),
    ],
)
def test_icons_and_words_become_codes(icon: str | None, words: str, code: int | None) -> None:
    assert code_of(icon, words) == code


@pytest.mark.parametrize(
    ("figure", "unit", "expected"),
    [(32, "F", 0), (-40, "wmoUnit:degF", -40), (21, "wmoUnit:degC", 21), (273.15, "K", 0)],
)
def test_degrees_become_celsius(figure: float, unit: str, expected: float) -> None:
    assert celsius(figure, unit) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("10 mph", 16.1),
        ("10 to 15 mph", 24.1),
        ("20 km/h", 20.0),
        ("calm", None),
        (None, None),
        (Quantity("wmoUnit:m_s-1", 5), 18.0),
        (Quantity("wmoUnit:km_h-1", None), None),
    ],
)
def test_speeds_become_kilometres_an_hour(said: Any, expected: float | None) -> None:
    assert kmh(said) == expected


def test_the_sixteen_winds_are_known_in_degrees() -> None:
    assert [wind_degrees(name) for name in ("N", "nne", "E", "SW", "NNW")] == [0, 22, 90, 225, 338]
    assert [wind_degrees(name) for name in ("VRB", "", "CALM")] == [None, None, None]


def test_the_sun_follows_place_and_season() -> None:
    # Published times of midsummer in New York (05:25 and 20:31 EDT) and of Honolulu's new year.
    rise, set_ = rise_and_set(date(2026, 6, 21), 40.71, -74.01) or (NOW, NOW)
    assert abs(rise - datetime(2026, 6, 21, 9, 25, tzinfo=UTC)) <= timedelta(minutes=2)
    assert abs(set_ - datetime(2026, 6, 22, 0, 31, tzinfo=UTC)) <= timedelta(minutes=2)
    rise, _ = rise_and_set(date(2026, 1, 1), 21.31, -157.86) or (NOW, NOW)
    assert abs(rise - datetime(2026, 1, 1, 17, 9, tzinfo=UTC)) <= timedelta(minutes=2)
    # Utqiagvik, Alaska: two months of night, and of day.
    assert rise_and_set(date(2026, 12, 21), 71.29, -156.79) is None
    assert not is_up(datetime(2026, 12, 21, 22, tzinfo=UTC), 71.29, -156.79)
    assert is_up(datetime(2026, 6, 21, 10, tzinfo=UTC), 71.29, -156.79)
    assert is_up(datetime(2026, 11, 24, 2, 0, tzinfo=UTC), 21.31, -157.86)
    assert not is_up(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), 21.31, -157.86)
