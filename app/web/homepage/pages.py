"""A person's pages: the tabs, a whole layout at once, and pages as files."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import page_files, page_widgets, pages
from app.domain.homepage.page_changes import Outdated
from app.domain.homepage.page_widgets import Arranged
from app.domain.homepage.pages import NAME_CEILING, PageView, Tab
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.web import forms, session
from app.web.homepage.page_answers import arranged, edit_address, editor, outdated
from app.web.render import as_json, invalid, render, saved, wants

Name = Annotated[str, Meta(min_length=1, max_length=NAME_CEILING)]


class NewPage(msgspec.Struct):
    """A tab to add."""

    name: Name


class PagePatch(msgspec.Struct):
    """A tab's new name, or its new position after Home."""

    name: Name | None = None
    position: Annotated[int, Meta(ge=1, le=pages.MAX_PAGES)] | None = None


class TabList(msgspec.Struct):
    """My pages in the order of their tabs."""

    items: tuple[Tab, ...]
    total: int
    next: None = None


class Layout(msgspec.Struct):
    """The places of all widgets of a page, and the version that they were seen on."""

    version: int
    widgets: list[Arranged]


async def show_all(request: Request) -> Response:
    """My pages, and a form for another."""
    who = session.member(request)
    return await render(
        request, "homepage/pages/tabs.html#tabs", tabs=await tabs_of(request, who), _title="Pages"
    )


async def tabs_of(request: Request, who: Reader) -> TabList:
    """The tabs of this person."""
    tabs = (await pages.shown(session.services_of(request), who)).tabs
    return TabList(tabs, len(tabs))


async def add(request: Request) -> Response:
    """Add a tab."""
    who = session.member(request)
    try:
        form = await forms.read(request, NewPage)
    except Invalid as problem:
        return await shown_again(request, who, problem)
    view = await pages.add(session.services_of(request), who, form.name)
    return await saved(request, edit_address(view.slug), status=201, page=view)


async def shown_again(request: Request, who: Reader, problem: Invalid) -> Response:
    """The tabs and the form with what was wrong."""
    return await invalid(
        request,
        problem,
        "homepage/pages/tabs.html#tabs",
        tabs=await tabs_of(request, who),
        _title="Pages",
    )


async def change(request: Request) -> Response:
    """Rename a tab, or put it elsewhere among the tabs."""
    who = session.member(request)
    slug = request.path_params["slug"]
    try:
        form = await forms.read(request, PagePatch)
        if form.name is None and form.position is None:
            raise Invalid("Say what to change.", errors={"name": "Please fill this in."})
    except Invalid as problem:
        return await shown_again(request, who, problem)
    view = await changed(request, who, slug, form)
    if wants(request) == "json":
        return as_json(request, {"page": view})
    return await saved(
        request,
        "/pages",
        "homepage/pages/tabs.html#tabs",
        tabs=await tabs_of(request, who),
        _title="Pages",
    )


async def changed(request: Request, who: Reader, slug: str, form: PagePatch) -> PageView:
    """Make the changes that were asked for; answer the page."""
    services = session.services_of(request)
    if form.name is not None:
        view = await pages.rename(services, who, slug, form.name)
    if form.position is not None:
        view = await pages.reorder(services, who, slug, form.position)
    return view


async def remove(request: Request) -> Response:
    """Remove a tab."""
    who = session.member(request)
    services = session.services_of(request)
    await pages.remove(services, who, request.path_params["slug"])
    tabs = await tabs_of(request, who)
    return await saved(
        request, "/pages", "homepage/pages/tabs.html#tabs", tabs=tabs, _title="Pages"
    )


async def arrange(request: Request) -> Response:
    """Place all widgets at once; on an outdated version the answer is 409 and the page as it stands."""
    form = await forms.read(request, Layout)
    who = await editor(request)
    slug = request.path_params["slug"]
    services = session.services_of(request)
    try:
        view = await page_widgets.arrange(services, who, slug, form.version, form.widgets)
    except Outdated as problem:
        return await outdated(request, problem)
    return await arranged(request, view)


async def export(request: Request) -> Response:
    """A page as a JSON file."""
    slug = request.path_params["slug"]
    file = await page_files.written(session.services_of(request), session.reader(request), slug)
    response = as_json(request, {"file": file})
    response.headers["Content-Disposition"] = f'attachment; filename="{slug}.village-page.json"'
    return response


async def bring_in(request: Request) -> Response:
    """Make a tab from a page file: the JSON itself, or a form with `file`."""
    who = session.member(request)
    services = session.services_of(request)
    try:
        view = await page_files.bring_in(services, who, await uploaded(request))
    except Invalid as problem:
        return await shown_again(request, who, problem)
    return await saved(request, edit_address(view.slug), status=201, page=view)


async def uploaded(request: Request) -> bytes:
    """The bytes of the file that was sent."""
    if request.headers.get("content-type", "").startswith("application/json"):
        return await request.body()
    file = (await forms.body(request)).get("file", b"")
    return file if isinstance(file, bytes) else b""
