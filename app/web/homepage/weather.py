"""Weather places: added by typing, by position, taken away, put in order."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import weather_places
from app.domain.homepage.weather_places import NewPlace, PlaceChange
from app.errors import Invalid
from app.web import session
from app.web.forms import read
from app.web.render import invalid, render, saved

PAGE = "homepage/weather/page.html#places"


async def show(request: Request) -> Response:
    """My places."""
    found = await weather_places.mine(session.services_of(request), session.reader(request))
    return await render(request, PAGE, list=found, _title="Weather places")


async def add(request: Request) -> Response:
    """Add a place. Raises Invalid."""
    services, who = session.services_of(request), await session.saver(request)
    try:
        place = await weather_places.add(services, who, await read(request, NewPlace))
    except Invalid as problem:
        mine = await weather_places.mine(services, who)
        return await invalid(request, problem, PAGE, list=mine, _title="Weather places")
    mine = await weather_places.mine(services, who)
    return await saved(
        request, "/weather/places", PAGE, status=201, said="place_added", _list=mine, place=place
    )


async def change(request: Request) -> Response:
    """Rename or move a place. Raises NotFound."""
    who = await session.saver(request)
    wish = await read(request, PlaceChange)
    mine = await weather_places.change(
        session.services_of(request), who, request.path_params["id"], wish
    )
    return await saved(request, "/weather/places", PAGE, list=mine)


async def remove(request: Request) -> Response:
    """Remove a place. Raises NotFound."""
    who = await session.saver(request)
    mine = await weather_places.remove(session.services_of(request), who, request.path_params["id"])
    return await saved(request, "/weather/places", PAGE, list=mine, said="saved")


async def suggest(request: Request) -> Response:
    """Places for what was typed."""
    typed = request.query_params.get("q", "")
    found = await weather_places.suggestions(
        session.services_of(request), session.reader(request), typed
    )
    return await render(
        request,
        "homepage/weather/suggestions.html#suggestions",
        list=found,
        _typed=typed.strip(),
        _title="Places",
    )
