"""The front page: a person's widgets, joined from kept pieces; one shared answer for visitors without cookies."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import (
    page_changes,
    pages,
    template_locks,
    template_notices,
    widget_offers,
)
from app.domain.homepage.pages import PageView, Widget
from app.domain.homepage.versions import Versions
from app.domain.homepage.widget_types import BY_NAME
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services
from app.web import session
from app.web.homepage import front, joining, shared, widgets
from app.web.pages import page_frame
from app.web.render import VARY, as_json, etag, not_modified, render, wants


async def show(request: Request) -> Response:
    """My page: `/` or one of my tabs; `?edit=1` to arrange it."""
    slug = request.path_params.get("slug", "home")
    who = session.reader(request)
    if wants(request) == "json":
        view = await template_notices.shown(session.services_of(request), who, slug)
        return as_json(request, {"page": view})
    if request.query_params.get("edit"):
        return await edited(request, slug)
    if who is None:
        return await shared.page(request)
    return await personal(request, session.services_of(request), who, slug)


async def personal(request: Request, services: Services, who: Reader, slug: str) -> Response:
    """A reader's own page with its ETag: 304 when nothing of it changed, joined from kept pieces where they are known."""
    found = await widgets.known_versions(request, services, who)
    frame = page_frame(request, {"_title": None})
    fragment = wants(request) == "fragment"
    key = front.key_of(
        services, frame.site_name, who, slug, found, repr(frame.notices), fragment=fragment
    )
    tag = front.tag_of(request.state.kept, key)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": VARY}
    if not_modified(request, tag):
        return Response(status_code=304, headers=headers)
    body = request.state.kept.joined(key)
    if body is None:
        async with services.held() as held:
            view = await template_notices.shown(held, who, slug)
            body = await joining.joined(request, held, view, found, frame, fragment, plan=key)
    return Response(body, media_type="text/html", headers=headers)


async def edited(request: Request, slug: str, *, status: int = 200, said: str = "") -> Response:
    """The page while it is arranged: the same cards with handles, the toolbar, and a sentence about what was done."""
    services = session.services_of(request)
    who = session.reader(request)
    async with services.held() as held:
        view = await pages.shown(held, who, slug)
        found = await widgets.versions_of(held, who)
        history = await page_changes.reach(held, who, slug)
        cards = await bare_cards(request, held, view, found)
    name = "homepage/home.html#arranged"
    return await render(
        request,
        name,
        status=status,
        view=view,
        _cards=cards,
        _history=history,
        _kinds=BY_NAME,
        _offered=widget_offers.offered(services, who),
        _editing=True,
        _said=said,
        _locks=template_locks.WHY,
        _at=f"/pages/{slug}",
        _free=False,
        _adding={"action": "/widgets", "fields": {"page": slug}},
        _title="Arrange your page",
    )


async def bare_cards(
    request: Request, services: Services, view: PageView, found: Versions
) -> list[tuple[Widget, str]]:
    """The cards of a page without their places: in the editor the handles around them have the place."""
    frame = page_frame(request, {"_title": None})
    bare = [msgspec.structs.replace(widget, classes="") for widget in view.widgets]
    # The handles bring the menu, so the cards beneath them stand on no page.
    cards = await widgets.pieces(request, services, bare, found, frame, "")
    return [(widget, card.decode()) for widget, card in zip(view.widgets, cards, strict=True)]


async def widget(request: Request) -> Response:
    """One widget: `?at=home.news` as it stands on that page, else with the person's defaults."""
    services, who = session.services_of(request), session.reader(request)
    kind = widget_offers.of_kind(services, who, request.path_params["kind"])
    async with services.held() as held:
        place = request.query_params.get("at", "")
        shown, slug = await at(held, who, kind.name, place), place.partition(".")[0]
        if wants(request) == "json":
            [view] = await widgets.views_of(held, who, [shown])
            return as_json(request, {"widget": view})
        found = await widgets.versions_of(held, who)
        frame = page_frame(request, {"_title": kind.label})
        key = widgets.key_of(who, shown, found, frame, slug)
        around = frame._replace(reader=None), who and (who.name, who.role, who.unread)
        headers = headers_of(request, etag(key, *around, wants(request)))
        if not_modified(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        [piece] = await widgets.pieces(request, held, [shown], found, frame, slug)
    card = piece.decode()
    if wants(request) == "fragment":
        return Response(card, media_type="text/html", headers=headers)
    response = await render(request, "homepage/widget.html", _title=kind.label, _card=card)
    response.headers.update(headers)
    return response


def headers_of(request: Request, tag: str) -> dict[str, str]:
    """How one fragment may be kept: by everybody when nobody's cookie was sent."""
    public = "public, max-age=0, s-maxage=60, stale-while-revalidate=300"
    personal = session.SESSION in request.cookies or session.VISITOR in request.cookies
    return {"ETag": tag, "Vary": VARY, "Cache-Control": "private, no-cache" if personal else public}


async def at(services: Services, who: Reader | None, name: str, place: str) -> Widget:
    """The widget that stands at `slug.key`, or one of that type with the defaults. Raises NotFound."""
    slug, _, key = place.partition(".")
    if place:
        view = await pages.shown(services, who, slug)
        for found in view.widgets:
            if found.key == key and found.type == name:
                return found
        raise NotFound("This widget is not on your page any more.")
    return pages.lone(name)


async def changes(request: Request) -> Response:
    """`?page=home&have=key:version,…` — 204, or the widgets that changed, as out-of-band fragments.

    `HX-Refresh` says that widgets came or went since: pieces cannot show that, only the whole page can.
    """
    slug = request.query_params.get("page", "home")
    have = dict(
        part.split(":", 1)
        for part in request.query_params.get("have", "").split(",")
        if ":" in part
    )
    who = session.reader(request)
    async with session.services_of(request).held() as held:
        view = await pages.shown(held, who, slug)
        found = await widgets.versions_of(held, who)
        frame = page_frame(request, {"_title": None})
        versions = {
            shown.key: widgets.version_text(widgets.key_of(who, shown, found, frame, slug))
            for shown in view.widgets
        }
        other = [
            shown
            for shown in view.widgets
            if have.get(shown.key, versions[shown.key]) != versions[shown.key]
        ]
        cards = await widgets.pieces(request, held, other, found, frame, slug)
    changed = [
        card.decode().replace("<section ", '<section hx-swap-oob="true" ', 1) for card in cards
    ]
    refresh = {"HX-Refresh": "true"} if have.keys() != versions.keys() else {}
    if not changed:
        headers = {"Vary": VARY, "Cache-Control": "private, no-cache", **refresh}
        return Response(status_code=204, headers=headers)
    headers = {**headers_of(request, etag(changed, refresh)), **refresh}
    return Response("".join(changed), media_type="text/html", headers=headers)
