"""The cabinet: every piece of the look with sample data, in all its states."""

from starlette.requests import Request
from starlette.responses import Response

from app.web import cabinet_samples, cabinet_widgets
from app.web.pages import page_frame
from app.web.render import render


async def show(request: Request) -> Response:
    """All pieces on one page."""
    return await render(
        request,
        "cabinet/page.html",
        _title="Cabinet",
        _widgets=cabinet_widgets.drawn(page_frame(request, {"_title": None})),
        **cabinet_samples.samples(),
    )
