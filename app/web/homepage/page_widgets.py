"""The widgets of a page: the picker, adding, placing, setting, copying and removing."""

from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import page_widgets, pages, widget_choices, widget_edits, widget_offers
from app.domain.homepage.page_widgets import Added
from app.domain.homepage.pages import Widget
from app.domain.homepage.widget_edits import Patch, Place
from app.domain.homepage.widget_types import BY_NAME, WidgetType
from app.errors import Invalid, NotFound
from app.web import forms, session
from app.web.homepage import widget_fields
from app.web.homepage.page_answers import arranged, edit_address, editor, page_address
from app.web.render import as_json, invalid, render, wants


class NewWidget(msgspec.Struct):
    """A widget to add: its type, and where."""

    type: str
    page: str = "home"
    settings: dict[str, Any] = {}


class Offer(msgspec.Struct):
    """A type of widget that can be added."""

    type: str
    kind: str
    label: str
    says: str
    w: int
    h: int


class Widgets(msgspec.Struct):
    """The widgets of one of my pages, and the types that I can add to it."""

    page: str
    widgets: list[Widget]
    types: list[Offer]


def offer(widget: WidgetType) -> Offer:
    """A type as it is offered."""
    return Offer(widget.name, widget.kind, widget.label, widget.says, widget.w, widget.h)


async def show_all(request: Request) -> Response:
    """My widgets, and the types I can add."""
    slug = request.query_params.get("page", "home")
    services, who = session.services_of(request), session.reader(request)
    view = await pages.shown(services, who, slug)
    offers = [offer(widget) for widget in widget_offers.offered(services, who)]
    found = Widgets(view.slug, view.widgets, offers)
    return await render(
        request,
        "homepage/pages/widgets.html#widgets",
        found=found,
        _view=view,
        _kinds=BY_NAME,
        _title="Widgets",
    )


async def add(request: Request) -> Response:
    """Add a widget to one of my pages."""
    form = await forms.read(request, NewWidget)
    kind = widget_offers.named(session.services_of(request), session.reader(request), form.type)
    widget_edits.sparing(kind, form.settings)
    who = await editor(request)
    added = await page_widgets.add(
        session.services_of(request), who, form.page, form.type, form.settings
    )
    return await shown(request, added)


async def copy(request: Request) -> Response:
    """Put a copy of a widget below it."""
    slug, key = named(request)
    who = await editor(request)
    return await shown(
        request, await page_widgets.copy(session.services_of(request), who, slug, key)
    )


async def shown(request: Request, added: Added) -> Response:
    """The new widget with its page; people see the page, at the widget."""
    if wants(request) == "json":
        return as_json(request, {"widget": added.widget, "page": added.page}, 201)
    return await arranged(request, added.page, f"at-{added.widget.key}")


def named(request: Request) -> tuple[str, str]:
    """The page's slug and the widget's key."""
    return request.path_params["slug"], request.path_params["key"]


async def place(request: Request) -> Response:
    """Put a widget to a place, one step on, or to a size."""
    slug, key = named(request)
    wish = await forms.read(request, Place)
    who = await editor(request)
    view = await page_widgets.place(session.services_of(request), who, slug, key, wish)
    anchor = f"phone-{key}" if wish.screen == "phone" else f"at-{key}"
    return await arranged(request, view, anchor, done="widget_moved")


async def remove(request: Request) -> Response:
    """Take a widget off the page."""
    slug, key = named(request)
    who = await editor(request)
    view = await page_widgets.remove(session.services_of(request), who, slug, key)
    return await arranged(request, view, done="widget_removed")


class Shown(NamedTuple):
    """A widget of the reader's page with its type."""

    widget: Widget
    kind: WidgetType


async def mine(request: Request) -> Shown:
    """The widget that the address names. Raises NotFound."""
    slug, key = named(request)
    view = await pages.shown(session.services_of(request), session.reader(request), slug)
    for widget in view.widgets:
        if widget.key == key:
            return Shown(widget, BY_NAME[widget.type])
    raise NotFound("This widget is not on your page any more.")


async def settings(request: Request) -> Response:
    """The form with a widget's settings."""
    found = await mine(request)
    return await render(request, FORM, widget=found.widget, **await form_view(request, found))


FORM = "homepage/pages/settings.html#settings"


async def form_view(request: Request, found: Shown) -> dict[str, Any]:
    """What the form of one widget needs beside the widget."""
    slug, _ = named(request)
    choices = await widget_choices.of(
        session.services_of(request), session.reader(request), found.kind
    )
    return {
        "_at": f"/pages/{slug}",
        "_lock": None,
        "_kind": found.kind,
        "_fields": widget_fields.of(found.kind, found.widget.settings, choices),
        **way_back(request, slug, found.widget.key),
        "_title": f"{found.widget.title or found.kind.label}: settings",
    }


def way_back(request: Request, slug: str, key: str) -> dict[str, str]:
    """Where the form leads when it is left: to the page where it was opened there, else into the editor."""
    if request.query_params.get("then") == "page":
        return {"_then": "?then=page", "_back": f"{page_address(slug)}#widget-{key}"}
    return {"_then": "", "_back": f"{edit_address(slug)}#at-{key}"}


async def patch(request: Request) -> Response:
    """Set a widget's title, its settings, and what the phone shows of it."""
    found = await mine(request)
    given = await forms.body(request)
    try:
        asked = forms.convert(widget_fields.gathered(given, found.kind), Patch)
        if asked.settings is not msgspec.UNSET:
            widget_edits.sparing(found.kind, asked.settings)
    except Invalid as problem:
        problem.errors = widget_fields.named_as_in_form(problem.errors, found.kind)
        problem.given = given
        view = await form_view(request, found)
        return await invalid(request, problem, FORM, widget=found.widget, **view)
    slug, key = named(request)
    who = await editor(request)
    page = await page_widgets.patch(session.services_of(request), who, slug, key, asked)
    is_phone = asked.phone_hidden is not msgspec.UNSET and "whole" not in given
    done = phone_word(asked.phone_hidden) if is_phone else "saved"
    return await arranged(request, page, f"phone-{key}" if is_phone else f"at-{key}", done=done)


def phone_word(hidden: bool | msgspec.UnsetType) -> str:
    """What the notice says after a widget was hidden on the phone, or shown there again."""
    return "widget_hidden" if hidden is True else "widget_shown"
