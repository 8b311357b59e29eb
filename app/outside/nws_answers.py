"""The answers of the National Weather Service, as far as they are read."""

from datetime import datetime

from msgspec import Struct, field


class Quantity(Struct):
    """A figure with its unit."""

    unit: str = field(default="", name="unitCode")
    value: float | None = None
    most: float | None = field(default=None, name="maxValue")


class Grid(Struct):
    """Where a point lies in the offices' grids."""

    office: str = field(name="gridId")
    x: int = field(name="gridX")
    y: int = field(name="gridY")
    time_zone: str = field(name="timeZone")


class Period(Struct):
    """An hour, or half a day with a high by day and a low by night."""

    starts_at: datetime = field(name="startTime")
    ends_at: datetime = field(name="endTime")
    is_day: bool = field(name="isDaytime")
    temperature: float | Quantity | None = None
    temperature_unit: str | None = field(default=None, name="temperatureUnit")
    wind: str | Quantity | None = field(default=None, name="windSpeed")
    wind_from: str | None = field(default=None, name="windDirection")
    icon: str | None = None
    words: str = field(default="", name="shortForecast")
    chance: Quantity | None = field(default=None, name="probabilityOfPrecipitation")
    humidity: Quantity | None = field(default=None, name="relativeHumidity")


class Bulletin(Struct):
    """One alert as the service words it."""

    event: str
    status: str = "Actual"
    kind: str = field(default="Alert", name="messageType")
    headline: str | None = None
    description: str | None = None
    severity: str = "Unknown"
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    ends: datetime | None = None


class Periods(Struct):
    """The `properties` of a forecast."""

    periods: list[Period]


class Point(Struct):
    """The answer about a point."""

    properties: Grid


class ForecastAnswer(Struct):
    """The answer with a forecast."""

    properties: Periods


class Feature(Struct):
    """One alert in the answer about alerts."""

    properties: Bulletin


class Alerts(Struct):
    """The answer about alerts."""

    features: list[Feature]
