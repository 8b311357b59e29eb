"""Display: theme, units, clock, news, and the stylesheet of an accent."""

import re
from typing import Any
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import accents, preferences, stories
from app.errors import Invalid, NotFound
from app.web import forms, session
from app.web.render import invalid, render, saved

PAGE = "homepage/preferences/page.html#form"


async def show(request: Request) -> Response:
    """The reader's choices."""
    mine = preferences.of(session.reader(request))
    return await render(request, PAGE, preferences=mine, **await offered(request))


async def put(request: Request) -> Response:
    """Replace all choices (PUT), or change some (PATCH). Raises Invalid."""
    who = await session.saver(request)
    given = await forms.body(request)
    doc = preferences.nested(given)
    is_form = not request.headers.get("content-type", "").startswith("application/json")
    try:
        doc = with_switches(doc) if is_form else doc
        services = session.services_of(request)
        if request.method == "PATCH" or is_form:
            mine = await preferences.patch(services, who, doc)
        else:
            mine = await preferences.put(services, who, preferences.checked(doc))
    except Invalid as problem:
        problem.given = given
        mine = preferences.of(who)
        return await invalid(request, problem, PAGE, preferences=mine, **await offered(request))
    return await saved(request, "/preferences", said="saved", preferences=mine)


def with_switches(doc: dict[str, object]) -> dict[str, object]:
    """A form does not send what is switched off, and says "on" for what is on."""
    news = doc.setdefault("news", {})
    assert isinstance(news, dict)
    news["hide_read"] = news.get("hide_read") == "on"
    topics = news.get("topics") or []
    news["topics"] = topics if isinstance(topics, list) else [topics]
    for name in ("live", "keep_searches"):
        doc[name] = doc.get(name) == "on"
    theme = doc.get("theme")
    if isinstance(theme, dict) and theme.pop("own_accent", None) != "on":
        theme["accent"] = None
    return doc


async def offered(request: Request) -> dict[str, Any]:
    """What the page shows beside the choices: the time zones and topics there are."""
    topics = await stories.tags(session.services_of(request))
    return {"_zones": zones(), "_topics": topics, "_title": "Display"}


def zones() -> list[str]:
    """Time zones that people choose from."""
    return sorted(
        name
        for name in available_timezones()
        if "/" in name and not name.startswith(("Etc/", "SystemV/"))
    )


async def accent(request: Request) -> Response:
    """The stylesheet of one accent: the colour moved until it can be read, by day and by night."""
    name = request.path_params["name"]
    if not re.fullmatch(r"[0-9a-f]{6}\.css", name):
        raise NotFound("There is no such stylesheet.")
    colour = f"#{name[:6]}"
    light, dark = (
        accents.readable(colour, accents.LIGHT_GROUND),
        accents.readable(colour, accents.DARK_GROUND),
    )
    css = f":root {{ --accent: light-dark({light}, {dark}); --on-accent: light-dark(#ffffff, #0d1626); }}\n"
    return Response(
        css, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )
