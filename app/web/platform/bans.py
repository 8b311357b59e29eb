"""The bans' panel: who is refused, until when and why; and the list of networks for a firewall."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.domain.platform import bans
from app.errors import Invalid
from app.web import forms, session
from app.web.render import finish, invalid, render, saved

PAGE = "platform/bans/page.html#bans"


class NewBan(msgspec.Struct):
    """Whom to ban, why, and for how long: a number of hours, or until a time (UTC)."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    network: Annotated[str, msgspec.Meta(max_length=50)] | None = None
    user_id: int | None = None
    hours: Annotated[int, msgspec.Meta(ge=1, le=87_600)] | None = None
    ends_at: Annotated[str, msgspec.Meta(max_length=40)] | None = None


class Asked(msgspec.Struct):
    """Which bans to show."""

    past: bool = False
    cursor: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class WithReason(msgspec.Struct):
    """Why a ban is lifted."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


async def show(request: Request) -> Response:
    """The bans that hold, newest first; `?past=on` those that are over too."""
    return await render(request, PAGE, **await found(request))


async def found(request: Request) -> dict[str, Any]:
    """The view of the bans."""
    asked = forms.query(request, Asked) if request.method == "GET" else Asked()
    who = session.admin(request)
    listed = await bans.newest(
        session.services_of(request), who, past=asked.past, cursor=asked.cursor, limit=asked.limit
    )
    query = "past=on&" if asked.past else ""
    return {
        "bans": listed,
        "_title": "Bans",
        "_asked": asked,
        "_next": f"/admin/bans?{query}cursor={listed.next}" if listed.next else None,
        "_may_manage": session.may(who, "manage_limits"),
    }


async def add(request: Request) -> Response:
    """Ban a network or a member. Raises NotFound, Conflict."""
    who = session.admin(request)
    try:
        form = await forms.read(request, NewBan)
        ban = await bans.add(
            session.services_of(request),
            who,
            network=form.network,
            user_id=form.user_id,
            reason=form.reason,
            ends_at=end_of(form),
        )
    except Invalid as problem:
        return await invalid(request, problem, PAGE, **await found(request))
    if request.scope.get("twin"):
        return await render(request, PAGE, status=201, ban=ban)
    return await saved(
        request, "/admin/bans", PAGE, status=201, said="ban_added", **await found(request)
    )


def end_of(form: NewBan) -> datetime:
    """When a ban ends. Raises Invalid."""
    if form.ends_at is None:
        if form.hours is None:
            sentence = "Please say for how long."
            raise Invalid(sentence, errors={"hours": sentence})
        return datetime.now(UTC) + timedelta(hours=form.hours)
    try:
        end = datetime.fromisoformat(form.ends_at)
        return (end if end.tzinfo else end.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        sentence = "Please write a time, as 2026-01-24T12:00."
        raise Invalid(sentence, errors={"ends_at": sentence}) from None


async def lift(request: Request) -> Response:
    """End a ban before its time. Raises NotFound."""
    who = session.admin(request)
    form = await forms.read(request, WithReason)
    ban = await bans.lift(session.services_of(request), who, request.path_params["id"], form.reason)
    if request.scope.get("twin"):
        return await render(request, PAGE, ban=ban)
    return await saved(request, "/admin/bans", PAGE, said="ban_lifted", **await found(request))


async def as_text(request: Request) -> Response:
    """Every banned network, one CIDR a line."""
    networks = await bans.live_networks(session.services_of(request))
    return finish(request, PlainTextResponse("".join(f"{network}\n" for network in networks)))
