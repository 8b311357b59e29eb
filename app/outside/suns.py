"""When the sun rises and sets, for services that do not say it."""

import math
from datetime import UTC, date, datetime, timedelta

NOON_OF_2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
# The sun's upper edge at the horizon, through an atmosphere that bends its light.
ALTITUDE = math.radians(-0.833)
TILT = math.radians(23.4397)


def rise_and_set(day: date, lat: float, lon: float) -> tuple[datetime, datetime] | None:
    """Return sunrise and sunset in UTC within two minutes, or null in polar day and night.

    The sunrise equation with the mean anomaly, centre and transit of Meeus, Astronomical
    Algorithms, chapters 7, 15 and 25, in its short form.
    """
    solar_day = (day - NOON_OF_2000.date()).days - lon / 360
    anomaly = math.radians((357.5291 + 0.98560028 * solar_day) % 360)
    centre = (
        1.9148 * math.sin(anomaly) + 0.02 * math.sin(2 * anomaly) + 0.0003 * math.sin(3 * anomaly)
    )
    ecliptic = anomaly + math.radians(centre + 180 + 102.9372)
    transit = solar_day + 0.0053 * math.sin(anomaly) - 0.0069 * math.sin(2 * ecliptic)
    sine = math.sin(ecliptic) * math.sin(TILT)
    arc = _half_day(math.radians(lat), math.asin(sine))
    if arc is None:
        return None
    return _moment(transit - arc), _moment(transit + arc)


def is_up(moment: datetime, lat: float, lon: float) -> bool:
    """Return whether the sun is up; in polar day and night, whether it is summer there."""
    # The solar day of a place may begin up to half a day before or after that of Greenwich.
    local = (moment.astimezone(UTC) + timedelta(hours=lon / 15)).date()
    found = rise_and_set(local, lat, lon)
    if found is None:
        northern_summer = 80 <= local.timetuple().tm_yday < 266
        return northern_summer == (lat > 0)
    return found[0] <= moment < found[1]


def _half_day(lat: float, declination: float) -> float | None:
    """Return half the length of the daylight, in days."""
    cosine = (math.sin(ALTITUDE) - math.sin(lat) * math.sin(declination)) / (
        math.cos(lat) * math.cos(declination)
    )
    return math.acos(cosine) / math.tau if -1 < cosine < 1 else None


def _moment(days: float) -> datetime:
    moment = NOON_OF_2000 + timedelta(days=days)
    return moment.replace(second=0, microsecond=0)
