"""Users, as admins see and help them."""

import secrets
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import users
from app.domain.platform.jobs.console import moment
from app.domain.platform.roles import Reason
from app.errors import Invalid
from app.web import forms, session
from app.web.render import invalid, render, saved

PERSON = "platform/users/page.html#person"


class WithReason(msgspec.Struct):
    """Why something is done."""

    reason: Reason


class Lift(msgspec.Struct):
    """Why a ban is lifted."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


async def show(request: Request) -> Response:
    """People by id, address or name, newest first."""
    asked = forms.query(request, users.Search)
    found = await users.search(session.services_of(request), asked)
    kept = {"q": asked.q or ""}
    return await render(
        request,
        "platform/users/list.html#rows",
        users=found,
        _title="Members",
        _asked=asked,
        _first=f"/admin/users?{urlencode(kept)}" if asked.cursor else None,
        _next=f"/admin/users?{urlencode({**kept, 'cursor': found.next})}" if found.next else None,
    )


async def show_one(request: Request) -> Response:
    """One person; that their page was opened is written down. Raises NotFound."""
    who, services = session.admin(request), session.services_of(request)
    user = await users.opened(services, who, request.path_params["id"])
    return await render(request, PERSON, **view(request, user))


def view(request: Request, user: users.User) -> dict[str, Any]:
    """The view of one person, with what this admin may do to them."""
    who = session.admin(request)
    others = user.id != who.id and (user.role is None or session.may(who, "manage_roles"))
    is_plain = user.kind == "member" and not (user.role or user.banned_until or user.closed_at)
    return {
        "user": user,
        "_title": user.name or user.email or f"Number {user.id}",
        "_may_act": others and session.may(who, "manage_users"),
        "_may_see_as": is_plain and user.id != who.id and session.may(who, "impersonate"),
        "_may_write_as": session.may(who, "impersonate_writing"),
        "_may_give": session.may(who, "manage_roles"),
    }


async def done(request: Request, user: users.User, said: str) -> Response:
    """The person as they now stand."""
    return await saved(request, f"/admin/users/{user.id}", PERSON, said=said, **view(request, user))


async def ban(request: Request) -> Response:
    """Ban a person until a time. Raises NotFound, Forbidden, Conflict."""
    who, services = session.admin(request), session.services_of(request)
    user_id = request.path_params["id"]
    try:
        form = await forms.read(request, users.UserBan)
        until = moment("until", form.until)
        user = await users.ban(services, who, user_id, until, form.reason)
    except Invalid as problem:
        return await again(request, problem)
    return await done(request, user, "user_banned")


async def again(request: Request, problem: Invalid) -> Response:
    """The person's page with what was wrong with a form on it. Raises NotFound."""
    user = await users.one(session.services_of(request), request.path_params["id"])
    return await invalid(request, problem, PERSON, **view(request, user))


async def unban(request: Request) -> Response:
    """Lift a ban. Raises NotFound, Forbidden."""
    who, form = session.admin(request), await forms.read(request, Lift)
    services = session.services_of(request)
    user = await users.unban(services, who, request.path_params["id"], form.reason)
    return await done(request, user, "user_unbanned")


async def sign_out(request: Request) -> Response:
    """End every session of a person. Raises NotFound, Forbidden."""
    who, form = session.admin(request), await forms.read(request, WithReason)
    services = session.services_of(request)
    user = await users.sign_out(services, who, request.path_params["id"], form.reason)
    return await done(request, user, "user_signed_out")


async def send_letter(request: Request) -> Response:
    """Send a person a fresh letter to sign in with. Raises NotFound, Forbidden, Conflict, TooMany."""
    who, form = session.admin(request), await forms.read(request, WithReason)
    user = await users.send_letter(
        session.services_of(request),
        who,
        request.path_params["id"],
        secrets.token_urlsafe(24),
        form.reason,
    )
    return await done(request, user, "letter_sent")
