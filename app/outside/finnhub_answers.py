"""The answers of Finnhub, as far as they are read."""

from decimal import Decimal

from msgspec import Struct


class QuoteAnswer(Struct):
    """A quote: current price, change, percent, previous close, Unix time. For a symbol that there is not, all are 0."""

    c: Decimal | None = None
    d: Decimal | None = None
    dp: Decimal | None = None
    pc: Decimal | None = None
    t: int | None = None
    error: str | None = None


class SymbolAnswer(Struct):
    """One line of the list of symbols."""

    symbol: str
    description: str = ""
    mic: str | None = None
    currency: str | None = None
