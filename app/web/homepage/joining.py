"""A page of widgets as bytes: the frame around it, and the kept pieces of its widgets between."""

from collections.abc import Hashable

from starlette.requests import Request

from app.domain.homepage import first_steps
from app.domain.homepage.first_steps import Step
from app.domain.homepage.page_rows import HOME
from app.domain.homepage.pages import PageView
from app.domain.homepage.versions import Versions
from app.services import Services
from app.web import session
from app.web.homepage import widgets
from app.web.kept import digest
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
    plan: Hashable = None,
) -> bytes:
    """The page's bytes: the frame around its widgets' pieces. With `plan`, remember under it what was joined."""
    who, kept = session.reader(request), request.state.kept
    pieces = await widgets.pieces(request, services, view.widgets, found, frame, view.slug)
    steps = first_steps.of(services, who) if view.slug == HOME and not fragment else ()
    around = around_of(view, frame, steps, fragment)
    head, tail = kept.get(("head", around)), kept.get(("tail", around))
    if head is None or tail is None:
        head, tail = (part.encode() for part in drawn(view, frame, steps, fragment).split(MARK, 1))
        kept.put(("head", around), head)
        kept.put(("tail", around), tail)
    if plan is not None:
        keys = [widgets.key_of(who, widget, found, frame, view.slug) for widget in view.widgets]
        kept.plan(plan, [("head", around), *keys, ("tail", around)])
    return b"".join((head, *pieces, tail))


def around_of(view: PageView, frame: Frame, steps: tuple[Step, ...], fragment: bool) -> Hashable:
    """All that the frame around the widgets depends on, as a digest."""
    reader = frame.reader
    return digest(
        view.slug,
        view.name,
        view.tabs,
        view.said,
        not view.widgets,
        steps,
        frame._replace(reader=None),
        reader and (reader.name, reader.kind, reader.role, reader.unread),
        fragment,
    )


def drawn(view: PageView, frame: Frame, steps: tuple[Step, ...], fragment: bool) -> str:
    """The page or its grid with a mark where the widgets go."""
    context = {
        "page": frame,
        "view": view,
        "steps": steps,
        "editing": False,
        "cards": MARK,
        "errors": {},
        "given": {},
    }
    if fragment:
        return drawn_block("homepage/home.html", "grid", context)
    return templates().get_template("homepage/home.html").render(**context)
