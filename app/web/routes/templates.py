"""Templates of the front page: what the operator designs, and for whom."""

from app.domain.homepage.layout_templates import (
    NewTemplate,
    Template,
    TemplateChange,
    TemplateList,
)
from app.domain.homepage.page_widgets import Added
from app.domain.homepage.pages import PageView, Widget
from app.domain.homepage.template_drafts import LockPatch
from app.domain.homepage.template_impact import Impact
from app.domain.homepage.widget_edits import Place
from app.web.homepage import template_drafts, templates
from app.web.routing import DELETE, GET, PATCH, POST, PUT, Endpoint

TEMPLATES: list[Endpoint] = [
    GET("/admin/templates", templates.show_all, TemplateList, needs="manage_settings"),
    POST("/admin/templates", templates.add, NewTemplate, Template, needs="manage_settings"),
    GET("/admin/templates/{slug}", templates.show, Template, needs="manage_settings"),
    PATCH(
        "/admin/templates/{slug}",
        templates.change,
        TemplateChange,
        Template,
        needs="manage_settings",
    ),
    DELETE("/admin/templates/{slug}", templates.remove, TemplateList, needs="manage_settings"),
    POST(
        "/admin/templates/{slug}/publications",
        templates.publish,
        templates.Publication,
        Template,
        needs="manage_settings",
    ),
    GET("/admin/templates/{slug}/impact", templates.impact, Impact, needs="manage_settings"),
    GET("/admin/templates/{slug}/preview", templates.preview, PageView, needs="manage_settings"),
    GET("/admin/templates/{slug}/layout", template_drafts.show, PageView, needs="manage_settings"),
    DELETE(
        "/admin/templates/{slug}/layout", template_drafts.discard, PageView, needs="manage_settings"
    ),
    POST(
        "/admin/templates/{slug}/widgets",
        template_drafts.add,
        template_drafts.NewWidget,
        Added,
        needs="manage_settings",
    ),
    GET(
        "/admin/templates/{slug}/widgets/{key}",
        template_drafts.settings,
        Widget,
        needs="manage_settings",
    ),
    PATCH(
        "/admin/templates/{slug}/widgets/{key}",
        template_drafts.patch,
        LockPatch,
        PageView,
        needs="manage_settings",
    ),
    DELETE(
        "/admin/templates/{slug}/widgets/{key}",
        template_drafts.remove,
        PageView,
        needs="manage_settings",
    ),
    PUT(
        "/admin/templates/{slug}/widgets/{key}/place",
        template_drafts.place,
        Place,
        PageView,
        needs="manage_settings",
    ),
    POST(
        "/admin/templates/{slug}/widgets/{key}/copies",
        template_drafts.copy,
        shows=Added,
        needs="manage_settings",
    ),
]
