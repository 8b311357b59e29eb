"""The button of the letter about a new browser: it was not me."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import new_browsers, proofs
from app.web import session
from app.web.forms import read
from app.web.render import render, saved

PAGE = "platform/sign_in/not_me.html#form"


class NotMe(msgspec.Struct):
    """The token of the letter."""

    token: Annotated[str, Meta(max_length=100)]


async def show(request: Request) -> Response:
    """One button: opening the address changes nothing, since scanners of mail open links too."""
    token = request.query_params.get("token", "")
    works = await proofs.purpose_of(session.services_of(request), token) == "not_me"
    response = await render(request, PAGE, _title="It was not me", _token=token, works=works)
    response.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    return response


async def refuse(request: Request) -> Response:
    """End what a stranger could use. Raises SignInNeeded for a spent letter."""
    form = await read(request, NotMe)
    await new_browsers.refuse(session.services_of(request), form.token)
    return await saved(request, "/auth/login", said="stranger_out", ended=True)
