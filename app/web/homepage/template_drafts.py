"""Designing a template: its draft in the editor of pages, where every widget is the operator's to move and to lock."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import template_drafts, template_locks, widget_choices, widget_edits
from app.domain.homepage.page_widgets import Added
from app.domain.homepage.pages import PageView, Widget
from app.domain.homepage.template_drafts import LockPatch
from app.domain.homepage.widget_edits import Place
from app.domain.homepage.widget_types import BY_NAME, TYPES
from app.errors import Invalid
from app.web import forms, session
from app.web.homepage import templates, widget_fields
from app.web.render import as_json, invalid, render, saved, wants

FORM = "homepage/pages/settings.html#settings"


class NewWidget(msgspec.Struct):
    """A widget to add to a draft."""

    type: str
    settings: dict[str, Any] = {}


async def show(request: Request) -> Response:
    """The draft in the editor."""
    services, slug = session.services_of(request), request.path_params["slug"]
    return await editor(request, await template_drafts.shown(services, slug))


async def editor(request: Request, view: PageView) -> Response:
    """A draft as it is arranged."""
    if wants(request) == "json":
        return as_json(request, {"page": view})
    bare = [msgspec.structs.replace(widget, classes="") for widget in view.widgets]
    drawn = await templates.cards(request, None, bare)
    at = templates.address(view.slug)
    return await render(
        request,
        "homepage/templates/design.html#arranged",
        view=view,
        _cards=list(zip(view.widgets, drawn, strict=True)),
        _kinds=BY_NAME,
        _offered=TYPES,
        _locks=template_locks.WHY,
        _at=at,
        _free=True,
        _adding={"action": f"{at}/widgets", "fields": {}},
        _title=f"{view.name}: design",
    )


async def arranged(request: Request, view: PageView, anchor: str = "") -> Response:
    """The draft after a change; a plain form is led back to the widget that it was about."""
    if wants(request) != "page":
        return await editor(request, view)
    return await saved(request, f"{templates.address(view.slug)}/layout{anchor and '#' + anchor}")


async def add(request: Request) -> Response:
    """Add a widget to a draft."""
    form = await forms.read(request, NewWidget)
    who, services = session.admin(request), session.services_of(request)
    slug = request.path_params["slug"]
    made = await template_drafts.add(services, who, slug, form.type, form.settings)
    return await added(request, made)


async def copy(request: Request) -> Response:
    """Put a copy of a widget below it."""
    slug, key = named(request)
    who, services = session.admin(request), session.services_of(request)
    return await added(request, await template_drafts.copy(services, who, slug, key))


async def added(request: Request, made: Added) -> Response:
    """The new widget with its draft; people see the draft, at the widget."""
    if wants(request) == "json":
        return as_json(request, {"widget": made.widget, "page": made.page}, 201)
    return await arranged(request, made.page, f"at-{made.widget.key}")


def named(request: Request) -> tuple[str, str]:
    """The template's slug and the widget's key."""
    return request.path_params["slug"], request.path_params["key"]


async def place(request: Request) -> Response:
    """Put a widget to a place, one step on, or to a size."""
    slug, key = named(request)
    wish = await forms.read(request, Place)
    who, services = session.admin(request), session.services_of(request)
    view = await template_drafts.place(services, who, slug, key, wish)
    return await arranged(request, view, f"phone-{key}" if wish.screen == "phone" else f"at-{key}")


async def remove(request: Request) -> Response:
    """Take a widget out of the draft."""
    slug, key = named(request)
    who, services = session.admin(request), session.services_of(request)
    return await arranged(request, await template_drafts.remove(services, who, slug, key))


async def discard(request: Request) -> Response:
    """Throw the draft away: what is published stays."""
    who, services = session.admin(request), session.services_of(request)
    slug = request.path_params["slug"]
    return await arranged(request, await template_drafts.discard(services, who, slug))


async def settings(request: Request) -> Response:
    """The form with a widget's settings and its lock."""
    widget = await mine(request)
    return await render(request, FORM, widget=widget, **await form_view(request, widget))


async def mine(request: Request) -> Widget:
    """The widget that the address names. Raises NotFound."""
    slug, key = named(request)
    view = await template_drafts.shown(session.services_of(request), slug)
    return template_drafts.widget_of(view, key)


async def form_view(request: Request, widget: Widget) -> dict[str, Any]:
    """What the form of one widget needs beside the widget. The choices are those that everybody has."""
    slug, key = named(request)
    kind, at = BY_NAME[widget.type], templates.address(slug)
    choices = await widget_choices.of(session.services_of(request), None, kind)
    return {
        "_at": at,
        "_then": "",
        "_lock": widget.lock,
        "_kind": kind,
        "_fields": widget_fields.of(kind, widget.settings, choices),
        "_back": f"{at}/layout#at-{key}",
        "_title": f"{widget.title or kind.label}: settings",
    }


async def patch(request: Request) -> Response:
    """Set a widget's title, its settings, and what people may do with it."""
    widget, who = await mine(request), session.admin(request)
    services = session.services_of(request)
    given, kind = await forms.body(request), BY_NAME[widget.type]
    slug, key = named(request)
    try:
        asked = forms.convert(widget_fields.gathered(given, kind), LockPatch)
        if asked.settings is not msgspec.UNSET:
            widget_edits.sparing(kind, asked.settings)
        view = await template_drafts.patch(services, who, slug, key, asked)
    except Invalid as problem:
        problem.errors = widget_fields.named_as_in_form(problem.errors, kind)
        problem.given = given
        return await invalid(
            request, problem, FORM, widget=widget, **await form_view(request, widget)
        )
    return await arranged(request, view, f"at-{key}")
