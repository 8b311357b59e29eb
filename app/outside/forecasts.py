"""The one shape in which every weather service answers: metric, in UTC, missing stays missing."""

from datetime import date, datetime

from msgspec import Struct


class Current(Struct, frozen=True, kw_only=True):
    """The weather now. `code` is WMO 4677 as Open-Meteo uses it; humidity and chances in percent."""

    temperature_c: float | None
    feels_like_c: float | None = None
    wind_kmh: float | None = None
    wind_from_deg: int | None = None
    humidity: int | None = None
    code: int | None = None
    is_day: bool = True


class Hour(Struct, frozen=True, kw_only=True):
    """One hour, beginning `at`."""

    at: datetime
    temperature_c: float | None
    precipitation_chance: int | None = None
    precipitation_mm: float | None = None
    wind_kmh: float | None = None
    wind_from_deg: int | None = None
    code: int | None = None
    is_day: bool = True


class Day(Struct, frozen=True, kw_only=True):
    """One day of the place's own calendar."""

    date: date
    high_c: float | None = None
    low_c: float | None = None
    code: int | None = None
    precipitation_chance: int | None = None
    sunrise: datetime | None = None
    sunset: datetime | None = None


class Forecast(Struct, frozen=True, kw_only=True):
    """Now, up to 24 hours from the place's current one, and up to 7 days from its today."""

    time_zone: str
    current: Current
    hours: list[Hour]
    days: list[Day]


class Alert(Struct, frozen=True, kw_only=True):
    """One warning in force; `severity` is extreme, severe, moderate, minor or unknown."""

    event: str
    headline: str
    description: str
    severity: str
    starts_at: datetime | None
    ends_at: datetime | None


# fmt: off
WINDS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE",
         "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
# fmt: on


def wind_degrees(name: str) -> int | None:
    """Return from how many degrees a wind of the 16 blows, or null for calm and the like."""
    name = name.strip().upper()
    return round(WINDS.index(name) * 22.5) if name in WINDS else None
