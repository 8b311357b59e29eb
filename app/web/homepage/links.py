"""Quick links: kept in lists, in order, in and out as a bookmark file."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import bookmarks, links
from app.domain.homepage.links import LinkChange, LinkOrder, NewLink
from app.errors import Invalid
from app.web import forms, session
from app.web.forms import read
from app.web.render import invalid, render, saved

PAGE = "homepage/links/page.html#links"


async def show(request: Request) -> Response:
    """My links."""
    found = await links.mine(session.services_of(request), session.reader(request))
    return await render(request, PAGE, list=found, _title="Links")


async def add(request: Request) -> Response:
    """Add a link. Raises Invalid."""
    services, who = session.services_of(request), await session.saver(request)
    try:
        link = await links.add(services, who, await read(request, NewLink))
    except Invalid as problem:
        return await invalid(
            request, problem, PAGE, list=await links.mine(services, who), _title="Links"
        )
    return await saved(
        request,
        "/links",
        PAGE,
        status=201,
        said="saved",
        link=link,
        _list=await links.mine(services, who),
    )


async def change(request: Request) -> Response:
    """Change a link or move it. Raises NotFound, Invalid."""
    services, who = session.services_of(request), await session.saver(request)
    link = await links.change(
        services, who, request.path_params["id"], await read(request, LinkChange)
    )
    return await saved(request, "/links", PAGE, link=link, _list=await links.mine(services, who))


async def remove(request: Request) -> Response:
    """Remove a link; the notice can undo it. Raises NotFound."""
    services, who = session.services_of(request), await session.saver(request)
    link_id = request.path_params["id"]
    await links.remove(services, who, link_id)
    return await saved(
        request,
        "/links",
        PAGE,
        said=f"link_removed.{link_id}",
        list=await links.mine(services, who),
        _removed=link_id,
    )


async def restore(request: Request) -> Response:
    """Bring a removed link back. Raises NotFound."""
    services, who = session.services_of(request), await session.saver(request)
    await links.restore(services, who, request.path_params["id"])
    return await saved(request, "/links", PAGE, said="undone", list=await links.mine(services, who))


async def put_in_order(request: Request) -> Response:
    """Put links in an order."""
    who = await session.saver(request)
    mine = await links.put_in_order(
        session.services_of(request), who, await read(request, LinkOrder)
    )
    return await saved(request, "/links", PAGE, list=mine)


async def export(request: Request) -> Response:
    """All my links as a bookmark file."""
    mine = await links.mine(session.services_of(request), session.reader(request))
    headers = {
        "Content-Disposition": 'attachment; filename="links.html"',
        "Cache-Control": "private, no-cache",
    }
    return Response(bookmarks.written(mine.items), media_type="text/html", headers=headers)


async def bring(request: Request) -> Response:
    """Add the links of a bookmark file. Raises Invalid."""
    services, who = session.services_of(request), await session.saver(request)
    given = await forms.body(request)
    content = given.get("file")
    raw = content if isinstance(content, bytes) else str(content or "").encode()
    try:
        report = await bookmarks.bring(services, who, raw)
    except Invalid as problem:
        return await invalid(
            request, problem, PAGE, list=await links.mine(services, who), _title="Links"
        )
    return await saved(request, "/links", status=201, said="saved", report=report)
