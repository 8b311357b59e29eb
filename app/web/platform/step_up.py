"""Step-up: a code by letter, and the sign-in is fresh again."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.domain.platform import step_ups
from app.errors import SignInNeeded
from app.web import session
from app.web.forms import read
from app.web.platform.sign_in import Asked, failed, flow_of, in_flow
from app.web.render import as_json, finish, render, saved, wants

PAGE = "platform/sign_in/step_up.html#form"


class StepUp(msgspec.Struct):
    """Nothing asks for a letter; its code makes the sign-in fresh."""

    code: Annotated[str, Meta(max_length=12)] | None = None
    next: Annotated[str, Meta(max_length=500)] | None = None


class Freshness(msgspec.Struct):
    """For how long the sign-in counts as fresh, and where to go on."""

    seconds: int
    next: str


async def show(request: Request) -> Response:
    """Ask whether to send the letter; a fresh sign-in goes straight on."""
    who = session.member(request)
    target = session.safe_next(request.query_params.get("next"))
    if who.fresh and wants(request) == "page":
        return finish(request, RedirectResponse(target, 303))
    return await asked(request, target, sent=False)


async def prove(request: Request) -> Response:
    """Send the letter, or take its code. Answers 202, 200, or 401 for a wrong code."""
    who, services = session.member(request), session.services_of(request)
    form = await read(request, StepUp)
    target, flow = session.safe_next(form.next), flow_of(request)
    if form.code is None:
        await step_ups.ask(services, who, flow)
        return in_flow(request, await asked(request, target, sent=True, status=202), flow)
    try:
        await step_ups.prove(services, who, form.code, flow)
    except SignInNeeded as problem:
        failed("step_up", problem)
        if wants(request) == "json":
            raise
        errors = {"code": problem.sentence}
        return await asked(request, target, sent=True, status=401, errors=errors)
    return await saved(request, target, fresh=Freshness(600, target))


async def asked(
    request: Request,
    target: str,
    *,
    sent: bool,
    status: int = 200,
    errors: dict[str, str] | None = None,
) -> Response:
    """The page of the proof: one button before the letter is sent, then the code's field."""
    who = session.member(request)
    if wants(request) == "json":
        return as_json(request, {"asked": Asked(who.email or "")}, status)
    response = await render(
        request,
        PAGE,
        status=status,
        _title="Is it you?",
        _email=who.email,
        _next=target,
        _sent=sent,
        _errors=errors or {},
    )
    response.headers["Cache-Control"] = "no-store"
    return response
