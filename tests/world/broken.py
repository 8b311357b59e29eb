"""Publishers that do not work, one fault each."""

import asyncio
from random import Random
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from tests.world.documents import document
from tests.world.publishers import Publisher

if TYPE_CHECKING:
    from tests.world.press import Press

FEED = "/feed.xml"
MOVED_TO = "/news/feed.xml"

# What is wrong with each name. The catalogue of a demo shows them with their reasons.
BROKEN = {
    "stumbling.world.test": "answers 500",
    "vanished.world.test": "answers 404 three times, then 410",
    "silent.world.test": "accepts and never answers",
    "static.world.test": "sends noise",
    "moved-house.world.test": "has moved for good and works at its new address",
    "overrun.world.test": "answers 429 with Retry-After",
    "brochure.world.test": "sends a page without a feed",
    "trapdoor.world.test": "redirects to a private address",
    "roundabout.world.test": "redirects to itself for ever",
    "snail.world.test": "works, but takes two seconds for each answer",
    "endless.world.test": "sends more than anybody should read",
}


class Broken:
    """The broken publishers of one world; `vanished` counts how often it was asked."""

    def __init__(self, press: "Press") -> None:
        self.press = press
        self.asked_vanished = 0
        self.closing = asyncio.Event()

    async def answer(self, host: str, request: Request) -> Response:
        """Answer as the publisher of that name does."""
        found: Response = await getattr(self, host.partition(".")[0].replace("-", "_"))(request)
        return found

    def index(self) -> list[dict[str, object]]:
        """Return the broken publishers as lines of the world's index."""
        return [
            {
                "title": host.partition(".")[0].replace("-", " ").title(),
                "url": f"https://{host}{FEED}",
                "site_url": f"https://{host}/",
                "tag": "local",
                "language": "en",
                "pace": "normal",
                "refresh_minutes": 15,
                "default_on": False,
                "broken": True,
                "why": why,
            }
            for host, why in BROKEN.items()
        ]

    def working(self, host: str) -> Response:
        """Answer with a feed that has nothing wrong with it."""
        title = host.partition(".")[0].replace("-", " ").title()
        publisher = Publisher(host, title, ("local",), every_minutes=30, feed_path=MOVED_TO)
        newest = self.press.items(publisher)[:20]
        body = document(publisher, newest, self.press.base(publisher))
        return Response(body, media_type="application/rss+xml")

    async def stumbling(self, request: Request) -> Response:
        """Fail on our side, as they say."""
        return PlainTextResponse("Internal Server Error", 500)

    async def vanished(self, request: Request) -> Response:
        """Be missing first, then gone for good."""
        self.asked_vanished += 1
        return PlainTextResponse("Gone", 404 if self.asked_vanished <= 3 else 410)

    async def silent(self, request: Request) -> Response:
        """Say nothing until the asker gives up or the world ends."""
        gone = asyncio.ensure_future(disconnected(request))
        over = asyncio.ensure_future(self.closing.wait())
        await asyncio.wait({gone, over}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        over.cancel()
        return PlainTextResponse("", 503)

    async def static(self, request: Request) -> Response:
        """Send bytes without any sense, the same ones each time."""
        return Response(Random(7).randbytes(20_000), media_type="application/rss+xml")

    async def moved_house(self, request: Request) -> Response:
        """Point to the new address, and work there."""
        if request.url.path == FEED:
            return RedirectResponse(f"https://moved-house.world.test{MOVED_TO}", 301)
        return self.working("moved-house.world.test")

    async def overrun(self, request: Request) -> Response:
        """Ask for two minutes of peace."""
        return PlainTextResponse("Too many requests", 429, {"Retry-After": "120"})

    async def brochure(self, request: Request) -> Response:
        """Send a page that has no feed."""
        return Response(
            "<!doctype html><title>Brochure</title><p>Come and visit us.", media_type="text/html"
        )

    async def trapdoor(self, request: Request) -> Response:
        """Name a private address as the next place to look; nothing is sent there by us."""
        return RedirectResponse("http://169.254.169.254/latest/meta-data/", 302)

    async def roundabout(self, request: Request) -> Response:
        """Redirect to itself."""
        return RedirectResponse(f"https://roundabout.world.test{FEED}", 302)

    async def snail(self, request: Request) -> Response:
        """Work, slowly."""
        await asyncio.sleep(2)
        return self.working("snail.world.test")

    async def endless(self, request: Request) -> Response:
        """Send twelve megabytes that never come to an item."""
        return Response(
            b"<rss version='2.0'><channel><title>" + b"long " * 2_400_000, media_type="text/xml"
        )


async def disconnected(request: Request) -> None:
    """Return when the asker has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
