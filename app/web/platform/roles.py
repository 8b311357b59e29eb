"""Roles and grants: who may do what as an admin."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import grants, permissions, roles
from app.domain.platform.jobs.console import moment
from app.domain.platform.readers import Reader
from app.domain.platform.roles import Holder
from app.errors import Invalid
from app.web import forms, session
from app.web.platform.users import WithReason
from app.web.render import invalid, render, saved

ONE = "platform/roles/page.html#rights"


async def show(request: Request) -> Response:
    """Everybody with a role, and what each role may do."""
    return await render(
        request,
        "platform/roles/list.html#holders",
        holders=await roles.holders(session.services_of(request)),
        _title="Roles",
        _matrix=permissions.MATRIX,
    )


async def show_one(request: Request) -> Response:
    """What one person may do. Raises NotFound."""
    services = session.services_of(request)
    holder = await roles.holder(services, request.path_params["id"])
    return await render(request, ONE, **view(request, holder))


def view(request: Request, holder: Holder) -> dict[str, Any]:
    """The view of one person's rights."""
    more = permissions.GRANTABLE - permissions.of(holder.role)
    return {
        "holder": holder,
        "_title": f"Rights of {holder.name or holder.email}",
        "_may_act": holder.id != session.admin(request).id,
        "_more": sorted(more) if holder.role else [],
    }


async def give(request: Request) -> Response:
    """Give a person a role. Raises SignInNeeded, Forbidden, NotFound, Conflict."""
    who = fresh(request)
    try:
        form = await forms.read(request, roles.RoleChange)
    except Invalid as problem:
        return await again(request, problem)
    return await changed(request, who, form.role, form.reason)


async def take(request: Request) -> Response:
    """Take a person's role, and every grant with it. Raises SignInNeeded, Forbidden, NotFound, Conflict."""
    who = fresh(request)
    form = await forms.read(request, WithReason)
    return await changed(request, who, None, form.reason)


def fresh(request: Request) -> Reader:
    """The admin, signed in not long ago. Raises SignInNeeded."""
    session.admin(request)
    return session.fresh(request)


async def changed(request: Request, who: Reader, role: str | None, reason: str) -> Response:
    """Change one role, and show it."""
    services = session.services_of(request)
    holder = await roles.change(services, who, request.path_params["id"], role, reason)
    return await done(request, holder)


async def done(request: Request, holder: Holder) -> Response:
    """The rights as they now stand."""
    where = f"/admin/users/roles/{holder.id}"
    return await saved(request, where, ONE, said="role_changed", **view(request, holder))


async def again(request: Request, problem: Invalid) -> Response:
    """The rights with what was wrong with a form. Raises NotFound."""
    holder = await roles.holder(session.services_of(request), request.path_params["id"])
    return await invalid(request, problem, ONE, **view(request, holder))


async def grant(request: Request) -> Response:
    """Give an admin one permission more. Raises SignInNeeded, Forbidden, NotFound, Conflict."""
    who, services = fresh(request), session.services_of(request)
    user_id = request.path_params["id"]
    try:
        form = await forms.read(request, grants.NewGrant)
        until = moment("expires_at", form.expires_at)
        holder = await grants.add(services, who, user_id, form.permission, form.reason, until)
    except Invalid as problem:
        return await again(request, problem)
    return await done(request, holder)


async def end_grant(request: Request) -> Response:
    """Take one granted permission away. Raises SignInNeeded, Forbidden, NotFound."""
    who, services = fresh(request), session.services_of(request)
    form = await forms.read(request, grants.EndedGrant)
    user_id = request.path_params["id"]
    return await done(
        request, await grants.end(services, who, user_id, form.permission, form.reason)
    )
