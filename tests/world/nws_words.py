"""How the US National Weather Service says things: conditions, icons, winds and alerts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.world.tales import number

REAL = "https://api.weather.gov"
COMPASS = [
    "N",
    "NNE",
    "NE",
    "ENE",
    "E",
    "ESE",
    "SE",
    "SSE",
    "S",
    "SSW",
    "SW",
    "WSW",
    "W",
    "WNW",
    "NW",
    "NNW",
]

# WMO code: words by day, words by night, name of the icon.
CONDITIONS = {
    0: ("Sunny", "Clear", "skc"),
    1: ("Mostly Sunny", "Mostly Clear", "few"),
    2: ("Partly Sunny", "Partly Cloudy", "sct"),
    3: ("Cloudy", "Cloudy", "ovc"),
    45: ("Patchy Fog", "Patchy Fog", "fog"),
    48: ("Freezing Fog", "Freezing Fog", "fog"),
    51: ("Chance Drizzle", "Chance Drizzle", "rain_showers"),
    53: ("Drizzle", "Drizzle", "rain"),
    55: ("Drizzle", "Drizzle", "rain"),
    61: ("Chance Light Rain", "Chance Light Rain", "rain"),
    63: ("Rain Likely", "Rain Likely", "rain"),
    65: ("Heavy Rain", "Heavy Rain", "rain"),
    66: ("Chance Freezing Rain", "Chance Freezing Rain", "fzra"),
    67: ("Freezing Rain", "Freezing Rain", "fzra"),
    71: ("Chance Light Snow", "Chance Light Snow", "snow"),
    73: ("Snow Likely", "Snow Likely", "snow"),
    75: ("Heavy Snow", "Heavy Snow", "snow"),
    80: ("Slight Chance Rain Showers", "Slight Chance Rain Showers", "rain_showers"),
    81: ("Rain Showers Likely", "Rain Showers Likely", "rain_showers"),
    82: ("Rain Showers", "Rain Showers", "rain_showers"),
    95: ("Chance Showers And Thunderstorms", "Chance Showers And Thunderstorms", "tsra_hi"),
    96: ("Showers And Thunderstorms", "Showers And Thunderstorms", "tsra"),
}


def short(code: int, day: bool) -> str:
    """Return the conditions in words."""
    return CONDITIONS[code][0 if day else 1]


def icon(code: int, day: bool, rain_chance: int) -> str:
    """Return the address of the icon, with the chance of rain in steps of ten where it rains."""
    name = CONDITIONS[code][2]
    share = f",{round(rain_chance, -1)}" if code > 48 and rain_chance >= 10 else ""
    return f"{REAL}/icons/land/{'day' if day else 'night'}/{name}{share}?size=medium"


def alert_feature(
    now: float, event: str, severity: str = "Severe", minutes: int = 180
) -> dict[str, Any]:
    """Return one alert that ends so many minutes from now, which may be in the past."""
    moment = datetime.fromtimestamp(now // 60 * 60, UTC)
    begins, ends = moment - timedelta(hours=2), moment + timedelta(minutes=minutes)
    known_as = f"urn:oid:2.49.0.1.840.0.{number(event, severity, minutes):040x}.001.1"
    properties = {
        "@id": f"{REAL}/alerts/{known_as}",
        "@type": "wx:Alert",
        "id": known_as,
        "areaDesc": "The county and its neighbours",
        "geocode": {"SAME": ["048453"], "UGC": ["TXZ192"]},
        "affectedZones": [f"{REAL}/zones/forecast/TXZ192"],
        "references": [],
        "sent": begins.isoformat(),
        "effective": begins.isoformat(),
        "onset": begins.isoformat(),
        "expires": ends.isoformat(),
        "ends": ends.isoformat(),
        "status": "Actual",
        "messageType": "Alert",
        "category": "Met",
        "severity": severity,
        "certainty": "Likely",
        "urgency": "Expected",
        "event": event,
        "sender": "w-nws.webmaster@noaa.gov",
        "senderName": "NWS Village",
        "headline": f"{event} issued {begins:%B %d at %I:%M%p} UTC until {ends:%B %d at %I:%M%p} UTC by NWS Village",
        "description": f"* WHAT...{event}.\n\n* WHERE...The county and its neighbours.",
        "instruction": "Secure what may blow away, and drive with care.",
        "response": "Execute",
    }
    return {"id": properties["@id"], "type": "Feature", "geometry": None, "properties": properties}
