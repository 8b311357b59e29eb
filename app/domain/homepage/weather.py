"""Weather as one person sees it: their places, and the last good word on each with its age."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from prometheus_client import Counter

from app.config import Settings
from app.domain.homepage import weather_spots, weather_words
from app.domain.homepage.widget_types import WeatherSettings
from app.domain.platform.readers import Reader
from app.services import Services

FRESH, STALE = timedelta(minutes=60), timedelta(minutes=90)
# Printed without _total, as the documents have it.
HITS = Counter("weather_cache_hits", "Looks at a spot whose forecast is at hand.")
MISSES = Counter("weather_cache_misses", "Looks at a spot without a forecast.")
STALE_SERVED = Counter(
    "weather_cache_stale_served", "Looks at a spot whose forecast is over 90 minutes old."
)


class Now(msgspec.Struct):
    """The present."""

    temperature: int | None
    icon: str
    words: str
    feels: int | None = None
    high: int | None = None
    low: int | None = None
    wind: str | None = None
    humidity: int | None = None


class Hour(msgspec.Struct):
    """One hour of the next 24."""

    label: str
    temperature: int | None
    daylight: bool
    words: str
    rain: int | None = None


class Day(msgspec.Struct):
    """One day; a missing high or low stays missing."""

    label: str
    icon: str
    words: str
    low: int | None
    high: int | None
    rain: int | None = None


class Warned(msgspec.Struct):
    """One warning in force."""

    title: str
    until: datetime | None
    severity: str


class WeatherWidget(msgspec.Struct):
    """The weather of one place, with its age and the reason where something is wrong."""

    place: str | None
    state: str
    sentence: str = ""
    as_of: datetime | None = None
    next_try: datetime | None = None
    unit: str = "°C"
    provider: str | None = None
    time_zone: str | None = None
    now: Now | None = None
    hours: list[Hour] = []
    days: list[Day] = []
    alerts: list[Warned] = []
    shows_hours: bool = True
    shows_days: bool = True
    # The site's own place is shown to those who have none.
    is_mine: bool = False


def site_place(settings: Settings) -> tuple[str, str] | None:
    """Name and location_key of SITE_PLACE, as 45.50,-73.57,Montréal; None when it is not set."""
    parts = settings.site_place.split(",", 2)
    try:
        return parts[2].strip(), weather_spots.key_of(float(parts[0]), float(parts[1]))
    except (IndexError, ValueError):
        return None


def site_spot(settings: Settings) -> str | None:
    """The location_key of SITE_PLACE."""
    place = site_place(settings)
    return place[1] if place else None


MINE = """
SELECT id, name, lat || ':' || lon AS location_key FROM weather_places WHERE user_id = $1 ORDER BY sort, id
"""
SPOTS = """
SELECT location_key, provider, forecast, alerts, forecast_at, forecast_due_at, error_code, failures,
       viewed_at < now() - interval '1 hour' AS unnoticed
FROM weather_cache WHERE location_key = ANY($1)
"""


async def filled(
    services: Services, who: Reader | None, wishes: Sequence[WeatherSettings]
) -> list[WeatherWidget]:
    """The weather widgets of one page: the reader's places, or SITE_PLACE for those without one."""
    places = [dict(row) for row in await services.db.fetch(MINE, who.id)] if who else []
    chosen = [place_of(services.settings, places, wish.place_id) for wish in wishes]
    keys = list({key for _, key in chosen if key is not None})
    spots = (
        {row["location_key"]: row for row in await services.db.fetch(SPOTS, keys)} if keys else {}
    )
    for key in keys:
        if key not in spots or spots[key]["unnoticed"]:
            await weather_spots.watch(services, key)
    units = who.preferences.get("units", "metric") if who else "metric"
    return [
        msgspec.structs.replace(
            drawn(name, spots.get(key or ""), units, wish), is_mine=bool(places)
        )
        for (name, key), wish in zip(chosen, wishes, strict=True)
    ]


def drawn(name: str | None, row: Any, units: str, wish: WeatherSettings) -> WeatherWidget:
    """One widget from the row of its spot; without a place it says what to do."""
    if name is None:
        return WeatherWidget(None, "empty", "Add a place to see its weather.")
    found = (
        shown(row, units, datetime.now(UTC)) if row is not None and row["forecast"] else unseen(row)
    )
    found.place = name
    found.shows_hours, found.shows_days = wish.hours, wish.days
    return found


def place_of(
    settings: Settings, places: Sequence[dict[str, Any]], place_id: int | None
) -> tuple[str | None, str | None]:
    """Name and spot of the place to show: the chosen one, else the first, else SITE_PLACE."""
    for place in [place for place in places if place["id"] == place_id] or places:
        return place["name"], place["location_key"]
    return site_place(settings) or (None, None)


