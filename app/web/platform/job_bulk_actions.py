"""One action on many jobs: shown first, then confirmed, undone, stopped, brought back."""

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform.jobs import bulk_actions
from app.domain.platform.jobs.bulk_actions import BulkAction, Confirmation, NewBulkAction
from app.domain.platform.jobs.console import Filter
from app.errors import Invalid
from app.web import forms, session
from app.web.render import invalid, render, saved

LIST = "platform/jobs/bulk_actions.html#rows"
ONE = "platform/jobs/bulk_action.html#action"
IN_FORM = "filter."


class BulkPage(msgspec.Struct):
    """Which actions are asked for: those before `cursor`."""

    cursor: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


async def show(request: Request) -> Response:
    """Actions on many jobs, the latest first."""
    asked = forms.query(request, BulkPage)
    services = session.services_of(request)
    found = await bulk_actions.listed(services, asked.cursor, asked.limit)
    following = f"/admin/jobs/bulk-actions?cursor={found.next}" if found.next else None
    return await render(request, LIST, actions=found, _title="Many at once", _next=following)


async def show_one(request: Request) -> Response:
    """One action: what it is about, and how far it is. Raises NotFound."""
    services = session.services_of(request)
    found = await bulk_actions.one(services, request.path_params["id"])
    return await render(request, ONE, **view(request, found))


def view(request: Request, found: BulkAction) -> dict[str, Any]:
    """What the page of one action shows."""
    may_act = session.may(session.reader(request), "manage_system")
    return {"action": found, "_title": f"{found.action.capitalize()} many", "_may_act": may_act}


async def add(request: Request) -> Response:
    """Show what an action would change. Raises Invalid."""
    who = session.admin(request)
    given = await forms.body(request)
    wish = forms.convert({"action": given.get("action"), "filter": filter_of(given)}, NewBulkAction)
    found = await bulk_actions.add(session.services_of(request), who, wish)
    where = f"/admin/jobs/bulk-actions/{found.id}"
    return await saved(request, where, status=201, **view(request, found))


def filter_of(given: dict[str, Any]) -> Filter:
    """The filter of a body: JSON has it as an object, a plain form beside it as filter.queue and so on. Raises Invalid."""
    fields = given.get("filter")
    if not isinstance(fields, dict):
        fields = {
            name.removeprefix(IN_FORM): value
            for name, value in given.items()
            if name.startswith(IN_FORM) and value != ""
        }
    return forms.convert(fields, Filter)


async def confirm(request: Request) -> Response:
    """Let an action run in 30 seconds. Raises Invalid, NotFound, Conflict."""
    who, services = session.admin(request), session.services_of(request)
    action_id = request.path_params["id"]
    try:
        form = await forms.read(request, Confirmation)
    except Invalid as problem:
        found = await bulk_actions.one(services, action_id)
        return await invalid(request, problem, ONE, **view(request, found))
    found = await bulk_actions.confirm(services, who, action_id, form.reason)
    return await after(request, found, status=202)


async def stop(request: Request) -> Response:
    """Undo an action that has not begun, or stop one that runs. Raises NotFound, Conflict."""
    who, services = session.admin(request), session.services_of(request)
    return await after(request, await bulk_actions.stop(services, who, request.path_params["id"]))


async def bring_back(request: Request) -> Response:
    """Put back what an action deleted in the last 24 hours. Raises Invalid, NotFound, Conflict."""
    who, services = session.admin(request), session.services_of(request)
    form = await forms.read(request, Confirmation)
    action_id = request.path_params["id"]
    found = await bulk_actions.bring_back(services, who, action_id, form.reason)
    return await after(request, found, status=202)


async def after(request: Request, found: BulkAction, status: int = 200) -> Response:
    """The action as it then stands."""
    where = f"/admin/jobs/bulk-actions/{found.id}"
    return await saved(request, where, ONE, status=status, **view(request, found))
