"""Templates of the front page, for the operator: for whom they are, what they would touch, preview and publication."""

from typing import Annotated, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import (
    layout_templates,
    pages,
    template_drafts,
    template_impact,
    template_merging,
    template_publications,
    widget_offers,
)
from app.domain.homepage.layout_templates import NewTemplate, TemplateChange, TemplateList
from app.domain.homepage.page_rows import Base
from app.domain.homepage.pages import PageView, Widget
from app.domain.platform.flags import listing
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services
from app.web import forms, session
from app.web.homepage import widgets
from app.web.pages import page_frame
from app.web.render import invalid, render, saved

LIST = "homepage/templates/list.html#templates"
ONE = "homepage/templates/template.html#template"
AUDIENCES = [("all", "Everybody"), ("members", "Members"), ("visitors", "Visitors")]


class Publication(msgspec.Struct):
    """Why a draft is published."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Eyes(msgspec.Struct, rename={"as_": "as"}):
    """With whose eyes a preview is seen."""

    as_: Literal["visitor", "member"] = "visitor"


async def show_all(request: Request) -> Response:
    """All templates, and a form for another."""
    return await render(request, LIST, **await every(request))


async def every(request: Request) -> dict[str, Any]:
    """The view of all templates."""
    services = session.services_of(request)
    return {
        "templates": await layout_templates.listed(services),
        "_audiences": AUDIENCES,
        "_flags": await flag_choices(request),
        "_title": "Page templates",
    }


async def flag_choices(request: Request) -> list[tuple[str, str]]:
    """The flags that a template can go by."""
    found = await listing.every(session.services_of(request), session.admin(request))
    return [("", "No flag"), *((flag.key, flag.key) for flag in found.items)]


async def add(request: Request) -> Response:
    """Add a template; it begins as a draft of the built-in page."""
    who, services = session.admin(request), session.services_of(request)
    try:
        form = await forms.read(request, NewTemplate)
        template = await layout_templates.add(services, who, form)
    except Invalid as problem:
        return await invalid(request, problem, LIST, **await every(request))
    return await saved(request, address(template.slug), status=201, template=template)


def address(slug: str) -> str:
    """Where a template is looked at."""
    return f"/admin/templates/{slug}"


async def show(request: Request) -> Response:
    """One template: for whom it is, what publishing it would touch."""
    return await render(request, ONE, **await one(request))


async def one(request: Request, sent: str = "") -> dict[str, Any]:
    """The view of one template; `sent` is the form whose errors it shows."""
    services, slug = session.services_of(request), request.path_params["slug"]
    template = await layout_templates.by_slug(services, slug)
    return {
        "template": template,
        "_impact": await template_impact.of(services, slug),
        "_audiences": AUDIENCES,
        "_flags": await flag_choices(request),
        "_sent": sent,
        "_title": template.name,
    }


async def change(request: Request) -> Response:
    """Say anew for whom a template is and what goes first."""
    who, services = session.admin(request), session.services_of(request)
    slug = request.path_params["slug"]
    try:
        form = await forms.read(request, TemplateChange)
        await layout_templates.change(services, who, slug, form)
    except Invalid as problem:
        return await invalid(request, problem, ONE, **await one(request, "change"))
    return await saved(request, address(slug), ONE, said="saved", **await one(request))


async def remove(request: Request) -> Response:
    """Take a template out of use; a draft is gone."""
    who, services = session.admin(request), session.services_of(request)
    slug = request.path_params["slug"]
    found = await layout_templates.remove(services, who, slug)
    where = address(slug) if found else "/admin/templates"
    listed: TemplateList = await layout_templates.listed(services)
    return await saved(request, where, said="template_removed", templates=listed)


async def publish(request: Request) -> Response:
    """Make what is drawn up the next version."""
    who, services = session.admin(request), session.services_of(request)
    slug = request.path_params["slug"]
    try:
        form = await forms.read(request, Publication)
        template = await template_publications.publish(services, who, slug, form.reason)
    except Invalid as problem:
        return await invalid(request, problem, ONE, **await one(request, "publication"))
    return await saved(
        request, address(slug), said="template_published", status=201, template=template
    )


async def impact(request: Request) -> Response:
    """Whom a publication would touch."""
    slug = request.path_params["slug"]
    services = session.services_of(request)
    template = await layout_templates.by_slug(services, slug)
    return await render(
        request,
        "homepage/templates/impact.html#impact",
        impact=await template_impact.of(services, slug),
        _template=template,
        _title=f"{template.name}: impact",
    )


async def preview(request: Request) -> Response:
    """The draft as a visitor or a member would get it."""
    asked = forms.query(request, Eyes)
    services, slug = session.services_of(request), request.path_params["slug"]
    who = session.admin(request) if asked.as_ == "member" else None
    view = await seen_by(services, who, slug)
    return await render(
        request,
        "homepage/templates/preview.html#preview",
        view=view,
        _cards=await cards(request, who, view.widgets),
        _eyes=asked.as_,
        _title=f"{view.name}: preview",
    )


async def seen_by(services: Services, who: Reader | None, slug: str) -> PageView:
    """The draft as this reader would see it, without changes of their own."""
    view = await template_drafts.shown(services, slug)
    items = await template_drafts.items(services, slug)
    hidden = widget_offers.hidden(services, who)
    drawn = pages.drawn(template_merging.merged(Base(items=tuple(items)), (), hidden))
    return msgspec.structs.replace(view, widgets=drawn)


async def cards(request: Request, who: Reader | None, shown: list[Widget]) -> list[str]:
    """The cards of some widgets as this reader would see them; nothing of it is kept."""
    frame = page_frame(request, {"_title": None})
    views = await widgets.views_of(session.services_of(request), who, shown)
    return [
        widgets.drawn(widget, view, frame, "preview")
        for widget, view in zip(shown, views, strict=True)
    ]
