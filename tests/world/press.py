"""The publishers' server: one for all of them, told apart by the Host header."""

import asyncio
import hashlib
import html
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.world import documents, publishers
from tests.world.broken import BROKEN, Broken
from tests.world.pages import article_page, home_page
from tests.world.pictures import picture
from tests.world.publishers import Publisher
from tests.world.timeline import Item, items

SIZES = {(960, 540), (640, 360), (320, 180)}


class Press:
    """All publishers at one moment of the world's clock."""

    def __init__(self, now: Callable[[], float], seed: int, browsable: bool) -> None:
        """With `browsable`, links lead to names under localhost that a browser on this machine can open."""
        self.now, self.seed, self.browsable = now, seed, browsable
        self.names = publishers.by_host()
        self.broken = Broken(self)
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "HEAD"])])
        self.port = 0

    @property
    def hosts(self) -> list[str]:
        """Return every name that the server answers to."""
        return sorted({*self.names, *BROKEN})

    async def answer(self, request: Request) -> Response:
        """Answer for the publisher that the Host header names."""
        host = (request.url.hostname or "").removesuffix(".localhost")
        if host in BROKEN:
            return await self.broken.answer(host, request)
        if host in self.names:
            return await self.published(self.names[host], request)
        if request.url.path == "/index.json":
            return JSONResponse(self.index())
        return PlainTextResponse("No publisher goes by that name.", 404)

    async def published(self, publisher: Publisher, request: Request) -> Response:
        """Answer with the feed, a picture, an article or the home page."""
        path = request.url.path
        asked = f"{path}?{request.url.query}" if "?" in publisher.feed_path else path
        if asked == publisher.feed_path:
            return self.feed(publisher, request)
        if path.startswith("/pictures/"):
            return await drawn(path.removeprefix("/pictures/"))
        found = self.items(publisher)
        if path == "/" or path == f"/{publisher.tag}":
            return Response(
                home_page(publisher, found[:30], self.base(publisher)), media_type="text/html"
            )
        for item in found:
            if path.endswith(f"-{item.number}") and item.path == path:
                return Response(article_page(item, self.base(publisher)), media_type="text/html")
        return PlainTextResponse("Not found", 404)

    def items(self, publisher: Publisher) -> list[Item]:
        """Return what the publisher has published; the world's clock is read to the second."""
        return cached_items(publisher, int(self.now()), self.seed)

    def base(self, publisher: Publisher) -> str:
        """Return what the links of a publisher begin with."""
        if self.browsable:
            return f"http://{publisher.host}.localhost:{self.port}"
        return f"https://{publisher.host}"

    def feed(self, publisher: Publisher, request: Request) -> Response:
        """Answer with the feed, or with 304 to those who have it."""
        newest = self.items(publisher)[: publisher.length]
        body = rendered(publisher, tuple(newest), self.base(publisher))
        headers = {
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"',
            "Last-Modified": formatdate(newest[0].at if newest else 0, usegmt=True),
            "Cache-Control": "max-age=60",
            "Content-Type": documents.content_type(publisher),
        }
        if unchanged(request, headers):
            del headers["Content-Type"]
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers)

    def index(self) -> list[dict[str, object]]:
        """Return the list of feeds that a demo may add, the broken ones marked."""
        good = [
            {
                "title": publisher.title,
                "url": publisher.feed_url,
                "site_url": f"https://{publisher.host}/",
                "tag": publisher.tag,
                "language": publisher.language,
                "pace": publisher.pace,
                "refresh_minutes": publisher.refresh_minutes,
                "default_on": publisher.default_on,
                "broken": False,
            }
            for publisher in publishers.PAPERS
        ]
        return [*good, *self.broken.index()]


@lru_cache(maxsize=200)
def cached_items(publisher: Publisher, now: int, seed: int) -> list[Item]:
    """Return the publisher's items; several questions within a second are one."""
    return items(publisher, now, seed)


@lru_cache(maxsize=100)
def rendered(publisher: Publisher, newest: tuple[Item, ...], base: str) -> bytes:
    """Return the feed as bytes; the same items are written once."""
    return documents.document(publisher, list(newest), base)


def unchanged(request: Request, headers: dict[str, str]) -> bool:
    """Tell whether the asker has this already; a stated ETag decides alone (RFC 9110, 13.2.2)."""
    known = request.headers.get("if-none-match")
    if known is not None:
        return headers["ETag"] in [tag.strip().removeprefix("W/") for tag in known.split(",")]
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return parsedate_to_datetime(headers["Last-Modified"]) <= parsedate_to_datetime(since)
    except ValueError:
        return False


async def drawn(name: str) -> Response:
    """Answer with the picture of that name: topic-number-WxH.kind."""
    stem, _, kind = html.unescape(name).rpartition(".")
    topic, number, size = [*stem.split("-"), "", "", ""][:3]
    width, _, height = size.partition("x")
    known = (
        number.isdigit() and width.isdigit() and height.isdigit() and kind in ("jpg", "png", "webp")
    )
    if not known or (int(width), int(height)) not in SIZES:
        return PlainTextResponse("Not found", 404)
    body = await asyncio.to_thread(picture, topic, int(number), int(width), int(height), kind)
    media = "image/jpeg" if kind == "jpg" else f"image/{kind}"
    return Response(body, media_type=media, headers={"Cache-Control": "max-age=86400"})
