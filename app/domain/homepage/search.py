"""Search: what this site has with these words, and the web engines a search can be handed to (rules 58 and 59)."""

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec
from msgspec import Meta

from app.config import Settings
from app.domain.homepage import news_index, recent_searches, stories
from app.domain.homepage.news import Story
from app.domain.homepage.widget_types import Plain
from app.domain.platform.readers import Reader
from app.errors import Invalid, NotFound
from app.services import Services

TOP = 5


class SearchQuery(msgspec.Struct):
    """What is looked for."""

    q: Annotated[str, Meta(max_length=200)] = ""
    kind: Literal["news"] | None = None
    cursor: Annotated[str, Meta(max_length=40)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class Results(msgspec.Struct):
    """What was found: news, where to go on, and a word that is near when nothing was."""

    q: str
    news: list[Story]
    next: str | None = None
    did_you_mean: str | None = None
    recent: list[str] = []
    # The engine that was set up does not answer: words are looked for as they are written.
    quick: bool = False


class Engine(msgspec.Struct):
    """One web engine by name."""

    name: str


class SearchWidget(msgspec.Struct):
    """The search bar."""

    engines: list[Engine]
    state: str = "fresh"


async def filled(
    services: Services, who: Reader | None, wishes: Sequence[Plain]
) -> list[SearchWidget]:
    """The search bars of one page, with the engines that can be chosen."""
    known = [Engine(name) for name in engines(services.settings, who)]
    return [SearchWidget(known) for _ in wishes]


async def results(services: Services, who: Reader | None, asked: SearchQuery) -> Results:
    """What the reader may see with these words; five of each kind, or a page of one. Raises Invalid."""
    words = " ".join(asked.q.split())
    if not words:
        return Results("", [], recent=await recent_searches.mine(services, who))
    if len(words) < 2:
        raise Invalid(
            "Please write at least 2 letters.", errors={"q": "Please write at least 2 letters."}
        )
    limit = asked.limit if asked.kind == "news" else TOP
    # No connection waits for the engine.
    numbers = await news_index.ids(services, words)
    async with services.held() as held:
        page = await stories.found(held, who, words, asked.cursor, limit, numbers)
        near = None if page.items else await nearer(held, words)
    if asked.cursor is None:
        await recent_searches.keep(services, who, words)
    quick = numbers is None and news_index.is_set_up(services)
    return Results(words, page.items, page.next, near, quick=quick)


async def nearer(services: Services, words: str) -> str | None:
    """The words with each unknown one replaced by the nearest known; None when that changes nothing."""
    found = [await stories.nearest_word(services, word) or word for word in words.split()[:6]]
    mended = " ".join(found)
    return mended if mended.lower() != words.lower() else None


def engines(settings: Settings, who: Reader | None) -> dict[str, str]:
    """Names and https templates of web engines: the site's, then the reader's own."""
    lines = [part.split("=", 1) for part in settings.search_engines.split(";") if "=" in part]
    found = {
        name.strip(): template.strip()
        for name, template in lines
        if template.strip().startswith("https://")
    }
    own = (who.preferences.get("search_engine") or {}) if who else {}
    if own.get("template"):
        found[own.get("name") or "My engine"] = own["template"]
    return found


def handed_over(settings: Settings, who: Reader | None, words: str, name: str | None) -> str:
    """The address of a web search with one of the known engines. Raises NotFound."""
    known = engines(settings, who)
    template = known.get(name) if name else next(iter(known.values()), None)
    if template is None:
        raise NotFound("No web engine is set up. You can add one of your own on the display page.")
    return template.replace("{q}", quote(words, safe=""))
