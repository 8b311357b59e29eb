"""The list of first steps on a new member's front page: putting it away."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import first_steps, pages
from app.web import session
from app.web.render import saved


async def put_away(request: Request) -> Response:
    """Show the list no more."""
    services, who = session.services_of(request), session.member(request)
    await first_steps.put_away(services, who)
    return await saved(request, "/", page=await pages.shown(services, who))
