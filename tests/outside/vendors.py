"""Answers in the vendors' shapes, for one moment: 24 November 2026, 15:20 UTC."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.outside.servers import Script, Visit, answer

NOW = datetime(2026, 11, 24, 15, 20, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def answering(pages: dict[str, Any]) -> Script:
    """Answer JSON by path; a path that is not there is 404, as the vendors do."""

    async def script(visit: Visit) -> None:
        path = visit.path.partition("?")[0]
        if path not in pages:
            body = json.dumps({"type": "about:blank", "title": "Not Found", "status": 404})
            await visit.say(answer(body.encode(), status="404 Not Found"))
        else:
            await visit.say(answer(json.dumps(pages[path]).encode(), "Content-Type: a/json"))

    return script


def open_meteo(zone: str = "America/Toronto", offset: int = -18000, **more: Any) -> dict[str, Any]:
    """Return one place of Open-Meteo: hours from local midnight, 8 days."""
    today = (NOW + timedelta(seconds=offset)).replace(hour=0, minute=0, tzinfo=None)
    hours = [today + timedelta(hours=n) for n in range(8 * 24)]
    days = [today + timedelta(days=n) for n in range(8)]
    return {
        "latitude": 43.7,
        "longitude": -79.4,
        "utc_offset_seconds": offset,
        "timezone": zone,
        "current": {
            "time": "2026-11-24T10:15",
            "interval": 900,
            "temperature_2m": 3.4,
            "apparent_temperature": -0.6,
            "relative_humidity_2m": 81,
            "is_day": 1,
            "weather_code": 61,
            "wind_speed_10m": 18.2,
            "wind_direction_10m": 249,
        },
        "hourly": {
            "time": [hour.isoformat(timespec="minutes") for hour in hours],
            "temperature_2m": [float(n) for n in range(192)],
            "precipitation_probability": [n % 101 for n in range(192)],
            "precipitation": [0.2] * 192,
            "weather_code": [3] * 192,
            "is_day": [int(7 < hour.hour < 17) for hour in hours],
            "wind_speed_10m": [10.0] * 192,
            "wind_direction_10m": [90] * 192,
        },
        "daily": {
            "time": [day.date().isoformat() for day in days],
            "weather_code": [61, 3, 2, 1, 0, 71, 95, 3],
            "temperature_2m_max": [5.0, None, 7, 8, 9, 10, 11, 12],
            "temperature_2m_min": [-1.0, 0, 1, 2, 3, 4, 5, 6],
            "precipitation_probability_max": [70, 10, 0, None, 5, 60, 90, 20],
            "sunrise": [f"{day.date()}T07:23" for day in days],
            "sunset": [f"{day.date()}T16:44" for day in days],
        },
        **more,
    }


# New York in November.
EAST = timezone(timedelta(hours=-5))


def period(start: datetime, hours: int, is_day: bool, **more: Any) -> dict[str, Any]:
    """Return one period of the National Weather Service."""
    return {
        "number": 1,
        "name": "This Afternoon",
        "startTime": start.isoformat(),
        "endTime": (start + timedelta(hours=hours)).isoformat(),
        "isDaytime": is_day,
        "temperature": 50,
        "temperatureUnit": "F",
        "temperatureTrend": None,
        "probabilityOfPrecipitation": {"unitCode": "wmoUnit:percent", "value": 30},
        "relativeHumidity": {"unitCode": "wmoUnit:percent", "value": 55},
        "windSpeed": "5 to 10 mph",
        "windDirection": "NW",
        "icon": "https://api.weather.gov/icons/land/day/tsra_hi,30?size=medium",
        "shortForecast": "Chance Showers And Thunderstorms",
        **more,
    }


def nws(hours: list[dict[str, Any]], halves: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the three pages that make a forecast for a point in New York."""
    grid = {"gridId": "OKX", "gridX": 33, "gridY": 35, "timeZone": "America/New_York"}
    vendor = "https://api.weather.gov/gridpoints/OKX/33,35/forecast"
    links = {"forecast": vendor, "forecastHourly": f"{vendor}/hourly"}
    return {
        "/points/40.71,-74.01": {"properties": {**grid, **links}},
        "/gridpoints/OKX/33,35/forecast/hourly": {"properties": {"periods": hours}},
        "/gridpoints/OKX/33,35/forecast": {"properties": {"periods": halves}},
    }


def hourly(first: datetime, count: int = 156) -> list[dict[str, Any]]:
    return [period(first + timedelta(hours=n), 1, True) for n in range(count)]


def alert(**more: Any) -> dict[str, Any]:
    """Return one feature of the list of alerts, in force until tomorrow."""
    tomorrow = (NOW + timedelta(days=1)).isoformat()
    return {
        "type": "Feature",
        "properties": {
            "event": "Wind Advisory",
            "headline": "Wind Advisory until Wednesday",
            "description": "Gusts up to 50 mph.",
            "severity": "Moderate",
            "status": "Actual",
            "messageType": "Alert",
            "effective": NOW.isoformat(),
            "onset": NOW.isoformat(),
            "expires": tomorrow,
            "ends": tomorrow,
            **more,
        },
    }
