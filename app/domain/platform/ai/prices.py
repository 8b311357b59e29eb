"""Prices of models, in dollars per million tokens, which is micros per token; a model without one is not asked."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, NamedTuple

import msgspec

from app.config import Misconfigured, Settings
from app.domain.platform import audit, site_settings
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services

# Beside the text, a provider counts tokens of its own for the form of the answer (chapter 20 rule 43).
UNSEEN_TOKENS = 2000
PARTS = ("in", "out", "cache_write", "cache_read", "batch_percent")
# What one text costs nobody: a price is a plain decimal of at most so much.
DEAREST = Decimal(10_000)
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Price(msgspec.Struct, frozen=True):
    """One model's prices: micros per token, and what a batch pays of them in per cent."""

    model: str
    into: Decimal = msgspec.field(name="in")
    out: Decimal = msgspec.field(name="out")
    cache_write: Decimal
    cache_read: Decimal
    batch_percent: Decimal

    @property
    def dearest_in(self) -> Decimal:
        """The most that a token of a request may cost."""
        return max(self.into, self.cache_write, self.cache_read)

    def share(self, *, in_batch: bool) -> Decimal:
        """What of the price is paid."""
        return self.batch_percent / 100 if in_batch else Decimal(1)

    def worst(self, request_bytes: int, max_tokens: int, *, in_batch: bool = False) -> Decimal:
        """The most that a request can cost, in micros: no token is shorter than a byte (rule 43)."""
        into = (request_bytes + UNSEEN_TOKENS) * self.dearest_in
        return (into + max_tokens * self.out) * self.share(in_batch=in_batch)

    def cost(self, tokens: "Tokens", *, in_batch: bool = False) -> Decimal:
        """What an answer costs, in micros, exactly."""
        plain = tokens.into * self.into + tokens.out * self.out
        cached = tokens.cache_write * self.cache_write + tokens.cache_read * self.cache_read
        return (plain + cached) * self.share(in_batch=in_batch)


class Tokens(NamedTuple):
    """The tokens that an answer was billed for."""

    into: int
    out: int
    cache_write: int = 0
    cache_read: int = 0


class PriceList(msgspec.Struct):
    """All models that may be asked."""

    items: list[Price]
    total: int
    currency: str = "USD"
    next: str | None = None


class PricesChange(msgspec.Struct):
    """The prices as they shall be, a line a model: name=in/out/cache_write/cache_read/batch_percent."""

    prices: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
    reason: Reason


def read(text: str) -> dict[str, Price]:
    """Return the prices of `model=in/out/cache_write/cache_read/batch_percent;…`. Raises ValueError with a sentence."""
    found: dict[str, Price] = {}
    for line in text.replace("\n", ";").split(";"):
        if not line.strip():
            continue
        model, _, parts = line.partition("=")
        price = one(model.strip(), parts)
        if price.model in found:
            raise ValueError(f"{price.model} stands there twice.")
        found[price.model] = price
    return found


def one(model: str, text: str) -> Price:
    """One line. Raises ValueError with a sentence."""
    parts = [part.strip() for part in text.split("/")]
    if not model or len(parts) != len(PARTS):
        raise ValueError(f"{model or 'A line'} needs {'/'.join(PARTS)} after its =.")
    try:
        values = [Decimal(part) for part in parts]
    except InvalidOperation:
        raise ValueError(f"{model}: {text.strip()} are not numbers.") from None
    if not all(value.is_finite() and 0 <= value <= DEAREST for value in values):
        raise ValueError(f"{model}: a price lies between 0 and {DEAREST}.")
    if values[0] <= 0 or values[1] <= 0 or not 0 < values[4] <= 100:
        raise ValueError(
            f"{model}: in, out and batch_percent are more than 0, the last at most 100."
        )
    return Price(model, *values)


def written(prices: Mapping[str, Price]) -> str:
    """The prices as a setting, a line a model."""
    return "\n".join(f"{price.model}={figures(price)}" for price in prices.values())


def figures(price: Price) -> str:
    """One model's prices as `one` reads them."""
    parts = (price.into, price.out, price.cache_write, price.cache_read, price.batch_percent)
    return "/".join(str(part) for part in parts)


def of_settings(settings: Settings) -> dict[str, Price]:
    """The prices of AI_PRICES. Raises Misconfigured."""
    try:
        return read(settings.ai_prices)
    except ValueError as error:
        raise Misconfigured(f"AI_PRICES: {error} Change that line.") from None


def of(services: Services) -> dict[str, Price]:
    """The prices that hold now: those an admin wrote, else those of AI_PRICES. Raises Misconfigured."""
    text = site_settings.of(services).ai_prices
    return read(text) if text else of_settings(services.settings)


def missing(services: Services) -> list[str]:
    """The models that this site would ask and that have no price."""
    named = {services.settings.ai_model_bulk, services.settings.ai_model_hard}
    return sorted(named - of(services).keys())


def listed(services: Services) -> PriceList:
    """Every model with its prices."""
    items = list(of(services).values())
    return PriceList(items, len(items))


async def change(services: Services, who: Reader, wish: PricesChange) -> PriceList:
    """Put new prices in force for every call from now on. Raises Invalid."""
    try:
        prices = read(wish.prices)
    except ValueError as error:
        raise Invalid("These prices cannot be used.", errors={"prices": str(error)}) from None
    if not prices:
        raise Invalid("These prices cannot be used.", errors={"prices": "Name one model at least."})
    async with services.tx() as tx:
        before = written(of(tx))
        await site_settings.put(tx, who, "ai_prices", written(prices), wish.reason)
        target = ("setting", "ai_prices")
        after = written(prices)
        await audit.add(
            tx, who, "ai_prices.changed", target, wish.reason, before=before, after=after
        )
    await site_settings.refresh(services)
    return listed(services)
