"""One publisher on loopback for the tests of fetching: what it answers is set a path, what it was asked is kept."""

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

HOST = "paper.example"
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclasses.dataclass
class Answer:
    """What the publisher says under one path."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


class Publisher:
    """An ASGI application; `pages` maps host and path to answers, `asked` holds every request."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def put(
        self, path: str, body: str = "", status: int = 200, host: str = HOST, **headers: str
    ) -> None:
        """Answer like that under a path from now on; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[host + path] = Answer(body.encode(), status, named)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request; 304 when it names the ETag that the page has."""
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        place = headers["host"] + scope["path"]
        self.asked.append((place, headers))
        page = self.pages.get(place, Answer(b"nothing", 404))
        if page.headers.get("etag") and headers.get("if-none-match") == page.headers["etag"]:
            page = Answer(b"", 304, page.headers)
        told = [(name.encode(), value.encode()) for name, value in page.headers.items()]
        await send({"type": "http.response.start", "status": page.status, "headers": told})
        await send({"type": "http.response.body", "body": page.body})


def item(name: str, hours: float = 1, more: str = "") -> str:
    """One RSS item of that name, so many hours old."""
    at = format_datetime(NOW - timedelta(hours=hours))
    return (
        f"<item><title>{name}</title><link>https://{HOST}/{name.replace(' ', '-')}</link>"
        f"<guid>{name}</guid><pubDate>{at}</pubDate><description>About {name}. {more}</description></item>"
    )


def rss(items: Iterable[str], title: str = "The Paper", more: str = "") -> str:
    """An RSS document of those items."""
    head = f"<title>{title}</title><link>https://{HOST}/</link><description>All of it</description>{more}"
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{"".join(items)}</channel></rss>'
    )
