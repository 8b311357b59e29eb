"""Places: loading the gazetteer, typing a name, and the nearest town."""

from functools import cache

import pytest

from app.domain.platform import gazetteer, places
from app.errors import NotFound
from app.services import Services

# Some places of the real gazetteer, among them pairs that are easily mixed up.
NAMED = {
    "Austin", "Austintown", "Paris", "Springfield", "Portland", "Charlotte", "London", "Montréal", "Québec",
    "St. Louis", "Saint Louis Park", "O'Fallon", "Zürich", "São Paulo", "San Juan", "Honolulu", "Toronto",
    "Los Angeles", "Auckland", "Augsburg", "New York City", "Washington",
}  # fmt: skip
POSTAL = {"78701", "78702", "78703", "10001", "00501"}


@cache
def everything() -> list[gazetteer.Spot]:
    return gazetteer.spots()


def home() -> list[gazetteer.Spot]:
    return [spot for spot in everything() if spot.country in gazetteer.AT_HOME]


@pytest.fixture
async def filled(services: Services) -> Services:
    chosen = [spot for spot in everything() if spot.name in NAMED or spot.postal_code in POSTAL]
    async with services.tx() as tx:
        await places.load(tx, gazetteer.regions(), chosen)
    return services


async def labels(services: Services, text: str, limit: int = 8) -> list[str]:
    return [place.label for place in await places.suggestions(services, text, limit)]


def test_the_gazetteer_is_whole() -> None:
    cities = [spot.country for spot in everything() if spot.kind == "city"]
    assert (cities.count("US"), cities.count("CA"), len(cities)) == (21_783, 3_250, 234_908)
    assert len(gazetteer.regions()) == 64
    assert len({spot.slug for spot in everything()}) == len(everything())
    assert gazetteer.PLACES.stat().st_size < 2_000_000


def test_the_largest_of_a_name_in_a_region_has_the_plain_slug() -> None:
    twice = {}
    for spot in home():
        if spot.kind == "city":
            twice.setdefault((spot.region, spot.name), []).append(spot)
    pairs = [spots for spots in twice.values() if len(spots) > 1]
    assert len(pairs) == 356
    for spots in pairs:
        largest, *others = sorted(spots, key=lambda spot: -spot.population)
        assert all(other.slug == f"{largest.slug}-{other.source_id}" for other in others)


def just_enough() -> list[gazetteer.Spot]:
    """Return the fewest cities that pass for whole."""
    cities = [spot for spot in home() if spot.kind == "city"]
    american = [spot for spot in cities if spot.country == "US"]
    canadian = [spot for spot in cities if spot.country == "CA"]
    return american[:20_000] + canadian[:2_500]


async def test_seeding_twice_changes_nothing(services: Services) -> None:
    state = "SELECT count(*), sum(id), max(xmin::text::bigint) FROM geo_places"
    assert await places.seed(services, just_enough) == 22_500
    before = await services.db.fetchrow(state)
    assert await places.seed(services, just_enough) == 0
    await services.db.execute("DELETE FROM seeds")
    assert await places.seed(services, just_enough) == 22_500
    assert before["count"] == 22_500
    assert await services.db.fetchrow(state) == before


async def test_seeding_corrects_a_place_and_keeps_its_id_slug_and_count(filled: Services) -> None:
    [austin] = await places.suggestions(filled, "Austin, TX")
    await filled.db.execute("UPDATE geo_places SET active_count = 7 WHERE id = $1", austin.id)
    old = next(spot for spot in everything() if spot.slug == "austin-tx")
    fresh = old._replace(population=5, slug="another-slug")
    async with filled.tx() as tx:
        await places.load(tx, [], [fresh])
    row = await filled.db.fetchrow(
        "SELECT population, slug, active_count FROM geo_places WHERE id = $1", austin.id
    )
    assert tuple(row) == (5, "austin-tx", 7)


async def test_a_new_place_whose_slug_is_taken_gets_its_number_added(filled: Services) -> None:
    old = next(spot for spot in everything() if spot.slug == "austin-tx")
    async with filled.tx() as tx:
        await places.load(tx, [], [old._replace(source_id="1")])
    assert (
        await filled.db.fetchval("SELECT slug FROM geo_places WHERE source_id = '1'")
        == "austin-tx-1"
    )


@pytest.mark.parametrize("country", ["US", "CA"])
async def test_a_gazetteer_that_lost_a_part_is_refused(services: Services, country: str) -> None:
    def part() -> list[gazetteer.Spot]:
        lost = next(spot for spot in just_enough() if spot.country == country)
        return [spot for spot in just_enough() if spot is not lost]

    with pytest.raises(ValueError, match=country):
        await places.seed(services, part)
    assert await services.db.fetchval("SELECT count(*) FROM geo_places") == 0


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("au", "Auckland, New Zealand"),
        ("Austin, TX", "Austin, TX"),
        ("austin tx", "Austin, TX"),
        ("austin, texas", "Austin, TX"),
        ("MONTREAL", "Montréal, QC"),
        ("zurich", "Zürich, Switzerland"),
        ("sao pa", "São Paulo, Brazil"),
        ("paris", "Paris, France"),
        ("paris, tx", "Paris, TX"),
        ("paris texas, usa", "Paris, TX"),
        ("london, uk", "London, United Kingdom"),
        ("london, canada", "London, ON"),
        ("portland or", "Portland, OR"),
        ("charlotte north carolina", "Charlotte, NC"),
        ("saint louis", "St. Louis, MO"),
        ("o’fallon", "O'Fallon, MO"),
        ("los angelos", "Los Angeles, CA"),
        ("spingfield, il", "Springfield, IL"),
        ("78701", "Austin, TX 78701"),
        ("78701-1234", "Austin, TX 78701"),
        ("005", "Holtsville, NY 00501"),
    ],
)
async def test_a_place_is_found_as_people_type_it(filled: Services, text: str, first: str) -> None:
    assert (await labels(filled, text))[:1] == [first]


async def test_those_that_begin_so_come_by_population_up_to_the_limit(filled: Services) -> None:
    found = await places.suggestions(filled, "por", limit=3)
    assert [place.name for place in found] == ["Portland"] * 3
    assert [place.population for place in found] == sorted(
        (place.population for place in found), reverse=True
    )
    assert await labels(filled, "787", limit=2) == ["Austin, TX 78701", "Austin, TX 78702"]


@pytest.mark.parametrize(
    "text", ["", "a", "78", "%", "__", "xqzzv", "123456", "'", "\\", "a" * 500, "\x00ab"]
)
async def test_too_little_or_nonsense_finds_nothing(filled: Services, text: str) -> None:
    assert await labels(filled, text) == []


async def test_the_nearest_town_is_found_within_its_distance(filled: Services) -> None:
    near = await places.nearest(filled, 18.4, -66.1, within_km=50)
    assert near and (near.name, near.country, near.time_zone) == (
        "San Juan",
        "PR",
        "America/Puerto_Rico",
    )
    assert await places.nearest(filled, 0.0, -30.0, within_km=50) is None
    far = await places.nearest(filled, 30.3, -97.7)
    assert far and far.slug == "austin-tx"
    assert (round(far.lat, 2), round(far.lon, 2)) == (30.27, -97.74)


async def test_a_place_is_found_by_its_id(filled: Services) -> None:
    [place] = await places.suggestions(filled, "10001")
    assert await places.by_id(filled, place.id) == place
    with pytest.raises(NotFound):
        await places.by_id(filled, 0)
