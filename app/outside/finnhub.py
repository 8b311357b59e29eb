"""Finnhub: the last price of one symbol a call, and the list of all symbols (finnhub.io/docs/api)."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import httpx2

from app.errors import NotFound
from app.outside import prices
from app.outside.breakers import Breaker
from app.outside.doors import Door
from app.outside.finnhub_answers import QuoteAnswer, SymbolAnswer
from app.outside.prices import Listed, Price

# The list of all symbols of the United States is some megabytes.
LIST_SECONDS, LIST_BYTES = 30.0, 32 * 2**20
# MIC codes (ISO 10383) of the exchanges that people know by name.
EXCHANGES = {"XNYS": "NYSE", "XNAS": "NASDAQ", "ARCX": "NYSE Arca", "XASE": "NYSE American"}


class Finnhub:
    """The door to Finnhub. Its key goes in a header."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        breaker: Breaker,
        client: httpx2.AsyncClient | None = None,
        timeout: float = 3.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.breaker = breaker
        self._clock = clock
        door = partial(
            Door,
            base_url,
            breaker=breaker,
            client=client,
            headers={"X-Finnhub-Token": key},
            tries=1,
            knows_404=False,
        )
        # 403: "You don't have access to this resource." Of one symbol, it is an answer.
        self._door = door(timeout=timeout, knows_403=True)
        self._lists = door(timeout=LIST_SECONDS, most_bytes=LIST_BYTES)

    async def price(self, symbol: str) -> Price:
        """Return the last price of a symbol. Raises NotFound, Forbidden, and ServiceDown (code `over_quota` when asked too often)."""
        return await self._door.checked(
            "/api/v1/quote", QuoteAnswer, self._price_of, {"symbol": symbol}
        )

    async def symbols(self) -> list[Listed]:
        """Return the symbols of the exchanges of the United States. Raises ServiceDown."""
        asked = {"exchange": "US"}
        lines = await self._lists.ask("/api/v1/stock/symbol", list[SymbolAnswer], asked)
        return [listed(line) for line in lines]

    def _price_of(self, said: QuoteAnswer) -> Price:
        return price_of(said, self._clock())

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()
        await self._lists.close()


def price_of(said: QuoteAnswer, now: datetime) -> Price:
    """The price of an answer. Raises NotFound, ServiceDown."""
    if said.error is not None or said.c is None or said.t is None:
        raise prices.garbage()
    if said.c == 0 and not said.t and not said.pc:
        raise NotFound("This source does not know this symbol.")
    return Price(
        price=prices.positive(said.c),
        change=prices.figure(said.d) if said.d is not None else None,
        change_percent=prices.figure(said.dp) if said.dp is not None else None,
        previous_close=prices.positive(said.pc) if said.pc else None,
        quoted_at=at(said.t, now),
    )


def at(seconds: int, now: datetime) -> datetime:
    """The moment of a Unix time. Raises ServiceDown."""
    try:
        return prices.past(datetime.fromtimestamp(seconds, UTC), now)
    except (ValueError, OverflowError, OSError) as error:
        raise prices.garbage() from error


def listed(line: SymbolAnswer) -> Listed:
    """One line of the list, with the exchange by the name that people know."""
    currency = line.currency if line.currency and len(line.currency) == 3 else None
    exchange = EXCHANGES.get(line.mic or "", line.mic)
    return Listed(line.symbol, prices.plain(line.description), exchange, currency)
