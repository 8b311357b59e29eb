"""/dev/mail: the letters of a development installation."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import mail
from app.web import session
from app.web.render import render


async def show(request: Request) -> Response:
    """The last letters, newest first. Raises NotFound outside development."""
    letters = await mail.outbox(session.services_of(request))
    return await render(
        request, "platform/sign_in/outbox.html#letters", _title="Letters", items=letters
    )
