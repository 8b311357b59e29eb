"""Looking for feeds at an address and near it: at most 8 requests and 20 seconds (chapter 20 rule 27)."""

import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from app.domain.homepage.feed_attempts import Attempt, fetched, parsed
from app.domain.homepage.feed_documents import FeedDocument, known_shapes, url_key
from app.errors import OutsideFailed
from app.services import Services

MOST_REQUESTS = 8
MOST_SECONDS = 20.0
MOST_FOUND = 5
GUESSES = ("/feed", "/rss", "/rss.xml", "/atom.xml", "/feed.xml", "/index.xml")
# After these there is no use in knocking at the same host again.
FINAL = frozenset(
    {"bad_address", "refused_address", "refused_port", "dns", "connect", "tls", "timeout"}
)


class Found(NamedTuple):
    """One feed that was found, under the address that is to be kept."""

    url: str
    document: FeedDocument


async def look(services: Services, url: str) -> tuple[list[Found], str | None]:
    """The feeds at or near an address, and where there are none the code of why."""
    search = Search(services)
    first = await search.ask(url)
    if first is None or first.document is not None or first.code in FINAL:
        return search.found, first.code if first else "too_slow"
    page = first.permanent_url or first.final_url or url
    for address in await search.named(first):
        await search.ask(address)
    for address in known_shapes(url):
        await search.ask(address)
    for address in guesses(page):
        if search.found:
            break
        await search.ask(address)
    # "A web page, no feed" says more to a person than "a web page".
    code = "no_feed" if first.code in ("html", "not_a_feed", "empty") else first.code
    return search.found, code


def guesses(url: str) -> Iterator[str]:
    """Where feeds often are: below the page, else below the root of its host."""
    root = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}/"
    return (urljoin(root, guess) for guess in GUESSES)


class Search:
    """What one search has found and spent so far."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.found: list[Found] = []
        self.asked: set[bytes] = set()
        self.ends = time.monotonic() + MOST_SECONDS

    async def ask(self, url: str) -> Attempt | None:
        """Ask one address and keep what it holds; None when it was asked before or nothing is left to spend."""
        key, left = url_key(url), self.ends - time.monotonic()
        spent = len(self.asked) >= MOST_REQUESTS or left <= 0 or len(self.found) >= MOST_FOUND
        if spent or key in self.asked:
            return None
        self.asked.add(key)
        made = await fetched(self.services, url, seconds=min(left, 15.0), keep_page=True)
        if made.document is not None:
            self.keep(made.permanent_url or url, made.document)
        return made

    def keep(self, url: str, document: FeedDocument) -> None:
        """Keep a feed, once by its address."""
        if url_key(url) not in {url_key(one.url) for one in self.found}:
            self.found.append(Found(url, document))

    async def named(self, made: Attempt) -> list[str]:
        """The feeds that the page names in its head."""
        if made.page is None:
            return []
        try:
            told = await parsed(
                self.services,
                made.page,
                made.headers.get("content-type"),
                made.final_url,
                "discover",
            )
        except OutsideFailed:
            return []
        return [candidate["url"] for candidate in told.get("candidates") or []][:MOST_FOUND]
