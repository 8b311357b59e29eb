"""Open-Meteo's forecast as its documentation describes it (https://open-meteo.com/en/docs), from the world's climate."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.world import towns
from tests.world.climate import HOUR, Hour, hour

MOST_PLACES = 1_000
HOURLY: dict[str, Callable[[Hour], Any]] = {
    "temperature_2m": lambda at: at.temperature,
    "apparent_temperature": lambda at: at.feels_like,
    "dew_point_2m": lambda at: round(at.temperature - (100 - at.humidity) / 5, 1),
    "relative_humidity_2m": lambda at: at.humidity,
    "precipitation_probability": lambda at: at.rain_chance,
    "precipitation": lambda at: at.precipitation,
    "rain": lambda at: at.precipitation if not at.snowfall else 0.0,
    "showers": lambda at: at.precipitation if at.code in (80, 81, 82) else 0.0,
    "snowfall": lambda at: at.snowfall,
    "weather_code": lambda at: at.code,
    "cloud_cover": lambda at: at.cloud,
    "pressure_msl": lambda at: at.pressure,
    "surface_pressure": lambda at: round(at.pressure - 12, 1),
    "visibility": lambda at: at.visibility,
    "wind_speed_10m": lambda at: at.wind,
    "wind_direction_10m": lambda at: at.direction,
    "wind_gusts_10m": lambda at: at.gusts,
    "uv_index": lambda at: at.uv,
    "is_day": lambda at: int(at.is_day),
}
DAILY: dict[str, Callable[[list[Hour]], Any]] = {
    "weather_code": lambda day: max(at.code for at in day),
    "temperature_2m_max": lambda day: max(at.temperature for at in day),
    "temperature_2m_min": lambda day: min(at.temperature for at in day),
    "apparent_temperature_max": lambda day: max(at.feels_like for at in day),
    "apparent_temperature_min": lambda day: min(at.feels_like for at in day),
    "precipitation_sum": lambda day: round(sum(at.precipitation for at in day), 1),
    "rain_sum": lambda day: round(sum(at.precipitation for at in day if not at.snowfall), 1),
    "snowfall_sum": lambda day: round(sum(at.snowfall for at in day), 1),
    "precipitation_hours": lambda day: float(sum(at.precipitation > 0 for at in day)),
    "precipitation_probability_max": lambda day: max(at.rain_chance for at in day),
    "wind_speed_10m_max": lambda day: max(at.wind for at in day),
    "wind_gusts_10m_max": lambda day: max(at.gusts for at in day),
    "wind_direction_10m_dominant": lambda day: max(day, key=lambda at: at.wind).direction,
    "uv_index_max": lambda day: max(at.uv for at in day),
    "sunrise": lambda day: next((at.at for at in day if at.is_day), day[0].at),
    "sunset": lambda day: next((at.at for at in reversed(day) if at.is_day), day[-1].at) + HOUR,
    "daylight_duration": lambda day: float(sum(at.is_day for at in day) * HOUR),
}
UNITS = {
    "temperature": "°C",
    "dew_point": "°C",
    "relative_humidity": "%",
    "cloud_cover": "%",
    "precipitation_probability": "%",
    "precipitation_hours": "h",
    "precipitation": "mm",
    "rain": "mm",
    "showers": "mm",
    "snowfall": "cm",
    "weather_code": "wmo code",
    "pressure": "hPa",
    "surface_pressure": "hPa",
    "visibility": "m",
    "wind_direction": "°",
    "wind_speed": "km/h",
    "wind_gusts": "km/h",
    "daylight_duration": "s",
    "sunrise": "iso8601",
    "sunset": "iso8601",
}
SPEEDS = {
    "kmh": ("km/h", 1.0),
    "ms": ("m/s", 1 / 3.6),
    "mph": ("mp/h", 0.621371),
    "kn": ("kn", 0.539957),
}


class Refused(Exception):
    """The request cannot be answered; the text is Open-Meteo's reason."""


