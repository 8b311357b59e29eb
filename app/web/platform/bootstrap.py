"""The first admin by token: open once, 403 for ever after."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import admins
from app.errors import Forbidden, Invalid
from app.web import session
from app.web.forms import read
from app.web.platform.sign_in import signed
from app.web.render import invalid, render

PAGE = "platform/sign_in/bootstrap.html#form"


class Bootstrap(msgspec.Struct):
    """The token of this installation, and the address of its first admin."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]
    email: Annotated[str, Meta(min_length=3, max_length=254)]


async def show(request: Request) -> Response:
    """The form. Raises Forbidden once there is or was an admin."""
    if await admins.exists(session.services_of(request)):
        raise Forbidden("This site has its first admin already.", code="bootstrapped")
    return await render(request, PAGE, _title="First admin")


async def make(request: Request) -> Response:
    """Make the first admin and sign them in. Raises Forbidden."""
    try:
        form = await read(request, Bootstrap)
        user_id = await admins.by_token(session.services_of(request), form.token, form.email)
    except Invalid as problem:
        return await invalid(request, problem, PAGE, _title="First admin")
    return await signed(request, user_id, "/", "bootstrap")
