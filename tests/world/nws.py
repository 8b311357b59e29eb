"""The US National Weather Service's API as its documentation describes it (https://www.weather.gov/documentation/services-web-api)."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tests.world import towns
from tests.world.climate import HOUR, Hour, hour
from tests.world.nws_words import COMPASS, REAL, alert_feature, icon, short
from tests.world.tales import chance, number

COVERED = ("US", "PR", "GU", "VI", "AS", "MP")
FARTHEST_KM = 150
# A grid cell is 1/40 of a degree; the number of the cell is all that the office needs to know its place.
CELL = 40


class WeatherService:
    """The service at one moment of the world's clock; `alerts` are those that a test has ordered."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.alerts: list[tuple[float, float, dict[str, Any]]] = []
        grid = "/gridpoints/{office}/{x:int},{y:int}/forecast"
        self.app = Starlette(
            routes=[
                Route("/points/{point}", self.point),
                Route(grid, self.forecast),
                Route(f"{grid}/hourly", self.hourly),
                Route("/alerts/active", self.active),
                Route("/{path:path}", self.missing),
            ],
        )

    async def point(self, request: Request) -> Response:
        """Answer with the addresses of a point's forecasts, 301 for too many decimals, 404 abroad."""
        refusal = nameless(request)
        if refusal:
            return refusal
        given = request.path_params["point"]
        found = coordinates(given)
        if found is None:
            return problem(
                400,
                "InvalidParameter",
                "Invalid Parameter",
                f"Parameter \"point\" is invalid: '{given}'",
            )
        tidy = ",".join(f"{value:.4f}".rstrip("0").rstrip(".") for value in found)
        if tidy != given:
            return RedirectResponse(f"/points/{tidy}", 301)
        town = covered(*found)
        if town is None:
            detail = f"Unable to provide data for requested point {given}"
            return problem(404, "InvalidPoint", "Data Unavailable For Requested Point", detail)
        return geojson(point_feature(str(request.base_url).rstrip("/"), *found, town))

    async def forecast(self, request: Request) -> Response:
        """Answer with fourteen half days."""
        return self.periods(request, half_days)

    async def hourly(self, request: Request) -> Response:
        """Answer with the next 156 hours."""
        return self.periods(request, single_hours)

    def periods(self, request: Request, make: Callable[..., list[dict[str, Any]]]) -> Response:
        """Answer with the periods of a grid cell."""
        refusal = nameless(request)
        if refusal:
            return refusal
        lat, lon = request.path_params["y"] / CELL - 90, request.path_params["x"] / CELL - 180
        town = covered(lat, lon)
        if town is None:
            return problem(404, "NotFound", "Not Found", "The requested grid does not exist")
        metric = request.query_params.get("units") == "si"
        zone = ZoneInfo(town.timezone)
        generated = datetime.fromtimestamp(self.now() // HOUR * HOUR, zone).isoformat()
        properties = {
            "units": "si" if metric else "us",
            "forecastGenerator": "BaselineForecastGenerator"
            if make is half_days
            else "HourlyForecastGenerator",
            "generatedAt": generated,
            "updateTime": generated,
            "validTimes": f"{generated}/P7DT6H",
            "elevation": {"unitCode": "wmoUnit:m", "value": 40.0},
            "periods": make(lat, lon, self.now(), zone, metric),
        }
        return geojson({"type": "Feature", "geometry": polygon(lat, lon), "properties": properties})

    async def active(self, request: Request) -> Response:
        """Answer with the alerts of a point; like the real one, now and then with one that is just over."""
        refusal = nameless(request)
        if refusal:
            return refusal
        found = coordinates(request.query_params.get("point", ""))
        if found is None:
            return problem(400, "BadRequest", "Bad Request", 'Parameter "point" is invalid')
        features = [
            alert_feature(self.now(), **alert)
            for lat, lon, alert in self.alerts
            if abs(lat - found[0]) < 0.5 and abs(lon - found[1]) < 0.5
        ]
        if covered(*found):
            features += standing_alerts(*found, self.now())
        return geojson(
            {
                "type": "FeatureCollection",
                "features": features,
                "title": f"Current watches, warnings, and advisories for {found[0]} N, {abs(found[1])} W",
                "updated": datetime.fromtimestamp(
                    self.now() // 60 * 60, ZoneInfo("UTC")
                ).isoformat(),
            }
        )

    async def missing(self, request: Request) -> Response:
        """Answer 404 as a problem."""
        return problem(
            404, "NotFound", "Not Found", f"{request.url.path} is not a valid resource path."
        )


def nameless(request: Request) -> Response | None:
    """Return a refusal for those who do not say who they are."""
    if request.headers.get("user-agent"):
        return None
    return Response(
        "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>", 403, media_type="text/html"
    )


def coordinates(text: str) -> tuple[float, float] | None:
    """Return the point of "lat,lon", or None."""
    found = re.fullmatch(r"(-?\d{1,2}(?:\.\d+)?),(-?\d{1,3}(?:\.\d+)?)", text)
    return (round(float(found[1]), 4), round(float(found[2]), 4)) if found else None


def covered(lat: float, lon: float) -> towns.Town | None:
    """Return the nearest town when the service forecasts for its country."""
    found = towns.nearest(round(lat, 2), round(lon, 2))
    return (
        found[0] if found and found[0].countrycode in COVERED and found[1] <= FARTHEST_KM else None
    )


def problem(status: int, kind: str, title: str, detail: str) -> Response:
    """Return a problem in the service's shape."""
    body = {
        "correlationId": f"{number(detail):08x}"[:8],
        "title": title,
        "type": f"{REAL}/problems/{kind}",
        "status": status,
        "detail": detail,
        "instance": f"{REAL}/requests/{number(detail):08x}",
    }
    return Response(json.dumps(body), status, media_type="application/problem+json")


def geojson(body: dict[str, Any]) -> Response:
    """Return an answer as linked data."""
    context = ["https://geojson.org/geojson-ld/geojson-context.jsonld", {"@version": "1.1"}]
    return Response(json.dumps({"@context": context, **body}), media_type="application/geo+json")


def polygon(lat: float, lon: float) -> dict[str, Any]:
    """Return the outline of the grid cell around a point."""
    half = 0.5 / CELL
    corners = ((-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1))
    ring = [[round(lon + x * half, 4), round(lat + y * half, 4)] for x, y in corners]
    return {"type": "Polygon", "coordinates": [ring]}


def point_feature(base: str, lat: float, lon: float, town: towns.Town) -> dict[str, Any]:
    """Return what the service says of a point."""
    office, x, y = "VLG", round((lon + 180) * CELL), round((lat + 90) * CELL)
    grid = f"{base}/gridpoints/{office}/{x},{y}"
    relative = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [town.longitude, town.latitude]},
        "properties": {
            "city": town.name,
            "state": town.admin1code if town.countrycode == "US" else town.countrycode,
        },
    }
    properties = {
        "@id": f"{REAL}/points/{lat},{lon}",
        "@type": "wx:Point",
        "cwa": office,
        "forecastOffice": f"{REAL}/offices/{office}",
        "gridId": office,
        "gridX": x,
        "gridY": y,
        "forecast": f"{grid}/forecast",
        "forecastHourly": f"{grid}/forecast/hourly",
        "forecastGridData": grid,
        "observationStations": f"{grid}/stations",
        "relativeLocation": relative,
        "forecastZone": f"{REAL}/zones/forecast/TXZ192",
        "county": f"{REAL}/zones/county/TXC453",
        "fireWeatherZone": f"{REAL}/zones/fire/TXZ192",
        "timeZone": town.timezone,
        "radarStation": "KVLG",
    }
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {
        "id": properties["@id"],
        "type": "Feature",
        "geometry": geometry,
        "properties": properties,
    }


