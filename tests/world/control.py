"""The world's own door: faults are ordered here, and what came in is shown."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from tests.world import World


class Control:
    """HTTP for what `World` offers in Python."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.app = Starlette(
            routes=[
                Route("/faults", self.order, methods=["POST"]),
                Route("/faults", self.clear, methods=["DELETE"]),
                Route("/alerts", self.alert, methods=["POST"]),
                Route("/ai", self.order_ai, methods=["POST"]),
                Route("/ai", self.ai),
                Route("/clock", self.shift, methods=["POST"]),
                Route("/requests", self.requests),
                Route("/letters", self.letters),
                Route("/index.json", self.index),
            ]
        )

    async def order(self, request: Request) -> Response:
        """Order a fault: {service, kind, times?, seconds?}."""
        try:
            await self.world.fault(**await request.json())
        except (ValueError, TypeError, json.JSONDecodeError) as error:
            return JSONResponse({"detail": str(error)}, 422)
        return Response(status_code=204)

    async def clear(self, request: Request) -> Response:
        """Forget faults, requests, letters and alerts."""
        self.world.clear()
        return Response(status_code=204)

    async def alert(self, request: Request) -> Response:
        """Order a weather alert: {lat, lon, event, severity?, minutes?}."""
        self.world.alert(**await request.json())
        return Response(status_code=204)

    async def order_ai(self, request: Request) -> Response:
        """Order how the AI provider answers from now on: {modes: […], delay?}, modes in turn."""
        try:
            self.world.claude.order(**await request.json())
        except (ValueError, TypeError, json.JSONDecodeError) as error:
            return JSONResponse({"detail": str(error)}, 422)
        return Response(status_code=204)

    async def ai(self, request: Request) -> Response:
        """Return what the AI provider has billed, in micros, and for how many calls."""
        claude = self.world.claude
        return JSONResponse({"billed_micros": float(claude.billed), "calls": len(claude.ledger)})

    async def shift(self, request: Request) -> Response:
        """Move the world's clock on: {seconds}."""
        self.world.shift((await request.json())["seconds"])
        return Response(status_code=204)

    async def requests(self, request: Request) -> Response:
        """Return what was asked, of one service or a host or of all."""
        return JSONResponse(
            [asdict(one) for one in self.world.requests(request.query_params.get("service"))]
        )

    async def letters(self, request: Request) -> Response:
        """Return the letters that were handed over."""
        return JSONResponse(
            [
                {
                    "sender": letter.sender,
                    "recipients": letter.recipients,
                    "subject": letter.message["subject"],
                    "text": letter.text,
                    "at": letter.at,
                }
                for letter in self.world.letters
            ]
        )

    async def index(self, request: Request) -> Response:
        """Return the publishers' feeds."""
        return JSONResponse(self.world.press.index())
