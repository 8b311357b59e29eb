"""Places: cities of the world and postal areas of the US, found by typing or by position."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from app.domain.platform import gazetteer
from app.errors import NotFound
from app.services import Services

# A file that lost its end must not pass for the whole country.
LEAST = {"US": 20_000, "CA": 2_500}
# So many places are written by one statement: enough to be quick, few enough to be held in memory.
BATCH = 20_000
# Below this likeness a guess at a misspelt name helps nobody.
LIKENESS = 0.45
LAST_LETTER = "\U0010ffff"
# Short forms that people type and the gazetteer does not, and the other way about.
SHORT = {"st": "saint", "ste": "sainte", "ft": "fort", "mt": "mount"}
LONG = {long: short for short, long in SHORT.items()}
ALSO_CALLED = {
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "usa": "US",
    "uae": "AE",
}


class Place(msgspec.Struct, frozen=True):
    """One place as it is shown and used; the position is for forecasts and never for answers."""

    id: int
    kind: str
    name: str
    country: str
    region: str | None
    region_name: str | None
    postal_code: str | None
    slug: str
    population: int
    time_zone: str
    lat: float
    lon: float

    @property
    def country_name(self) -> str:
        """Return the country in words."""
        return gazetteer.countries().get(self.country, self.country)

    @property
    def label(self) -> str:
        """Return the name as people write it: "Austin, TX", "Austin, TX 78701", "Paris, France"."""
        label = f"{self.name}, {self.region or self.country_name}"
        return f"{label} {self.postal_code}" if self.postal_code else label


# Seeding

KNOWN = "SELECT sha256 FROM seeds WHERE name = 'places'"

REMEMBER = """
INSERT INTO seeds (name, sha256) VALUES ('places', $1)
ON CONFLICT (name) DO UPDATE SET sha256 = EXCLUDED.sha256, loaded_at = now()
"""

PUT_REGION = """
INSERT INTO geo_regions (country, code, name) VALUES ($1, $2, $3)
ON CONFLICT (country, code) DO UPDATE SET name = EXCLUDED.name
"""

# A place keeps its id and its slug for ever: addresses and listings hold on to them. A new place
# whose slug an older one has takes its number along. What is equal is not written again.
PUT_PLACES = """
INSERT INTO geo_places (
    kind, source_id, country, region_id, name, name_key, postal_code, population, time_zone, slug,
    location
)
SELECT
    fresh.kind, fresh.source_id, fresh.country, geo_regions.id, fresh.name, fresh.name_key,
    fresh.postal_code, fresh.population, fresh.time_zone,
    CASE WHEN older.id IS NULL THEN fresh.slug ELSE fresh.slug || '-' || fresh.source_id END,
    ST_SetSRID(ST_MakePoint(fresh.longitude, fresh.latitude), 4326)::geography
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::integer[], $9::text[], $10::text[], $11::double precision[], $12::double precision[]
) AS fresh (
    kind, source_id, country, region, name, name_key, postal_code,
    population, time_zone, slug, latitude, longitude
)
LEFT JOIN geo_regions ON geo_regions.country = fresh.country AND geo_regions.code = fresh.region
LEFT JOIN geo_places AS older
    ON older.slug = fresh.slug AND (older.kind, older.source_id) <> (fresh.kind, fresh.source_id)
ON CONFLICT (kind, source_id) DO UPDATE SET
    country = EXCLUDED.country, region_id = EXCLUDED.region_id, name = EXCLUDED.name,
    name_key = EXCLUDED.name_key, population = EXCLUDED.population,
    time_zone = EXCLUDED.time_zone, location = EXCLUDED.location
