"""Letters out, for admins: the delivery log, one letter, sending again, templates in sample words, a test letter."""

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import emails, letter_samples, sign_ins
from app.web import forms, session
from app.web.render import render, saved

LIST = "platform/emails/list.html#rows"
LETTER = "platform/emails/letter.html#letter"
TEMPLATES = "platform/emails/templates.html#templates"
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
STATES = ("queued", "sending", "sent", "failed", "bounced", "suppressed")


class WithReason(msgspec.Struct):
    """Why something is done."""

    reason: Reason


class TestLetter(msgspec.Struct):
    """Where a test letter goes; to the admin's own address without it."""

    to: str | None = None


class Accepted(msgspec.Struct):
    """A letter that was written; its job sends it."""

    email_id: int
    to_address: str
    status_url: str


async def show(request: Request) -> Response:
    """Letters by filter, newest first."""
    asked = forms.query(request, emails.Filter)
    found = await emails.latest(session.services_of(request), asked)
    may_test = session.may(session.reader(request), "manage_system")
    return await shown(request, LIST, "Letters", STATES, asked, found, _may_test=may_test)


async def shown(
    request: Request,
    view: str,
    title: str,
    states: tuple[str, ...],
    asked: msgspec.Struct,
    found: Any,
    **more: Any,
) -> Response:
    """A list of letters with its filter, and the way to its next part."""
    return await render(
        request,
        view,
        list=found,
        _title=title,
        _asked=asked,
        _states=[(name, name) for name in states],
        _next=address(request, found.next),
        **more,
    )


def address(request: Request, cursor: str | None) -> str | None:
    """The list's own address with its filters, from a cursor on."""
    if cursor is None:
        return None
    kept = {name: value for name, value in request.query_params.items() if value}
    return f"{request.url.path}?{urlencode({**kept, 'cursor': cursor})}"


async def show_one(request: Request) -> Response:
    """One letter; opening it is written down. Raises NotFound."""
    return await render(request, LETTER, **await one(request, request.path_params["id"]))


async def one(request: Request, email_id: int) -> dict[str, Any]:
    """The view of one letter."""
    who = session.admin(request)
    letter = await emails.one(session.services_of(request), who, email_id)
    may_act = session.may(who, "manage_users")
    return {"letter": letter, "_title": f"Letter {letter.id}", "_may_act": may_act}


async def send_again(request: Request) -> Response:
    """Send a letter once more, as a new one. Raises NotFound, Conflict."""
    who = session.admin(request)
    form = await forms.read(request, WithReason)
    services = session.services_of(request)
    made = await emails.send_again(services, who, request.path_params["id"], form.reason)
    return await saved(
        request, f"/admin/emails/{made.id}", status=202, said="letter_resent", letter=made
    )


async def show_templates(request: Request) -> Response:
    """Every letter in sample words."""
    found = letter_samples.every(session.services_of(request))
    return await render(request, TEMPLATES, list=found, _title="Templates")


async def show_template(request: Request) -> Response:
    """One letter in sample words, with its HTML. Raises NotFound."""
    found = letter_samples.sample(session.services_of(request), request.path_params["name"])
    return await render(
        request, "platform/emails/template.html#sample", sample=found, _title=found.name
    )


async def send_test(request: Request) -> Response:
    """Send a letter that says only that letters arrive; 202 with where its fate can be watched. Raises Invalid."""
    who = session.admin(request)
    form = await forms.read(request, TestLetter)
    to = sign_ins.checked_address(form.to or who.email or "")
    email_id = await emails.send_test(session.services_of(request), who, to)
    made = Accepted(email_id, to, f"/admin/api/emails/{email_id}")
    return await saved(request, "/admin/emails", status=202, said="letter_tested", letter=made)
