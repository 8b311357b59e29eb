"""The places whose weather one person wants to see: at most ten, all positions rounded to 2 decimals on arrival."""

from typing import Annotated

import msgspec
from msgspec import Meta

from app.domain.homepage import versions, weather_spots
from app.domain.platform import places
from app.domain.platform.places import Place
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

CEILING = 10


class WeatherPlace(msgspec.Struct):
    """One place of a person."""

    id: int
    name: str
    lat: float
    lon: float
    country: str | None
    time_zone: str | None


class PlaceList(msgspec.Struct):
    """All places of a person, in order."""

    items: list[WeatherPlace]
    total: int
    next: str | None = None


class NewPlace(msgspec.Struct):
    """A place by its name, by its number in the gazetteer, or by its position."""

    q: Annotated[str, Meta(max_length=80)] | None = None
    city_id: int | None = None
    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    lon: Annotated[float, Meta(ge=-180, le=180)] | None = None
    name: Annotated[str, Meta(max_length=80)] | None = None


class PlaceChange(msgspec.Struct):
    """A new name, or a step up or down."""

    name: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    move: Annotated[str, Meta(pattern="^(up|down)$")] | None = None


class Suggestion(msgspec.Struct):
    """One place of the gazetteer."""

    city_id: int
    label: str


class Suggestions(msgspec.Struct):
    """Places that begin like, or look like, what was typed."""

    items: list[Suggestion]
    total: int
    next: str | None = None


MINE = """
SELECT id, name, lat::float, lon::float, country, time_zone FROM weather_places WHERE user_id = $1 ORDER BY sort, id
"""


async def mine(services: Services, who: Reader | None) -> PlaceList:
    """The reader's places."""
    rows = await services.db.fetch(MINE, who.id) if who else []
    return PlaceList([WeatherPlace(**dict(row)) for row in rows], len(rows))


async def suggestions(services: Services, who: Reader | None, typed: str) -> Suggestions:
    """At most eight places for what was typed."""
    found = [
        Suggestion(place.id, place.label)
        for place in await places.suggestions(services, typed[:80])
    ]
    return Suggestions(found, len(found))


ADD = """
INSERT INTO weather_places (user_id, name, lat, lon, city_id, country, time_zone, sort)
SELECT $1, $2, $3::numeric(5,2), $4::numeric(6,2), $5, $6, $7,
       coalesce((SELECT max(sort) FROM weather_places WHERE user_id = $1), 0) + 1
WHERE (SELECT count(*) FROM weather_places WHERE user_id = $1) < $8
    OR EXISTS (SELECT FROM weather_places WHERE user_id = $1 AND lat = $3::numeric(5,2) AND lon = $4::numeric(6,2))
ON CONFLICT (user_id, lat, lon) DO UPDATE SET name = EXCLUDED.name
RETURNING id, name, lat::float, lon::float, country, time_zone
"""


async def add(services: Services, who: Reader, new: NewPlace) -> WeatherPlace:
    """Add a place; the same spot twice is one. Raises Invalid, Conflict over ten."""
    lat, lon, name, place = await located(services, new)
    async with services.tx() as tx:
        # First of all: it locks the person's version, so that two requests at once cannot both bring the tenth.
        await versions.bump(tx, who.id, "weather")
        row = await tx.db.fetchrow(
            ADD,
            who.id,
            name[:80],
            round(lat, 2),
            round(lon, 2),
            place and place.id,
            place and place.country,
            place and place.time_zone,
            CEILING,
        )
        if row is None:
            raise Conflict(f"You have {CEILING} places. Remove one to add another.")
        await weather_spots.watch(tx, weather_spots.key_of(lat, lon))
    return WeatherPlace(**dict(row))


async def located(services: Services, new: NewPlace) -> tuple[float, float, str, Place | None]:
    """Position, name and gazetteer place of a wish. Raises Invalid."""
    if new.lat is not None and new.lon is not None:
        near = await places.nearest(services, new.lat, new.lon, within_km=weather_spots.NEAR_KM)
        return (
            new.lat,
            new.lon,
            new.name or (near.label if near else f"{new.lat:.2f}, {new.lon:.2f}"),
            near,
        )
    place = (
        await places.by_id(services, new.city_id)
        if new.city_id
        else await first(services, new.q or "")
    )
    return place.lat, place.lon, new.name or place.label, place


async def first(services: Services, typed: str) -> Place:
    """The likeliest place for what was typed. Raises Invalid."""
    found = await places.suggestions(services, typed, limit=1)
    if not found:
        sentence = "We know no place of that name. Try the nearest larger town."
        if not await places.are_loaded(services):
            sentence = "The list of towns is still being loaded. Please try again in a minute."
        raise Invalid(sentence, errors={"q": sentence})
    return found[0]


RENAME = "UPDATE weather_places SET name = coalesce($3, name) WHERE id = $1 AND user_id = $2 RETURNING id"
ORDER = """
UPDATE weather_places SET sort = wish.place FROM unnest($2::bigint[]) WITH ORDINALITY AS wish (id, place)
WHERE weather_places.id = wish.id AND user_id = $1
"""


async def change(services: Services, who: Reader, place_id: int, wish: PlaceChange) -> PlaceList:
    """Rename a place or move it up or down. Raises NotFound."""
    async with services.tx() as tx:
        if await tx.db.fetchval(RENAME, place_id, who.id, wish.name) is None:
            raise NotFound("This place is not on your list any more.")
        if wish.move:
            order = [place.id for place in (await mine(tx, who)).items]
            at = order.index(place_id)
            other = min(max(at + (-1 if wish.move == "up" else 1), 0), len(order) - 1)
            order[at], order[other] = order[other], order[at]
            await tx.db.execute(ORDER, who.id, order)
        await versions.bump(tx, who.id, "weather")
        return await mine(tx, who)


async def remove(services: Services, who: Reader, place_id: int) -> PlaceList:
    """Remove a place. Raises NotFound."""
    async with services.tx() as tx:
        gone = await tx.db.fetchval(
            "DELETE FROM weather_places WHERE id = $1 AND user_id = $2 RETURNING id",
            place_id,
            who.id,
        )
        if gone is None:
            raise NotFound("This place is not on your list any more.")
        await versions.bump(tx, who.id, "weather")
        return await mine(tx, who)
