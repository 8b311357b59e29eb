"""/track/click: the way out, decided by our tables and by nothing in the request."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.profiles import clicks
from app.web import session


async def follow(request: Request) -> Response:
    """Lead to the target of a signed token. Raises NotFound, Gone."""
    who = session.reader(request)
    target = await clicks.target_of(
        session.services_of(request), who, request.query_params.get("t", "")
    )
    headers = {"Location": target, "Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
    return Response(status_code=307, headers=headers)
