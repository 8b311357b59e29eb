"""Feature flags: the list, one flag with its form, versions, preview, and why it is on for somebody."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform.flags import audiences, changes, history, listing, wishes
from app.errors import Invalid
from app.web import forms, session
from app.web.render import invalid, render, saved

LIST = "platform/flags/list.html#flags"
FLAG = "platform/flags/flag.html#flag"
COHORTS = "platform/flags/cohorts.html#cohorts"
HISTORY = "platform/flags/history.html#history"

Words = list[str | int] | str | None
Text = Annotated[str, msgspec.Meta(max_length=500)]


NEVER_NOTHING = ("kind", "enabled", "rollout_percentage", "analytics_enabled")


class Change(msgspec.Struct):
    """What to change of a flag; what is left out stays. `plan_uris` are the addresses of a plan, for forms."""

    description: Text | None = None
    kind: str | None = None
    enabled: bool | None = None
    rollout_percentage: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    whitelist: Words = None
    analytics_enabled: bool | None = None
    owner_id: int | None = None
    review_on: str | None = None
    needs_metrics: Words = None
    plan: dict[str, Any] | str | None = None
    plan_uris: Words = None
    reason: Text = ""
    # The version that was looked at; the change is refused when another one stands.
    version: int | None = None
    # Above 5 % though a metric is not seen; for a super_admin.
    override: bool = False


class NewFlag(Change, kw_only=True):
    """A flag to add."""

    key: str


class Restoration(msgspec.Struct):
    """The version to bring back."""

    version: int
    reason: Text = ""
    override: bool = False


class Page(msgspec.Struct):
    """Where a list goes on."""

    cursor: int | None = None


class About(msgspec.Struct):
    """Whom an answer is about: a member's number or the 16 hex digits of a visitor."""

    subject: str = ""


async def show(request: Request) -> Response:
    """All flags."""
    return await render(request, LIST, **await every(request))


async def every(request: Request) -> dict[str, Any]:
    """The view of all flags."""
    services, who = session.services_of(request), session.admin(request)
    now = datetime.now(UTC)
    return {
        "flags": await listing.every(services, who),
        "_title": "Feature flags",
        "_unexplained": await history.unexplained(services, now - timedelta(days=1), now),
        "_kinds": kinds(),
        **rights(request),
    }


def kinds() -> list[tuple[str, str]]:
    """The kinds of flags, for a form."""
    return [(name, name.replace("_", " ").capitalize()) for name in wishes.KINDS]


def rights(request: Request) -> dict[str, bool]:
    """What this admin may do to flags."""
    who = session.reader(request)
    return {
        "_may_change": session.may(who, "manage_flags"),
        "_may_stop": session.may(who, ("manage_flags", "stop_flags")),
        "_may_override": who is not None and who.role == "super_admin",
    }


async def show_one(request: Request) -> Response:
    """One flag. Raises NotFound."""
    return await render(request, FLAG, **await one(request))


async def one(request: Request, key: str = "") -> dict[str, Any]:
    """The view of one flag."""
    key = key or request.path_params["key"]
    flag = await listing.by_key(session.services_of(request), session.admin(request), key)
    return {"flag": flag, "_title": flag.key, "_kinds": kinds(), **rights(request)}


async def add(request: Request) -> Response:
    """Add a flag. Raises Invalid, Conflict."""
    who, services = session.admin(request), session.services_of(request)
    try:
        form = await forms.read(request, NewFlag)
        by = changes.author(who, form.reason, override=form.override)
        await changes.create(services, by, form.key, fields_of(request, form))
    except Invalid as problem:
        return await invalid(request, problem, LIST, **await every(request))
    where = f"/admin/feature-flags/{form.key}"
    return await saved(request, where, status=201, said="saved", **await one(request, form.key))


async def change(request: Request) -> Response:
    """Change a flag; whoever may only stop flags switches it off. Raises NotFound, Invalid, Forbidden, Conflict."""
    who, services = session.admin(request), session.services_of(request)
    key = request.path_params["key"]
    try:
        form = await forms.read(request, Change)
        by = changes.author(who, form.reason, override=form.override)
        fields = fields_of(request, form)
        await changes.change(services, by, key, fields, seen_version=form.version)
    except Invalid as problem:
        return await invalid(request, problem, FLAG, **await one(request))
    where = f"/admin/feature-flags/{key}"
    return await saved(request, where, FLAG, said="saved", **await one(request))


def fields_of(request: Request, form: Change) -> dict[str, Any]:
    """The fields that were sent; a form says a plan in two of them."""
    given = request.state.given
    fields = {name: getattr(form, name) for name in wishes.CHECKS if name in given}
    if form.plan == "on":
        fields["plan"] = {"uris": wishes.lines(form.plan_uris)}
    # Nothing means none of it, but for a switch, a percentage and a kind: there it means as it is.
    return {
        name: value
        for name, value in fields.items()
        if value is not None or name not in NEVER_NOTHING
    }


async def show_history(request: Request) -> Response:
    """The versions of a flag as differences. Raises NotFound."""
    page = forms.query(request, Page)
    key = request.path_params["key"]
    services, who = session.services_of(request), session.admin(request)
    found = await history.of_flag(services, who, key, cursor=page.cursor)
    return await render(
        request,
        HISTORY,
        versions=found,
        _key=key,
        _is_first=page.cursor is None,
        _title=f"Versions of {key}",
        **rights(request),
    )


async def restore(request: Request) -> Response:
    """Bring an old version back as a new one. Raises NotFound, Invalid, Conflict."""
    who, services = session.admin(request), session.services_of(request)
    key = request.path_params["key"]
    form = await forms.read(request, Restoration)
    by = changes.author(who, form.reason, override=form.override)
    await changes.restore(services, by, key, form.version)
    where = f"/admin/feature-flags/{key}"
    return await saved(request, where, said="flag_restored", **await one(request))


PREVIEWED: tuple[str, ...] = ("enabled", "rollout_percentage", "whitelist")


async def preview(request: Request) -> Response:
    """What a change would do to the members. Raises NotFound, Invalid."""
    form = forms.query(request, Change)
    request.state.given = dict(request.query_params)
    wished = fields_of(request, form)
    fields = {name: wished[name] for name in PREVIEWED if name in wished}
    key = request.path_params["key"]
    found = await audiences.preview(session.services_of(request), key, fields)
    return await render(
        request,
        "platform/flags/preview.html#preview",
        preview=found,
        _key=key,
        _title=f"Preview of {key}",
    )


async def explain(request: Request) -> Response:
    """Why a flag is on or off for somebody. Raises NotFound, Invalid."""
    asked = forms.query(request, About)
    key = request.path_params["key"]
    found = await audiences.evaluation(session.services_of(request), key, asked.subject)
    return await render(
        request,
        "platform/flags/evaluation.html#evaluation",
        evaluation=found,
        _key=key,
        _title=f"Why {key}",
    )


async def cohorts(request: Request) -> Response:
    """Every flag's exposures of today, and the answer for a subject. Raises Invalid."""
    asked = forms.query(request, About)
    try:
        found = await audiences.cohorts(session.services_of(request), asked.subject or None)
    except Invalid as problem:
        found = await audiences.cohorts(session.services_of(request))
        return await invalid(
            request, problem, COHORTS, cohorts=found, _subject=asked.subject, _title="Cohorts"
        )
    return await render(
        request, COHORTS, cohorts=found, _subject=asked.subject, _title="Cohorts of flags"
    )
