"""The answer of Open-Meteo, as far as it is read."""

from datetime import date

from msgspec import Struct

Figures = list[float | None]


class CurrentAnswer(Struct):
    """The `current` block; a figure may be missing."""

    temperature_2m: float | None = None
    apparent_temperature: float | None = None
    relative_humidity_2m: float | None = None
    is_day: float | None = None
    weather_code: float | None = None
    wind_speed_10m: float | None = None
    wind_direction_10m: float | None = None


class HourlyAnswer(Struct):
    """The `hourly` block: lists of one length."""

    time: list[str]
    temperature_2m: Figures
    precipitation_probability: Figures
    precipitation: Figures
    weather_code: Figures
    is_day: Figures
    wind_speed_10m: Figures
    wind_direction_10m: Figures


class DailyAnswer(Struct):
    """The `daily` block: lists of one length."""

    time: list[date]
    weather_code: Figures
    temperature_2m_max: Figures
    temperature_2m_min: Figures
    precipitation_probability_max: Figures
    sunrise: list[str | None]
    sunset: list[str | None]


class PlaceAnswer(Struct):
    """What is said about one place. Times are local, all at the one offset."""

    timezone: str
    utc_offset_seconds: int
    current: CurrentAnswer
    hourly: HourlyAnswer
    daily: DailyAnswer