WHERE (
    geo_places.country, geo_places.region_id, geo_places.name, geo_places.name_key,
    geo_places.population, geo_places.time_zone, geo_places.location::geometry
) IS DISTINCT FROM (
    EXCLUDED.country, EXCLUDED.region_id, EXCLUDED.name, EXCLUDED.name_key,
    EXCLUDED.population, EXCLUDED.time_zone, EXCLUDED.location::geometry
)
"""


async def seed(
    services: Services, read: Callable[[], list[gazetteer.Spot]] = gazetteer.spots
) -> int:
    """Load the gazetteer unless this very one is loaded; return how many places were read.

    Deletes nothing. Raises ValueError when a country has too few cities to be whole.
    """
    digest = gazetteer.digest()
    if await services.db.fetchval(KNOWN) == digest:
        return 0
    spots = await asyncio.to_thread(read)
    refuse_part(spots)
    async with services.tx() as tx:
        await load(tx, gazetteer.regions(), spots)
        await tx.db.execute(REMEMBER, digest)
    return len(spots)


async def are_loaded(services: Services) -> bool:
    """Whether a gazetteer is loaded; on a new site that takes half a minute."""
    return await services.db.fetchval(KNOWN) is not None


def refuse_part(spots: Iterable[gazetteer.Spot]) -> None:
    """Raise ValueError when the US or Canada has fewer cities than it must have."""
    cities = Counter(spot.country for spot in spots if spot.kind == "city")
    for country, least in LEAST.items():
        if cities[country] < least:
            raise ValueError(
                f"Only {cities[country]:,} cities of {country}: at least {least:,} are due."
            )


async def load(
    tx: Services, regions: Iterable[gazetteer.Region], spots: Sequence[gazetteer.Spot]
) -> None:
    """Add or update these regions and places inside the caller's transaction."""
    await tx.db.executemany(PUT_REGION, list(regions))
    for start in range(0, len(spots), BATCH):
        columns = zip(*spots[start : start + BATCH], strict=True)
        await tx.db.execute(PUT_PLACES, *map(list, columns))
    await tx.db.execute("ANALYZE geo_places")


# Finding

CARD = """
SELECT
    geo_places.id, geo_places.kind, geo_places.name, geo_places.country, geo_regions.code AS region,
    geo_regions.name AS region_name, geo_places.postal_code, geo_places.slug, geo_places.population,
    geo_places.time_zone, ST_Y(geo_places.location::geometry) AS lat,
    ST_X(geo_places.location::geometry) AS lon
FROM geo_places LEFT JOIN geo_regions ON geo_regions.id = geo_places.region_id
"""

BY_ID = f"{CARD} WHERE geo_places.id = $1"

NEAREST = f"""
{CARD}
WHERE geo_places.kind = 'city'
    AND ($3::double precision IS NULL OR ST_DWithin(
        geo_places.location, ST_SetSRID(ST_MakePoint($2, $1), 4326)::geography, $3 * 1000))
ORDER BY geo_places.location <-> ST_SetSRID(ST_MakePoint($2, $1), 4326)::geography
LIMIT 1
"""

# $2 and $3 hold a word and the countries of that name; both are null where no place is said.
WITHIN = """
    ($2::text IS NULL OR lower(geo_regions.code) = $2 OR lower(geo_regions.name) LIKE $2 || '%'
        OR geo_places.country = ANY ($3::text[]))
"""

BY_TWO_LETTERS = f"""
{CARD}
WHERE geo_places.kind = 'city' AND left(geo_places.name_key, 2) = $1 AND {WITHIN}
ORDER BY geo_places.population DESC, geo_places.id LIMIT $4
"""

BY_PREFIX = f"""
{CARD}
WHERE geo_places.kind = 'city' AND geo_places.name_key >= $1 AND geo_places.name_key < $5 AND {WITHIN}
ORDER BY geo_places.population DESC, geo_places.id LIMIT $4
"""

BY_LIKENESS = f"""
{CARD}
WHERE geo_places.kind = 'city' AND geo_places.name_key % $1
    AND similarity(geo_places.name_key, $1) >= $5 AND {WITHIN}
ORDER BY round(similarity(geo_places.name_key, $1)::numeric, 1) DESC, geo_places.population DESC
LIMIT $4
"""