class OpenMeteo:
    """The service at one moment of the world's clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.app = Starlette(routes=[Route("/v1/forecast", self.forecast)])

    async def forecast(self, request: Request) -> Response:
        """Answer with one forecast, or with a list of them when several places are asked for."""
        started = time.perf_counter()
        try:
            question = Question(dict(request.query_params), self.now())
            found = [question.answer(order) for order in range(len(question.places))]
        except Refused as reason:
            return JSONResponse({"error": True, "reason": str(reason)}, 400)
        for answer in found:
            answer["generationtime_ms"] = (time.perf_counter() - started) * 1000
        return JSONResponse(found[0] if len(found) == 1 else found)


class Question:
    """One request, understood."""

    def __init__(self, asked: dict[str, str], now: float) -> None:
        """Read all parameters. Raises Refused."""
        self.asked, self.now = asked, now
        lats, lons = floats(asked, "latitude"), floats(asked, "longitude")
        if len(lats) != len(lons) or not lats:
            raise Refused(
                "Parameter 'latitude' and 'longitude' must have the same number of elements"
            )
        if len(lats) > MOST_PLACES:
            raise Refused(f"Only up to {MOST_PLACES} locations can be requested at once")
        self.places = [in_range(lat, lon) for lat, lon in zip(lats, lons, strict=True)]
        self.hourly = self.names("hourly", HOURLY)
        self.current = self.names("current", HOURLY)
        self.daily = self.names("daily", DAILY)
        self.days = self.whole("forecast_days", 7, 16)
        self.past_days = self.whole("past_days", 0, 92)
        if self.daily and "timezone" not in asked:
            raise Refused("Timezone is required")
        speed = asked.get("wind_speed_unit", "kmh")
        if speed not in SPEEDS:
            raise Refused(
                f"Data corrupted at path ''. Cannot initialize WindspeedUnit from invalid String value {speed}."
            )
        self.speed = SPEEDS[speed]

    def names(self, kind: str, known: dict[str, Any]) -> list[str]:
        """Return the variables that are asked for. Raises Refused for an unknown one."""
        wanted = [name for name in self.asked.get(kind, "").split(",") if name]
        for name in wanted:
            if name not in known:
                raise Refused(
                    f"Data corrupted at path ''. Cannot initialize ForecastVariable from invalid String value {name}."
                )
        return wanted

    def whole(self, name: str, usual: int, most: int) -> int:
        """Return a whole number within its bounds. Raises Refused."""
        text = self.asked.get(name, str(usual))
        if not text.isdigit() or int(text) > most:
            raise Refused(f"Parameter '{name}' is out of allowed range 0 to {most}")
        return int(text)

    def zone(self, order: int) -> ZoneInfo:
        """Return the time zone of one place. Raises Refused."""
        wanted = self.asked.get("timezone", "GMT").split(",")
        name = wanted[order] if len(wanted) > order else wanted[0]
        if name == "auto":
            found = towns.nearest(*self.places[order])
            name = found[0].timezone if found else "GMT"
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise Refused("Invalid timezone") from None

    def answer(self, order: int) -> dict[str, Any]:
        """Return the forecast of one place in Open-Meteo's shape."""
        lat, lon = self.places[order]
        zone = self.zone(order)
        here = datetime.fromtimestamp(self.now, zone)
        self.offset = int((here.utcoffset() or timedelta()).total_seconds())
        found: dict[str, Any] = {
            "latitude": round(lat * 16) / 16,
            "longitude": round(lon * 16) / 16,
            "generationtime_ms": 0.0,
            "utc_offset_seconds": self.offset,
            "timezone": zone.key,
            "timezone_abbreviation": here.strftime("%Z"),
            "elevation": float(abs(int(lat * 37 + lon * 11)) % 400),
        }
        if order:
            found["location_id"] = order
        if self.current:
            found |= self.current_part(lat, lon)
        days = [here.date() + timedelta(days=day) for day in range(-self.past_days, self.days)]
        if self.hourly:
            found |= self.hourly_part(lat, lon, days, zone)
        if self.daily:
            found |= self.daily_part(lat, lon, days, zone)
        return found

    def current_part(self, lat: float, lon: float) -> dict[str, Any]:
        """Return the present quarter of an hour."""
        at = self.now // 900 * 900
        now = hour(lat, lon, at)
        values = {name: self.measured(name, HOURLY[name](now)) for name in self.current}
        units = {"time": self.time_unit(), "interval": "seconds"} | self.units(self.current)
        return {
            "current_units": units,
            "current": {"time": self.stamp(at), "interval": 900, **values},
        }

    def hourly_part(
        self, lat: float, lon: float, days: list[date], zone: ZoneInfo
    ) -> dict[str, Any]:
        """Return lists of equal length, an entry an hour from local midnight on."""
        hours = [at for day in days for at in hours_of(lat, lon, day, zone)]
        if "forecast_hours" in self.asked:
            first = self.now // HOUR * HOUR
            wanted = self.whole("forecast_hours", 24, 384)
            hours = [hour(lat, lon, first + step * HOUR) for step in range(wanted)]
        lists = {
            name: [self.measured(name, HOURLY[name](at)) for at in hours] for name in self.hourly
        }
        units = {"time": self.time_unit()} | self.units(self.hourly)
        return {
            "hourly_units": units,
            "hourly": {"time": [self.stamp(at.at) for at in hours], **lists},
        }

    def daily_part(
        self, lat: float, lon: float, days: list[date], zone: ZoneInfo
    ) -> dict[str, Any]:
        """Return lists of equal length, an entry a local day."""
        found = [hours_of(lat, lon, day, zone) for day in days]
        lists = {
            name: [self.measured(name, DAILY[name](day)) for day in found] for name in self.daily
        }
        times = [self.stamp(day[0].at, date_only=True) for day in found]
        units = {"time": self.time_unit()} | self.units(self.daily)
        return {"daily_units": units, "daily": {"time": times, **lists}}

    def units(self, names: list[str]) -> dict[str, str]:
        """Return the unit of each variable."""
        return {name: self.unit(name)[0] for name in names}

    def unit(self, name: str) -> tuple[str, Callable[[Any], Any]]:
        """Return the unit of a variable as asked for, and how a metric value becomes it."""
        metric = next(
            (UNITS[start] for start in UNITS if name.removeprefix("apparent_").startswith(start)),
            "",
        )
        if metric == "°C" and self.asked.get("temperature_unit") == "fahrenheit":
            return "°F", lambda value: round(value * 1.8 + 32, 1)
        if metric == "km/h":
            name, factor = self.speed
            return name, lambda value: round(value * factor, 1)
        if metric in ("mm", "cm") and self.asked.get("precipitation_unit") == "inch":
            return "inch", lambda value: round(value / (25.4 if metric == "mm" else 2.54), 3)
        if metric == "iso8601":
            return self.time_unit(), self.stamp
        return metric, lambda value: value

    def measured(self, name: str, value: Any) -> Any:
        """Return a value in the unit that was asked for."""
        return self.unit(name)[1](value)

    def time_unit(self) -> str:
        """Return how times are written."""
        return "unixtime" if self.asked.get("timeformat") == "unixtime" else "iso8601"

    def stamp(self, at: float, date_only: bool = False) -> str | int:
        """Return a time: local without a zone, or the Unix time."""
        if self.time_unit() == "unixtime":
            return int(at)
        local = datetime.fromtimestamp(at + self.offset, UTC)
        return local.strftime("%Y-%m-%d" if date_only else "%Y-%m-%dT%H:%M")


def floats(asked: dict[str, str], name: str) -> list[float]:
    """Return the numbers of a comma list. Raises Refused."""
    try:
        return [float(text) for text in asked.get(name, "").split(",") if text]
    except ValueError:
        raise Refused(f"Value of type 'Float' required for key '{name}'.") from None


def in_range(lat: float, lon: float) -> tuple[float, float]:
    """Return the point. Raises Refused when it is not on Earth."""
    if not -90 <= lat <= 90:
        raise Refused(f"Latitude must be in range of -90 to 90°. Given: {lat}.")
    if not -180 <= lon <= 180:
        raise Refused(f"Longitude must be in range of -180 to 180°. Given: {lon}.")
    return lat, lon


def hours_of(lat: float, lon: float, day: date, zone: ZoneInfo) -> list[Hour]:
    """Return the 24 hours of a local day; like the real service, a day keeps today's offset."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
    return [hour(lat, lon, midnight + step * HOUR) for step in range(24)]
