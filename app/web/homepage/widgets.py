"""Widgets as they are shown: each type's content, its fragment, and what is kept of it."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request

from app.domain.homepage import (
    links,
    news_widgets,
    notes,
    search,
    social,
    stocks,
    teasers,
    versions,
    weather,
)
from app.domain.homepage.pages import Widget
from app.domain.homepage.versions import Versions
from app.domain.homepage.widget_types import BY_NAME, lenient
from app.domain.platform.readers import Reader
from app.services import Services
from app.web import session
from app.web.kept import PLANS, Kept, digest
from app.web.pages import Frame
from app.web.render import fragment

Filler = Callable[[Services, Reader | None, Sequence[Any]], Awaitable[list[Any]]]

# What fills each type: the settings of all its widgets on a page go in, one struct a widget comes out. The struct is
# the fragment's `view`, and the JSON of the twin. Types with one filler share its statements.
FILLERS: dict[str, Filler] = {
    "search_bar": search.filled,
    "news_feed": news_widgets.filled,
    "rss_feed": news_widgets.filled,
    "weather": weather.filled,
    "stocks": stocks.filled,
    "social_feed": social.filled,
    "quick_links": links.filled,
    "note": notes.filled,
    **dict.fromkeys(teasers.TYPES, teasers.filled),
}
# One feed is shown by the same card as all the news, and all teasers by one.
LOOKS_LIKE = {"rss": "news"} | {BY_NAME[name].kind: "teaser" for name in teasers.TYPES}
# Ages and hours move even when nothing changes: a piece is made anew after this many seconds.
PIECE_LIVES = 300


def versions_at_hand(hub: Any, kept: Kept, who: Reader) -> Versions | None:
    """The reader's versions from memory, while this process has heard of no change since they were read; else None."""
    known: tuple[object, Versions] | None = kept.versions.get(who.id)
    at_hand = known is not None and hub.listening and known[0] == heard(hub, who)
    return known[1] if known is not None and at_hand else None


def heard(hub: Any, who: Reader) -> tuple[object, ...]:
    """What the process knows of changes: the reader's own, read with each request, and the site's, told by the hub."""
    return who.id, tuple(sorted(who.own.items())), hub.site_number


async def known_versions(request: Request, services: Services, who: Reader) -> Versions:
    """The reader's versions, from memory where they are at hand.

    The hub's number is taken before the data is read: a notice that comes meanwhile makes the next request read again.
    """
    hub, kept = request.state.hub, request.state.kept
    if not hub.listening or who.session_id is None:
        return await versions_of(services, who)
    found = versions_at_hand(hub, kept, who)
    if found is None:
        key = heard(hub, who)
        found = await versions_of(services, who)
        kept.versions[who.id] = (key, found)
        if len(kept.versions) > PLANS:
            kept.versions.pop(next(iter(kept.versions)))
    return found


async def versions_of(services: Services, who: Reader | None) -> Versions:
    """The versions of all areas for this reader."""
    return await versions.of_reader(services, who, weather.site_spot(services.settings))


def minute() -> int:
    """The number of the five minutes that run: what tells ages is made anew in the next."""
    return int(time.time() // PIECE_LIVES)


def key_of(who: Reader | None, widget: Widget, found: Versions, frame: Frame, slug: str) -> bytes:
    """All that the markup of one widget depends on, as a digest. `slug` is the page it stands on, if any."""
    kind = BY_NAME[widget.type]
    span = minute() if kind.areas else 0
    words = (frame.zone, frame.hours, frame.units)
    return digest(
        who.id if who else 0,
        widget.type,
        widget.key,
        widget.title,
        widget.settings,
        widget.classes,
        (widget.w, widget.h, widget.lock, widget.phone_hidden, widget.phone_order == 1),
        slug,
        found.of(kind.areas),
        words,
        span,
    )


def version_text(key: bytes) -> str:
    """A widget's version as the page carries it: eight hex digits of its key, the same in every process."""
    return key[:4].hex()


async def pieces(
    request: Request,
    services: Services,
    shown: Sequence[Widget],
    found: Versions,
    frame: Frame,
    slug: str,
) -> list[bytes]:
    """The cards of some widgets of one page: kept ones as they are, the others filled together and rendered now."""
    who = session.reader(request)
    kept = request.state.kept
    keys = [key_of(who, widget, found, frame, slug) for widget in shown]
    made = [kept.get(key) for key in keys]
    missing = [place for place, piece in enumerate(made) if piece is None]
    views = await views_of(services, who, [shown[place] for place in missing])
    for place, view in zip(missing, views, strict=True):
        card = drawn(shown[place], view, frame, version_text(keys[place]), slug)
        made[place] = kept.put(keys[place], card.encode())
    return [piece for piece in made if piece is not None]


async def views_of(services: Services, who: Reader | None, shown: Sequence[Widget]) -> list[Any]:
    """What some widgets show, in their order; each filler is asked once."""
    by_filler: dict[Filler, list[int]] = {}
    for place, widget in enumerate(shown):
        by_filler.setdefault(FILLERS[widget.type], []).append(place)
    views: list[Any] = [None] * len(shown)
    for filler, places in by_filler.items():
        wishes = [lenient(BY_NAME[shown[place].type], shown[place].settings) for place in places]
        for place, view in zip(places, await filler(services, who, wishes), strict=True):
            views[place] = view
    return views


def drawn(widget: Widget, view: Any, frame: Frame, version: str, slug: str = "") -> str:
    """The card of one widget from its content."""
    kind = BY_NAME[widget.type]
    given = {
        "widget": widget,
        "kind": kind,
        "view": view,
        "page": frame,
        "version": version,
        "slug": slug,
    }
    name = LOOKS_LIKE.get(kind.kind, kind.kind)
    return fragment(
        f"homepage/widgets/{name}.html", "widget", {**given, "title": widget.title or kind.label}
    )
