"""Privacy choices: what I allow, as a visitor by a cookie and as a member by a row."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import consents
from app.domain.platform.consents import Choice, Consents
from app.errors import Invalid
from app.web import session
from app.web.forms import read
from app.web.render import invalid, render, saved

CHOICES = "platform/privacy/choices.html#consents"
MINE = "platform/settings/privacy.html#consents"
YEAR = 365 * 86_400


async def show(request: Request) -> Response:
    """What I allow, whether I am signed in or not."""
    return await render(request, CHOICES, consents=await current(request), **frame())


def frame() -> dict[str, Any]:
    """What the page of choices says beside them."""
    return {"_title": "Privacy choices", "_action": "/privacy-choices"}


async def current(request: Request) -> Consents:
    """What holds for whoever asks."""
    services, who = session.services_of(request), session.reader(request)
    refused = session.refuses(request)
    if who is not None and who.is_member:
        return await consents.mine(services, who, refused=refused)
    return consents.of_visitor(services, request.cookies.get(session.CONSENT), refused=refused)


async def put(request: Request) -> Response:
    """Allow exactly this: a member's answer is written down, a visitor's goes into a cookie for a year."""
    try:
        choice = await read(request, Choice)
    except Invalid as problem:
        now = await current(request)
        return await invalid(request, problem, CHOICES, consents=now, **frame())
    who = session.reader(request)
    if who is not None and who.is_member:
        found = await answered(request, choice, "privacy_choices")
        return await saved(
            request, "/privacy-choices", CHOICES, said="saved", consents=found, **frame()
        )
    services, refused = session.services_of(request), session.refuses(request)
    cookie = consents.as_cookie(services, frozenset() if refused else choice.agreed())
    found = consents.of_visitor(services, cookie, refused=refused)
    response = await saved(
        request, "/privacy-choices", CHOICES, said="saved", consents=found, **frame()
    )
    session.set_cookie(response, services.settings, session.CONSENT, cookie, YEAR)
    return response


async def put_mine(request: Request) -> Response:
    """Allow exactly this, as the member who is signed in."""
    choice = await read(request, Choice)
    found = await answered(request, choice, "settings")
    view: dict[str, Any] = {"consents": found, "_action": "/settings/privacy", "_title": "Privacy"}
    return await saved(request, "/settings/privacy#consents", MINE, said="saved", **view)


async def answered(request: Request, choice: Choice, source: str) -> Consents:
    """Write a member's answer down."""
    services, who = session.services_of(request), session.member(request)
    refused = session.refuses(request)
    return await consents.answer(services, who, choice.agreed(), source, refused=refused)
