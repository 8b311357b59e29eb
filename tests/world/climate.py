"""The weather of the demo world: worked out from place and time, smooth, plausible, the same each time."""

import math
from datetime import UTC, datetime
from typing import NamedTuple

from tests.world.tales import chance

HOUR = 3600


class Hour(NamedTuple):
    """The weather at one place in one hour, in metric units; `code` is a WMO code."""

    at: float
    temperature: float
    feels_like: float
    humidity: int
    cloud: int
    rain_chance: int
    precipitation: float
    snowfall: float
    code: int
    wind: float
    gusts: float
    direction: int
    pressure: float
    is_day: bool
    uv: float
    visibility: float


def hour(lat: float, lon: float, at: float) -> Hour:
    """Return the weather at a point in the hour that begins at or before a Unix time."""
    at = at // HOUR * HOUR
    height = sun_height(lat, lon, at)
    wet = drift((lat, lon, "wet"), at, 20) * 0.7 + drift((lat, lon, "front"), at, 70) * 0.5
    cloud = min(1.0, max(0.0, wet * 1.25 - 0.1))
    temperature = warmth(lat, at) + 6.5 * max(height, -0.3) * (1 - cloud * 0.6)
    temperature += 9 * (drift((lat, lon, "air"), at, 60) - 0.5) + 2 * (
        drift((lat, lon, "gust"), at, 7) - 0.5
    )
    amount = max(0.0, wet - 0.66) * 9 * drift((lat, lon, "shower"), at, 3)
    wind = 3 + 26 * drift((lat, lon, "wind"), at, 16) ** 1.6
    snow = amount * 0.7 if temperature < 1 else 0.0
    humidity = min(98, max(18, int(88 - 1.1 * (temperature - 8) + 24 * (cloud - 0.5))))
    return Hour(
        at=at,
        temperature=round(temperature, 1),
        feels_like=round(felt(temperature, wind, humidity), 1),
        humidity=humidity,
        cloud=int(cloud * 100),
        rain_chance=min(100, max(0, int((wet - 0.4) * 190))),
        precipitation=round(amount, 1),
        snowfall=round(snow, 1),
        code=code(
            cloud,
            amount,
            temperature,
            drift((lat, lon, "storm"), at, 5),
            fog=drift((lat, lon, "fog"), at, 9) > 0.9,
        ),
        wind=round(wind, 1),
        gusts=round(wind * (1.4 + 0.4 * drift((lat, lon, "puff"), at, 2)), 1),
        direction=int(drift((lat, lon, "from"), at, 40) * 540) % 360,
        pressure=round(1031 - 34 * wet, 1),
        is_day=height > 0,
        uv=round(max(0.0, height) * 9 * (1 - cloud * 0.7), 2),
        visibility=round(24_000 * (1 - 0.8 * min(1.0, amount)), 0),
    )


def drift(name: object, at: float, hours: float) -> float:
    """Return a value from 0 to 1 that wanders slowly: smooth between chances `hours` apart."""
    place = at / HOUR / hours
    step = math.floor(place)
    before, after = chance(name, step), chance(name, step + 1)
    part = (1 - math.cos((place - step) * math.pi)) / 2
    return before + (after - before) * part


def year_part(at: float) -> float:
    """Return where in the year a time lies, from 0 up to 1."""
    return datetime.fromtimestamp(at, UTC).timetuple().tm_yday / 365.25


def warmth(lat: float, at: float) -> float:
    """Return the day's middle temperature at a latitude and a time of the year."""
    season = math.cos((year_part(at) - 0.55) * 2 * math.pi) * (1 if lat >= 0 else -1)
    return 27.5 - 0.0064 * lat * lat - 0.08 * abs(lat) + season * min(14.0, abs(lat) * 0.3)


def sun_height(lat: float, lon: float, at: float) -> float:
    """Return the sine of the sun's height over the horizon (declination by Cooper's formula)."""
    tilt = math.radians(23.45) * math.sin(2 * math.pi * (year_part(at) + 284 / 365.25))
    turn = math.radians((at % 86_400) / 240 + lon - 180)
    across = math.radians(lat)
    return math.sin(across) * math.sin(tilt) + math.cos(across) * math.cos(tilt) * math.cos(turn)


def felt(temperature: float, wind: float, humidity: int) -> float:
    """Return what the air feels like: wind chill when cold, mugginess when hot."""
    if temperature < 10:
        return temperature - 0.12 * wind
    if temperature > 24:
        return temperature + (humidity - 45) * 0.08
    return temperature


def code(cloud: float, amount: float, temperature: float, storm: float, fog: bool) -> int:
    """Return the WMO code that goes with the figures."""
    if amount > 0.1:
        return wet_code(amount, temperature, storm)
    if fog and cloud > 0.3:
        return 48 if temperature < 0 else 45
    return 0 if cloud < 0.12 else 1 if cloud < 0.35 else 2 if cloud < 0.7 else 3


def wet_code(amount: float, temperature: float, storm: float) -> int:
    """Return the WMO code of rain, snow, sleet or a thunderstorm of this strength in mm an hour."""
    strength = 0 if amount < 0.6 else 1 if amount < 1.6 else 2
    if temperature < -1:
        return (71, 73, 75)[strength]
    if temperature < 1:
        return (66, 66, 67)[strength]
    if temperature > 17 and storm > 0.7:
        return 95 if strength < 2 else 96
    if storm < 0.35:
        return (51, 53, 55)[strength]
    return (61, 63, 65)[strength] if storm < 0.55 else (80, 81, 82)[strength]