def single_hours(
    lat: float, lon: float, now: float, zone: ZoneInfo, metric: bool
) -> list[dict[str, Any]]:
    """Return 156 periods of one hour, from the present one on."""
    first = now // HOUR * HOUR
    found = []
    for order in range(156):
        at = hour(lat, lon, first + order * HOUR)
        start = datetime.fromtimestamp(at.at, zone)
        one = period(order + 1, "", (start, start + timedelta(hours=1)), [at], at.is_day, metric)
        one["dewpoint"] = {
            "unitCode": "wmoUnit:degC",
            "value": round(at.temperature - (100 - at.humidity) / 5, 2),
        }
        one["relativeHumidity"] = {"unitCode": "wmoUnit:percent", "value": at.humidity}
        one["detailedForecast"] = ""
        found.append(one)
    return found


def half_days(
    lat: float, lon: float, now: float, zone: ZoneInfo, metric: bool
) -> list[dict[str, Any]]:
    """Return fourteen days and nights; after six in the evening the first one is tonight."""
    here = datetime.fromtimestamp(now, zone)
    start = here.replace(hour=18 if here.hour >= 18 else 6, minute=0, second=0, microsecond=0)
    if here.hour < 6:
        start -= timedelta(hours=12)
    found = []
    for order in range(14):
        end = start + timedelta(hours=12)
        day = start.hour == 6
        hours = [hour(lat, lon, start.timestamp() + step * HOUR) for step in range(12)]
        found.append(
            period(order + 1, period_name(start, here, day), (start, end), hours, day, metric)
        )
        start = end
    return found


