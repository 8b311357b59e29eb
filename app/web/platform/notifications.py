"""Notices: the bell, what I want to hear of and how, and leaving a sort of letter with one click."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import notification_choices, notifications, unsubscriptions
from app.domain.platform.notification_types import label_of
from app.errors import NotFound
from app.web import forms, session
from app.web.render import render, saved

LIST = "platform/notifications/page.html#list"
COUNT = "platform/notifications/page.html#count"
CHOICES = "platform/notifications/choices.html#choices"
LEAVING = "platform/notifications/unsubscribe.html#unsubscribe"


class Asked(msgspec.Struct):
    """Which notices are asked for."""

    cursor: int | None = None
    limit: int = 20


class Reads(msgspec.Struct):
    """Which notices were read: some by id, or all up to one; without either all."""

    ids: list[int] | None = None
    until: int | None = None


class Wanted(msgspec.Struct):
    """The types wanted in the bell and by mail; what is not named is not wanted."""

    bell: list[str] = []
    mail: list[str] = []


class Leaving(msgspec.Struct):
    """A sort of letter that somebody leaves: `done` says that none comes any more."""

    type: str
    label: str
    done: bool


async def show(request: Request) -> Response:
    """My notices, newest first; the bell alone when HTMX asks for it."""
    who = session.member(request)
    services = session.services_of(request)
    # HTMX names an element by its tag and id, as a#bell.
    if request.headers.get("hx-target", "").rpartition("#")[2] == "bell":
        return await render(request, COUNT, unread=await notifications.unread(services, who))
    asked = forms.query(request, Asked)
    limit = max(1, min(asked.limit, 100))
    found = await notifications.latest(services, who, limit, asked.cursor)
    return await render(request, LIST, list=found, _title="Notices", _after_change=False)


async def mark_read(request: Request) -> Response:
    """Mark notices as read; answers the list as it then stands."""
    who = session.member(request)
    services = session.services_of(request)
    form = await forms.read(request, Reads)
    await notifications.read(services, who, form.ids, form.until)
    found = await notifications.latest(services, who)
    return await saved(
        request,
        "/notifications",
        LIST,
        said="all_read",
        list=found,
        _title="Notices",
        _after_change=True,
    )


async def show_choices(request: Request) -> Response:
    """What I want to hear of and how."""
    who = session.member(request)
    found = await notification_choices.mine(session.services_of(request), who)
    return await render(request, CHOICES, choices=found, _title="Notices")


async def put_choices(request: Request) -> Response:
    """Want exactly these."""
    who = session.member(request)
    form = await forms.read(request, Wanted)
    found = await notification_choices.put(session.services_of(request), who, form.bell, form.mail)
    return await saved(
        request,
        "/settings/notifications",
        CHOICES,
        said="saved",
        choices=found,
        _title="Notices",
    )


async def show_unsubscribe(request: Request) -> Response:
    """What a letter's link would end; opening it ends nothing, since scanners open links too. Raises NotFound, Gone."""
    token = request.query_params.get("token", "")
    if not token:
        raise NotFound("There is nothing at this address.")
    wish = unsubscriptions.wish(session.services_of(request).settings, token)
    return await leaving(request, wish.type, token, done=False)


async def unsubscribe(request: Request) -> Response:
    """End one sort of letter, without a session and without a redirect (RFC 8058 §3.1). Raises NotFound, Gone."""
    token = request.query_params.get("token", "")
    wish = await unsubscriptions.accept(session.services_of(request), token)
    return await leaving(request, wish.type, token, done=True)


async def leaving(request: Request, type: str, token: str, *, done: bool) -> Response:
    """The page of one sort of letter that somebody leaves, or has left."""
    view = Leaving(type, label_of(type), done)
    response = await render(
        request, LEAVING, leaving=view, _token=token, _title="Leave these letters"
    )
    response.headers["Cache-Control"] = "no-store"
    return response