def unseen(row: Any) -> WeatherWidget:
    """A spot without a forecast yet."""
    MISSES.inc()
    if row is None or not row["error_code"]:
        return WeatherWidget(None, "waiting", "First look under way")
    return WeatherWidget(
        None, "waiting", weather_words.reason(row["error_code"]), next_try=row["forecast_due_at"]
    )


def shown(row: Any, units: str, now: datetime) -> WeatherWidget:
    """The last good forecast in the reader's units, from the place's current hour on."""
    forecast = row["forecast"]
    state, sentence = standing(row, now)
    (STALE_SERVED if state == "stale" else HITS).inc()
    place_zone = zone(forecast["time_zone"])
    days = [
        day_of(day, units, now.astimezone(place_zone))
        for day in forecast["days"]
        if is_ahead(day, now, place_zone)
    ]
    hours = [
        hour_of(hour, units, place_zone)
        for hour in forecast["hours"]
        if at_of(hour) > now - timedelta(hours=1)
    ]
    return WeatherWidget(
        place=None,
        state=state,
        sentence=sentence,
        as_of=row["forecast_at"],
        next_try=row["forecast_due_at"] if sentence else None,
        unit="°F" if units == "imperial" else "°C",
        provider=row["provider"],
        time_zone=forecast["time_zone"],
        now=now_of(forecast["current"], days, units),
        hours=hours[:24],
        days=days[:7],
        alerts=[warned(alert) for alert in row["alerts"] or [] if in_force(alert, now)],
    )


def standing(row: Any, now: datetime) -> tuple[str, str]:
    """The state of a spot and, where something is wrong, one reason."""
    age = now - row["forecast_at"]
    if row["error_code"]:
        return ("stale" if age > STALE else "failing"), weather_words.reason(row["error_code"])
    if age > STALE:
        return "stale", "The last look is over 90 minutes ago."
    return ("fresh" if age <= FRESH + timedelta(minutes=10) else "ageing"), ""


def zone(name: str) -> ZoneInfo:
    """A time zone; UTC where the name is unknown."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def at_of(hour: dict[str, Any]) -> datetime:
    """The moment an hour begins."""
    return datetime.fromisoformat(hour["at"])


def is_ahead(day: dict[str, Any], now: datetime, place_zone: ZoneInfo) -> bool:
    """Whether a day is not over at the place."""
    return str(day["date"]) >= now.astimezone(place_zone).date().isoformat()


def now_of(current: dict[str, Any], days: list[Day], units: str) -> Now:
    """The present, with today's high and low where they are known."""
    return Now(
        temperature=weather_words.degrees(current["temperature_c"], units),
        icon=weather_words.icon(current["code"], is_day=current["is_day"]),
        words=weather_words.words(current["code"]),
        feels=weather_words.degrees(current.get("feels_like_c"), units),
        high=days[0].high if days else None,
        low=days[0].low if days else None,
        wind=weather_words.wind(current.get("wind_kmh"), current.get("wind_from_deg"), units),
        humidity=current.get("humidity"),
    )


def hour_of(hour: dict[str, Any], units: str, place_zone: ZoneInfo) -> Hour:
    """One hour by the place's clock."""
    return Hour(
        label=at_of(hour).astimezone(place_zone).strftime("%H"),
        temperature=weather_words.degrees(hour["temperature_c"], units),
        daylight=hour["is_day"],
        words=weather_words.words(hour["code"]),
        rain=hour.get("precipitation_chance"),
    )


def day_of(day: dict[str, Any], units: str, today: datetime) -> Day:
    """One day by the place's calendar."""
    date = datetime.fromisoformat(str(day["date"])).date()
    return Day(
        label="Today" if date == today.date() else f"{date:%a}",
        icon=weather_words.icon(day["code"], is_day=True),
        words=weather_words.words(day["code"]),
        low=weather_words.degrees(day["low_c"], units),
        high=weather_words.degrees(day["high_c"], units),
        rain=day.get("precipitation_chance"),
    )


def in_force(alert: dict[str, Any], now: datetime) -> bool:
    """Whether a warning has not ended."""
    return alert["ends_at"] is None or datetime.fromisoformat(alert["ends_at"]) > now


def warned(alert: dict[str, Any]) -> Warned:
    """One warning as it is shown."""
    ends = datetime.fromisoformat(alert["ends_at"]) if alert["ends_at"] else None
    return Warned(alert["event"], ends, alert["severity"])