def period_name(start: datetime, here: datetime, day: bool) -> str:
    """Return what a forecaster calls a half day."""
    if start.date() <= here.date():
        if start.date() < here.date():
            return "Overnight"
        return "Today" if day else "Tonight"
    return start.strftime("%A") + ("" if day else " Night")


def period(
    order: int,
    name: str,
    span: tuple[datetime, datetime],
    hours: list[Hour],
    day: bool,
    metric: bool,
) -> dict[str, Any]:
    """Return one period in the service's shape: a day has its high, a night its low."""
    temperatures = [at.temperature for at in hours]
    celsius = max(temperatures) if day else min(temperatures)
    worst = max(hours, key=lambda at: (at.precipitation, at.cloud))
    chance_of_rain = max(at.rain_chance for at in hours)
    return {
        "number": order,
        "name": name,
        "startTime": span[0].isoformat(),
        "endTime": span[1].isoformat(),
        "isDaytime": day,
        "temperature": round(celsius) if metric else round(celsius * 1.8 + 32),
        "temperatureUnit": "C" if metric else "F",
        "temperatureTrend": "",
        "probabilityOfPrecipitation": {
            "unitCode": "wmoUnit:percent",
            "value": chance_of_rain or None,
        },
        "windSpeed": wind_words([at.wind for at in hours], metric),
        "windDirection": COMPASS[round(worst.direction / 22.5) % 16],
        "icon": icon(worst.code, day, chance_of_rain),
        "shortForecast": short(worst.code, day),
        "detailedForecast": f"{short(worst.code, day)}. Chance of precipitation is {chance_of_rain}%.",
    }


def wind_words(speeds: list[float], metric: bool) -> str:
    """Return a range of speeds as the service writes it: "5 to 10 mph", or "10 mph" when it is one."""
    factor, unit = (1.0, "km/h") if metric else (0.621371, "mph")
    low, high = (round(value * factor) for value in (min(speeds), max(speeds)))
    return f"{high} {unit}" if low == high else f"{low} to {high} {unit}"


def standing_alerts(lat: float, lon: float, now: float) -> list[dict[str, Any]]:
    """Return the alerts that the world itself has for a region and a quarter of a day, in one region of four."""
    place = (round(lat), round(lon), now // (6 * HOUR))
    if chance("alert", *place) > 0.25:
        return []
    worst = max((hour(lat, lon, now + step * HOUR) for step in range(12)), key=lambda at: at.gusts)
    event = "Winter Weather Advisory" if worst.temperature < 1 else "Wind Advisory"
    if worst.temperature > 33:
        event = "Heat Advisory"
    found = [alert_feature(now, event=event, severity="Moderate", minutes=360)]
    if chance("over", *place) < 0.5:
        found.append(alert_feature(now, event="Dense Fog Advisory", severity="Minor", minutes=-20))
    return found
