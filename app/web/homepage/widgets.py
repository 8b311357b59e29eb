"""Widgets as they are shown: each type's content, its fragment, and what is kept of it."""

import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from app.domain.homepage import links, news_widgets, notes, search, versions, weather
from app.domain.homepage.pages import Widget
from app.domain.homepage.versions import Versions
from app.domain.homepage.widget_types import BY_NAME, WidgetType, lenient
from app.domain.platform.readers import Reader
from app.services import Services
from app.web import session
from app.web.pages import Frame
from app.web.render import fragment

Content = Callable[[Services, Reader | None, Any], Awaitable[Any]]

# What fills each type. The answer is one struct: the fragment's `view`, and the JSON of the twin.
CONTENT: dict[str, Content] = {
    "search_bar": search.widget,
    "news_feed": news_widgets.paper,
    "rss_feed": news_widgets.one_feed,
    "weather": weather.widget,
    "quick_links": links.widget,
    "note": notes.widget,
}
# One feed is shown by the same card as all the news.
LOOKS_LIKE = {"rss": "news"}
# Ages and hours move even when nothing changes: a piece is made anew after this many seconds.
PIECE_LIVES = 300


async def versions_of(services: Services, who: Reader | None) -> Versions:
    """The versions of all areas for this reader."""
    return await versions.of_reader(services, who, weather.site_spot(services.settings))


def key_of(who: Reader | None, widget: Widget, found: Versions, frame: Frame) -> tuple[object, ...]:
    """All that the markup of one widget depends on."""
    kind = BY_NAME[widget.type]
    minute = int(time.time() // PIECE_LIVES) if kind.areas else 0
    words = (frame.zone, frame.hours, frame.units)
    settings = repr(widget.settings)
    return (
        who.id if who else 0,
        widget.key,
        widget.title,
        settings,
        widget.classes,
        found.of(kind.areas),
        words,
        minute,
    )


def version_text(key: tuple[object, ...]) -> str:
    """A widget's version as the page carries it: eight hex digits of its key, the same in every process."""
    return f"{zlib.crc32(repr(key).encode()):08x}"


async def markup(
    request: Request, services: Services, widget: Widget, found: Versions, frame: Frame
) -> bytes:
    """The card of one widget: kept, or made now."""
    who = session.reader(request)
    key = key_of(who, widget, found, frame)
    kept = request.state.kept
    return kept.get(key) or kept.put(
        key, await made(services, who, widget, frame, version_text(key))
    )


async def made(
    services: Services, who: Reader | None, widget: Widget, frame: Frame, version: str
) -> bytes:
    """Ask the widget's content and render its card."""
    kind = BY_NAME[widget.type]
    view = await content(services, who, kind, widget.settings)
    return drawn(kind, widget, view, frame, version).encode()


async def content(
    services: Services, who: Reader | None, kind: WidgetType, settings: dict[str, Any] | None
) -> Any:
    """What one widget shows: the struct of its type."""
    return await CONTENT[kind.name](services, who, lenient(kind, settings))


def drawn(kind: WidgetType, widget: Widget, view: Any, frame: Frame, version: str) -> str:
    """The card of one widget from its content."""
    given = {"widget": widget, "kind": kind, "view": view, "page": frame, "version": version}
    name = LOOKS_LIKE.get(kind.kind, kind.kind)
    return fragment(
        f"homepage/widgets/{name}.html", "widget", {**given, "title": widget.title or kind.label}
    )
