"""Alpha Vantage: the last price of one symbol a call (alphavantage.co/documentation, GLOBAL_QUOTE)."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import httpx2
import msgspec

from app.errors import NotFound, ServiceDown
from app.outside import prices
from app.outside.alpha_vantage_answers import GlobalQuoteAnswer, QuoteAnswer
from app.outside.breakers import Breaker
from app.outside.doors import Door
from app.outside.prices import Price


class AlphaVantage:
    """The door to Alpha Vantage. It takes its key in the address only, so no address of it may be told to anybody."""

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
        self._door = Door(
            base_url, breaker=breaker, client=client, timeout=timeout, tries=1, knows_404=False
        )
        self._key = key
        self._clock = clock

    async def price(self, symbol: str) -> Price:
        """Return the last price of a symbol. Raises NotFound, and ServiceDown with code `over_quota` when asked too often."""
        asked = {"function": "GLOBAL_QUOTE", "symbol": symbol, "apikey": self._key}
        try:
            return await self._door.checked("/query", GlobalQuoteAnswer, self._price_of, asked)
        except ServiceDown as down:
            # Its cause may hold the address, and with it the key.
            raise down from None

    def _price_of(self, said: GlobalQuoteAnswer) -> Price:
        return price_of(said, self._clock())

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()


def price_of(said: GlobalQuoteAnswer, now: datetime) -> Price:
    """The price of an answer. Raises NotFound, ServiceDown."""
    if said.note is not None or said.information is not None:
        raise ServiceDown("This source was asked too often.", code="over_quota")
    # Also said for a wrong key: it must not make us believe that a symbol does not exist.
    if said.error is not None:
        raise ServiceDown("This source refuses our question.", code="refused")
    if said.quote is None:
        raise prices.garbage()
    if not said.quote:
        raise NotFound("This source does not know this symbol.")
    try:
        return quoted(msgspec.convert(said.quote, QuoteAnswer), now)
    except msgspec.ValidationError as error:
        raise prices.garbage() from error


def quoted(said: QuoteAnswer, now: datetime) -> Price:
    """The figures of a quote. Raises ServiceDown."""
    if said.day is None or said.price is None:
        raise prices.garbage()
    close = said.previous_close
    return Price(
        price=prices.positive(said.price),
        change=prices.figure(said.change) if said.change is not None else None,
        change_percent=percent(said.change_percent),
        previous_close=prices.positive(close) if close else None,
        day=prices.past_day(said.day, now),
    )


def percent(said: str | None) -> Decimal | None:
    """The figure of "-0.3942%". Raises ServiceDown."""
    if said is None:
        return None
    try:
        return prices.figure(Decimal(said.strip().removesuffix("%")))
    except InvalidOperation:
        raise prices.garbage() from None
