"""The cabinet: every piece of the look with sample data, in all its states."""

from starlette.requests import Request
from starlette.responses import Response

from app.web import cabinet_samples
from app.web.render import render


async def show(request: Request) -> Response:
    """All pieces on one page."""
    return await render(request, "cabinet/page.html", _title="Cabinet", **cabinet_samples.samples())
