"""The weather in words and icons: WMO code table 4677 as forecasts use it, day and night, and the 16 winds."""

# code → words, icon by day, icon by night
WORDS: dict[int, tuple[str, str, str]] = {
    0: ("Clear", "sun", "moon"),
    1: ("Mostly clear", "cloud-sun", "cloud-moon"),
    2: ("Partly cloudy", "cloud-sun", "cloud-moon"),
    3: ("Overcast", "cloud", "cloud"),
    45: ("Fog", "cloud-fog", "cloud-fog"),
    48: ("Rime fog", "cloud-fog", "cloud-fog"),
    51: ("Light drizzle", "cloud-drizzle", "cloud-drizzle"),
    53: ("Drizzle", "cloud-drizzle", "cloud-drizzle"),
    55: ("Dense drizzle", "cloud-drizzle", "cloud-drizzle"),
    56: ("Light freezing drizzle", "cloud-drizzle", "cloud-drizzle"),
    57: ("Freezing drizzle", "cloud-drizzle", "cloud-drizzle"),
    61: ("Light rain", "cloud-rain", "cloud-rain"),
    63: ("Rain", "cloud-rain", "cloud-rain"),
    65: ("Heavy rain", "cloud-rain", "cloud-rain"),
    66: ("Light freezing rain", "cloud-rain", "cloud-rain"),
    67: ("Freezing rain", "cloud-rain", "cloud-rain"),
    71: ("Light snow", "cloud-snow", "cloud-snow"),
    73: ("Snow", "cloud-snow", "cloud-snow"),
    75: ("Heavy snow", "cloud-snow", "cloud-snow"),
    77: ("Snow grains", "cloud-snow", "cloud-snow"),
    80: ("Light showers", "cloud-rain", "cloud-rain"),
    81: ("Showers", "cloud-rain", "cloud-rain"),
    82: ("Violent showers", "cloud-rain", "cloud-rain"),
    85: ("Light snow showers", "cloud-snow", "cloud-snow"),
    86: ("Snow showers", "cloud-snow", "cloud-snow"),
    95: ("Thunderstorm", "cloud-lightning", "cloud-lightning"),
    96: ("Thunderstorm, light hail", "cloud-lightning", "cloud-lightning"),
    99: ("Thunderstorm, heavy hail", "cloud-lightning", "cloud-lightning"),
}
UNKNOWN = ("No word on the sky", "cloud", "cloud")
WINDS = [
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

REASONS: dict[str, str] = {
    "timeout": "The weather service took too long to answer.",
    "unreachable": "The weather service does not answer.",
    "garbage": "The weather service sent something we cannot read.",
    "over_quota": "Today's share of forecasts is used up.",
    "breaker_open": "The weather service does not answer; we give it a rest.",
}


def words(code: int | None) -> str:
    """The sky in words."""
    return WORDS.get(-1 if code is None else code, UNKNOWN)[0]


def icon(code: int | None, *, is_day: bool) -> str:
    """The name of the sky's icon."""
    _, day, night = WORDS.get(-1 if code is None else code, UNKNOWN)
    return day if is_day else night


def wind(kmh: float | None, degrees: int | None, units: str) -> str | None:
    """SW 18 km/h, or 11 mph; None when there is no word on it."""
    if kmh is None:
        return None
    name = f"{WINDS[round(degrees / 22.5) % 16]} " if degrees is not None else ""
    return (
        f"{name}{round(kmh * 0.621371)} mph" if units == "imperial" else f"{name}{round(kmh)} km/h"
    )


def degrees(celsius: float | None, units: str) -> int | None:
    """Whole degrees in the reader's unit; a missing one stays missing."""
    if celsius is None:
        return None
    return round(celsius * 9 / 5 + 32) if units == "imperial" else round(celsius)


def reason(code: str | None) -> str:
    """Why there is nothing newer, in one sentence."""
    return REASONS.get(code or "", "The weather service does not answer.")
