"""A page of widgets as bytes: the frame around it, and the kept pieces of its widgets between."""

from starlette.requests import Request

from app.domain.homepage.pages import PageView
from app.domain.homepage.versions import Versions
from app.services import Services
from app.web.homepage import widgets
from app.web.pages import Frame
from app.web.render import fragment as drawn_block
from app.web.render import templates

MARK = "<!--widgets-->"


async def joined(
    request: Request,
    services: Services,
    view: PageView,
    found: Versions,
    frame: Frame,
    fragment: bool,
) -> bytes:
    """The page's bytes: the frame around its widgets' pieces."""
    pieces = await widgets.pieces(request, services, view.widgets, found, frame)
    head, tail = around(request, view, frame, fragment)
    return b"".join((head, *pieces, tail))


def around(request: Request, view: PageView, frame: Frame, fragment: bool) -> tuple[bytes, bytes]:
    """What stands before and after the widgets, kept as one piece."""
    reader = frame.reader
    kept = request.state.kept
    key = (
        "around",
        view.slug,
        view.name,
        view.tabs,
        not view.widgets,
        repr(frame._replace(reader=None)),
        reader and (reader.name, reader.kind, reader.role),
        fragment,
    )
    whole = kept.get(key)
    if whole is None:
        template = templates().get_template("homepage/home.html")
        context = {
            "page": frame,
            "view": view,
            "editing": False,
            "cards": MARK,
            "errors": {},
            "given": {},
        }
        html = (
            template.render(**context)
            if not fragment
            else drawn_block("homepage/home.html", "grid", context)
        )
        whole = kept.put(key, html.encode())
    head, _, tail = whole.partition(MARK.encode())
    return head, tail
