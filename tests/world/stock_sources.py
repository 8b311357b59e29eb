"""Two sources of prices as their documentation describes them, from the world's market, each with its own count of calls.

Alpha Vantage: https://www.alphavantage.co/documentation (GLOBAL_QUOTE); Finnhub: https://finnhub.io/docs/api (quote, symbols).
"""

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.world import markets

DAY, MINUTE = 86_400, 60
TOO_OFTEN = (
    "Thank you for using this source! Please consider spreading out your requests more sparingly."
)
# Answers that no source should give, by the name of the twist.
HOSTILE: dict[str, Any] = {
    "nan": "NaN",
    "infinite": "Infinity",
    "huge": "9" * 40,
    "power": "1e999999999",
    "negative": "-3.10",
    "zero": "0.0000",
    "words": "a lot",
    "markup": "<script>alert(1)</script>",
}


class Source:
    """What both have: the world's clock, a key, the calls so far, and twists that wait for their turn."""

    key = "world-key"

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.calls: list[float] = []
        self.twists: list[str] = []
        self.app = Starlette(routes=self.routes())

    def routes(self) -> list[Route]:
        """The source's addresses."""
        raise NotImplementedError

    def clear(self) -> None:
        """Forget calls and twists."""
        self.calls.clear()
        self.twists.clear()

    def called(self) -> float:
        """Note a call; answer the world's time."""
        now = self.now()
        self.calls.append(now)
        return now

    def within(self, span: float, now: float) -> int:
        """How many calls there were in the span up to now, this one among them."""
        return sum(1 for at in self.calls if at > now - span)

    def twist(self) -> str | None:
        """The twist of this call, if one waits."""
        return self.twists.pop(0) if self.twists else None


class AlphaVantage(Source):
    """25 calls a day and one a second. Says nearly everything with status 200."""

    name = "alphavantage"
    a_day = 25

    def routes(self) -> list[Route]:
        """The source's one address."""
        return [Route("/query", self.query)]

    async def query(self, request: Request) -> Response:
        """Answer one question."""
        now, asked = self.called(), request.query_params
        if asked.get("apikey") != self.key or asked.get("function") != "GLOBAL_QUOTE":
            return JSONResponse({"Error Message": "the parameter apikey is invalid or missing."})
        if (
            self.within(1, now) > 1
            or sum(at // DAY == now // DAY for at in self.calls) > self.a_day
        ):
            return JSONResponse({"Information": TOO_OFTEN})
        twist = self.twist()
        if twist == "note":
            return JSONResponse({"Note": TOO_OFTEN})
        return JSONResponse({"Global Quote": self.quote(asked.get("symbol", ""), now, twist)})

    def quote(self, symbol: str, now: float, twist: str | None) -> dict[str, str]:
        """The block of one symbol; empty for one that there is not."""
        found = markets.quoted(symbol, now)
        if found is None:
            return {}
        change = found.price - found.previous
        price = HOSTILE.get(twist or "", f"{found.price:.4f}")
        return {
            "01. symbol": symbol,
            "02. open": f"{found.previous:.4f}",
            "05. price": price,
            "06. volume": "3911238",
            "07. latest trading day": f"{found.day:%Y-%m-%d}",
            "08. previous close": f"{found.previous:.4f}",
            "09. change": f"{change:.4f}",
            "10. change percent": f"{100 * change / found.previous:.4f}%",
        }


class Finnhub(Source):
    """60 calls a minute."""

    name = "finnhub"
    a_minute = 60

    def routes(self) -> list[Route]:
        """The source's addresses."""
        return [
            Route("/api/v1/quote", self.quote),
            Route("/api/v1/stock/symbol", self.symbols),
        ]

    def refusal(self, request: Request, now: float) -> Response | None:
        """The answer to whoever has no key, or asks too often."""
        if request.headers.get("x-finnhub-token") != self.key:
            return JSONResponse({"error": "Invalid API key"}, 401)
        if self.within(MINUTE, now) > self.a_minute:
            return JSONResponse({"error": "API limit reached."}, 429, {"retry-after": "30"})
        return None

    async def quote(self, request: Request) -> Response:
        """Answer with one price."""
        now = self.called()
        if refused := self.refusal(request, now):
            return refused
        found = markets.quoted(request.query_params.get("symbol", ""), now)
        if found is None:
            return JSONResponse(
                {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}
            )
        change = found.price - found.previous
        said = {
            "c": found.price,
            "d": round(change, 4),
            "dp": round(100 * change / found.previous, 4),
            "h": found.price,
            "l": found.previous,
            "o": found.previous,
            "pc": found.previous,
            "t": found.at,
        }
        if twist := self.twist():
            return Response(hostile(said, twist), media_type="application/json")
        return JSONResponse(said)

    async def symbols(self, request: Request) -> Response:
        """Answer with all symbols of the market."""
        if refused := self.refusal(request, self.called()):
            return refused
        names = {symbol: name for symbol, (name, _) in markets.COMPANIES.items()}
        return JSONResponse(
            [
                {
                    "symbol": symbol,
                    "description": name,
                    "mic": "XNYS",
                    "currency": "USD",
                    "type": "Common Stock",
                }
                for symbol, name in names.items()
            ]
        )


def hostile(said: dict[str, Any], twist: str) -> str:
    """A quote whose price is no price, bare as a careless program would write it."""
    value = HOSTILE[twist]
    bare = value if twist not in ("words", "markup") else json.dumps(value)
    return json.dumps(said).replace(f'"c": {json.dumps(said["c"])}', f'"c": {bare}')


STOCK_SOURCES = (AlphaVantage, Finnhub)
