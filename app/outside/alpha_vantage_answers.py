"""The answers of Alpha Vantage, as far as they are read."""

from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct, field


class QuoteAnswer(Struct):
    """The `Global Quote` block: every figure is a text."""

    price: Decimal | None = field(default=None, name="05. price")
    day: date | None = field(default=None, name="07. latest trading day")
    previous_close: Decimal | None = field(default=None, name="08. previous close")
    change: Decimal | None = field(default=None, name="09. change")
    change_percent: str | None = field(default=None, name="10. change percent")


class GlobalQuoteAnswer(Struct):
    """The whole answer. `Note` and `Information` come instead of a quote when it was asked too often.

    The block is empty for a symbol that there is not. A full one without the names that we read is garbage, so it is
    looked at as it came.
    """

    quote: dict[str, Any] | None = field(default=None, name="Global Quote")
    note: str | None = field(default=None, name="Note")
    information: str | None = field(default=None, name="Information")
    error: str | None = field(default=None, name="Error Message")
