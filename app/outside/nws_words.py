"""What the National Weather Service's icons, words and units mean, in WMO codes and metric."""

import re
from typing import Protocol

# The service's list of icons (api.weather.gov/icons), and the code that comes nearest in the set
# that Open-Meteo uses. Mixtures take the colder part, which is the one to prepare for.
CODE_OF_ICON = {
    "skc": 0,
    "few": 1,
    "sct": 2,
    "bkn": 3,
    "ovc": 3,
    "hot": 0,
    "cold": 0,
    "dust": 45,
    "smoke": 45,
    "haze": 45,
    "fog": 45,
    "rain": 63,
    "rain_showers": 81,
    "rain_showers_hi": 80,
    "rain_snow": 71,
    "rain_sleet": 66,
    "sleet": 77,
    "snow_sleet": 77,
    "fzra": 67,
    "rain_fzra": 66,
    "snow_fzra": 67,
    "snow": 73,
    "blizzard": 75,
    "tsra": 95,
    "tsra_sct": 95,
    "tsra_hi": 95,
    "tornado": 99,
    "hurricane": 82,
    "tropical_storm": 82,
}
# Words of the short forecast, the weightiest first; they also sharpen what the icon only names.
CODE_OF_WORDS = [
    (re.compile(pattern), code)
    for pattern, code in (
        (r"tornado", 99),
        (r"thunder|t-storm", 95),
        (r"hurricane|tropical storm", 82),
        (r"blizzard|heavy snow", 75),
        (r"freezing drizzle", 56),
        (r"light freezing rain", 66),
        (r"freezing rain|ice storm", 67),
        (r"freezing fog", 48),
        (r"sleet|ice pellets|wintry mix", 77),
        (r"snow showers", 85),
        (r"flurries|light snow|rain and snow|snow and rain", 71),
        (r"snow", 73),
        (r"heavy rain showers", 82),
        (r"light rain showers|chance rain showers", 80),
        (r"showers", 81),
        (r"heavy rain", 65),
        (r"light rain|chance rain", 61),
        (r"drizzle|sprinkles", 51),
        (r"rain", 63),
        (r"fog|haze|smoke|dust|sand|mist", 45),
        (r"mostly (sunny|clear)", 1),
        (r"partly|mix of", 2),
        (r"mostly cloudy|cloudy|overcast", 3),
        (r"sunny|clear|fair|hot|cold|frost", 0),
    )
]
KMH_OF = {"mph": 1.609344, "km/h": 1.0, "kmh": 1.0, "kt": 1.852, "m/s": 3.6}
KMH_OF_UNIT = {"km_h-1": 1.0, "m_s-1": 3.6, "kt": 1.852, "[kn_i]": 1.852, "mi_h-1": 1.609344}
SPEED = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z/]+)\s*$")


class Measured(Protocol):
    """A figure with its unit, as `wmoUnit:degC`."""

    unit: str
    value: float | None
    most: float | None


def code_of(icon: str | None, words: str) -> int | None:
    """Return the WMO code of a period, by its icon or else its words; null when neither is known.

    An icon's address ends in one or two names, each with an optional chance in percent:
    `/icons/land/day/rain,40/tsra,60?size=small`. The last name is what the period comes to.
    """
    names = (icon or "").partition("?")[0].rstrip("/").split("/")
    name = names[-1].partition(",")[0].removeprefix("wind_")
    by_icon = CODE_OF_ICON.get(name)
    if by_icon not in (None, 63, 73, 80, 81):
        return by_icon
    return _code_of_words(words, by_icon)


def celsius(figure: float | None, unit: str) -> float | None:
    """Return degrees Celsius of a figure in `F`, `C`, `wmoUnit:degF`, `wmoUnit:degC` or kelvin."""
    if figure is None:
        return None
    unit = unit.rpartition(":")[2]
    if unit in ("F", "degF"):
        return round((figure - 32) / 1.8, 2)
    if unit == "K":
        return round(figure - 273.15, 2)
    return round(figure, 2)


def kmh(said: "str | Measured | None") -> float | None:
    """Return km/h of `15 mph`, `5 to 10 mph` (the higher) or a measured figure."""
    if said is None:
        return None
    if isinstance(said, str):
        found = SPEED.search(said)
        factor = KMH_OF.get(found[2]) if found else None
        return round(float(found[1]) * factor, 1) if found and factor else None
    figure = said.value if said.most is None else said.most
    factor = KMH_OF_UNIT.get(said.unit.rpartition(":")[2])
    return round(figure * factor, 1) if figure is not None and factor else None


def _code_of_words(words: str, otherwise: int | None) -> int | None:
    words = words.lower()
    for pattern, code in CODE_OF_WORDS:
        if pattern.search(words):
            return code
    return otherwise