BY_POSTAL_CODE = f"""
{CARD}
WHERE geo_places.kind = 'postal' AND geo_places.postal_code >= $1 AND geo_places.postal_code < $2
ORDER BY geo_places.postal_code LIMIT $3
"""


async def by_id(services: Services, place_id: int) -> Place:
    """Return one place. Raises NotFound."""
    row = await services.db.fetchrow(BY_ID, place_id)
    if row is None:
        raise NotFound("We know no such place.")
    return Place(**row)


async def nearest(
    services: Services, lat: float, lon: float, within_km: float | None = None
) -> Place | None:
    """Return the city nearest to a point in degrees, or None when none lies within so many kilometres."""
    row = await services.db.fetchrow(NEAREST, lat, lon, within_km)
    return Place(**row) if row else None


async def suggestions(services: Services, text: str, limit: int = 8) -> list[Place]:
    """Return places that somebody may mean who has typed so far: two letters or three digits at least.

    Names that begin so come first, the largest ahead; then names that are alike. "Austin, TX",
    "austin tx" and "Paris, France" are understood; accents and case do not count.
    """
    postal = re.match(r"\s*(\d{3,5})(?![^\s-])", text)
    if postal:
        return await by_postal_code(services, postal[1], limit)
    found: list[Place] = []
    for name, where in readings(text):
        found = found or await by_prefix(services, name, where, limit)
    for name, where in readings(text):
        found = found or await by_likeness(services, name, where, limit)
    return found


def readings(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the ways to read a text as a name and where that is: at the comma, else at the last words."""
    before, comma, after = text.partition(",")
    words = gazetteer.key(before).split()
    where = gazetteer.key(after).split(" usa")[0]
    yield " ".join(words), where or None
    if not comma:
        for cut in range(len(words) - 1, max(len(words) - 3, 0), -1):
            yield " ".join(words[:cut]), " ".join(words[cut:])


async def by_postal_code(services: Services, digits: str, limit: int) -> list[Place]:
    """Return the postal areas of the US whose code begins so."""
    rows = await services.db.fetch(BY_POSTAL_CODE, digits, digits + LAST_LETTER, limit)
    return [Place(**row) for row in rows]


async def by_prefix(services: Services, name: str, where: str | None, limit: int) -> list[Place]:
    """Return the cities whose name begins so, or does with its first word written out or shortened."""
    values = where, countries_called(where), limit
    if len(name) < 2:
        return []
    if len(name) == 2:
        rows = await services.db.fetch(BY_TWO_LETTERS, name, *values)
        return [Place(**row) for row in rows]
    found: list[Place] = []
    for start in (name, *respelt(name)):
        rows = await services.db.fetch(BY_PREFIX, start, *values, start + LAST_LETTER)
        found += [Place(**row) for row in rows]
    return sorted(found, key=lambda place: -place.population)[:limit]


def respelt(name: str) -> Iterator[str]:
    """Yield the other spelling of a name that begins with "St", "Fort" and the like."""
    first, space, rest = name.partition(" ")
    other = SHORT.get(first) or LONG.get(first)
    if space and other:
        yield f"{other} {rest}"


async def by_likeness(services: Services, name: str, where: str | None, limit: int) -> list[Place]:
    """Return the cities whose name is most like a misspelt one, by shared groups of three letters."""
    if len(name) < 3:
        return []
    rows = await services.db.fetch(
        BY_LIKENESS, name, where, countries_called(where), limit, LIKENESS
    )
    return [Place(**row) for row in rows]


def countries_called(where: str | None) -> list[str]:
    """Return the codes of the countries that go by a code, an everyday name, or the start of a name."""
    if not where:
        return []
    if len(where) < 3:
        return [ALSO_CALLED.get(where, where.upper())]
    named = [
        code for code in gazetteer.countries() if gazetteer.country_key(code).startswith(where)
    ]
    return [*named, ALSO_CALLED.get(where, "")]
