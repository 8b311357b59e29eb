"""Search: this site, and the hand-over to web engines."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.domain.homepage import recent_searches, search, search_suggestions
from app.domain.homepage.search import SearchQuery
from app.domain.platform import site_settings
from app.errors import Invalid
from app.web import session
from app.web.forms import query
from app.web.render import VARY, invalid, render, saved

PAGE = "homepage/search/page.html#results"
DESCRIPTION = """<?xml version="1.0" encoding="UTF-8"?>
<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/">
<ShortName>{name}</ShortName><Description>Search {name}</Description><InputEncoding>UTF-8</InputEncoding>
<Url type="text/html" template="{url}/search?q={{searchTerms}}"/>
</OpenSearchDescription>
"""


async def show(request: Request) -> Response:
    """What this site has with these words."""
    services, who = session.services_of(request), session.reader(request)
    engines = list(search.engines(services.settings, who))
    try:
        found = await search.results(services, who, query(request, SearchQuery))
    except Invalid as problem:
        problem.given = {"q": request.query_params.get("q", "")[:200]}
        empty = search.Results(problem.given["q"], [])
        return await invalid(
            request, problem, PAGE, results=empty, _engines=engines, _title="Search"
        )
    title = f"Search: {found.q}" if found.q else "Search"
    return await render(request, PAGE, results=found, _engines=engines, _title=title)


async def suggest(request: Request) -> Response:
    """How the typed words may go on."""
    services, who = session.services_of(request), session.reader(request)
    typed = request.query_params.get("q", "")
    found = await search_suggestions.suggestions(services, who, typed)
    return await render(
        request, "homepage/search/suggestions.html#suggestions", list=found, _title="Suggestions"
    )


async def forget(request: Request) -> Response:
    """Forget my last searches."""
    services, who = session.services_of(request), session.member(request)
    await recent_searches.forget(services, who)
    engines = list(search.engines(services.settings, who))
    empty = search.Results("", [])
    return await saved(request, "/search", PAGE, results=empty, _engines=engines, said="saved")


async def hand_over(request: Request) -> Response:
    """Lead to a web engine with the words; nothing of it is kept. Raises NotFound."""
    services, who = session.services_of(request), session.reader(request)
    words, name = request.query_params.get("q", "")[:200], request.query_params.get("engine")
    address = search.handed_over(services.settings, who, words, name)
    return RedirectResponse(
        address,
        303,
        headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Vary": VARY},
    )


async def description(request: Request) -> Response:
    """How a browser adds this site to its search engines."""
    services = session.services_of(request)
    name = site_settings.of(services).site_name[:16]
    text = DESCRIPTION.format(name=escaped(name), url=escaped(services.settings.public_url))
    return Response(
        text,
        media_type="application/opensearchdescription+xml",
        headers={"Cache-Control": "public, max-age=86400"},
    )


def escaped(text: str) -> str:
    """Text as it stands in XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
