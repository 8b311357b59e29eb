"""Watches: the symbols that one person wants to see, at most twenty, in their own order."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from app.domain.homepage import stock_symbols, versions
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

CEILING = 20


class Watchlist(msgspec.Struct):
    """All symbols of a person in their order; what is not named is taken off."""

    symbols: Annotated[list[Annotated[str, Meta(max_length=20)]], Meta(max_length=CEILING)]


class NewWatch(msgspec.Struct):
    """A symbol or a company as it was typed, and the symbol that was chosen of those which may be meant."""

    symbol: Annotated[str, Meta(min_length=1, max_length=80)]
    choice: Annotated[str, Meta(max_length=20)] | None = None


class WatchStep(msgspec.Struct):
    """Watch a symbol; `move` takes one that is watched a step up or down."""

    move: Annotated[str, Meta(pattern="^(up|down)$")] | None = None


# The person's row is locked so that two requests at once cannot both bring the twentieth.
LOCK_PERSON = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE"
MINE = "SELECT symbol FROM stock_watches WHERE user_id = $1 ORDER BY sort, symbol"


async def symbols(services: Services, who: Reader) -> list[str]:
    """The person's symbols in their order."""
    return [row["symbol"] for row in await services.db.fetch(MINE, who.id)]


async def put(services: Services, who: Reader, wanted: Sequence[str]) -> None:
    """Make these the person's symbols, in this order. Raises Invalid for one that is no symbol, and over twenty."""
    chosen = list(dict.fromkeys(stock_symbols.checked(symbol) for symbol in wanted))
    if len(chosen) > CEILING:
        sentence = f"Please name at most {CEILING} symbols."
        raise Invalid("The list is too long.", errors={"symbols": sentence})
    async with services.tx() as tx:
        await tx.db.execute(LOCK_PERSON, who.id)
        await write(tx, who, chosen, await symbols(tx, who))


async def add(services: Services, who: Reader, typed: str) -> None:
    """Watch a symbol, at the end of the list. Raises Invalid, Conflict over twenty."""
    symbol = stock_symbols.checked(typed)
    async with services.tx() as tx:
        await tx.db.execute(LOCK_PERSON, who.id)
        before = await symbols(tx, who)
        if symbol in before:
            return
        if len(before) >= CEILING:
            raise Conflict(
                f"You watch {CEILING} symbols. Remove one to add another.", code="watchlist_full"
            )
        await write(tx, who, [*before, symbol], before)


async def move(services: Services, who: Reader, symbol: str, step: str) -> None:
    """Take a symbol one step up or down in the list. Raises NotFound."""
    async with services.tx() as tx:
        await tx.db.execute(LOCK_PERSON, who.id)
        order = await symbols(tx, who)
        if symbol not in order:
            raise NotFound("You do not watch this symbol.")
        at = order.index(symbol)
        other = min(max(at + (-1 if step == "up" else 1), 0), len(order) - 1)
        order[at], order[other] = order[other], order[at]
        await write(tx, who, order, order)


async def remove(services: Services, who: Reader, symbol: str) -> None:
    """Watch a symbol no more. Raises NotFound."""
    async with services.tx() as tx:
        await tx.db.execute(LOCK_PERSON, who.id)
        before = await symbols(tx, who)
        if symbol not in before:
            raise NotFound("You do not watch this symbol.")
        await write(tx, who, [one for one in before if one != symbol], before)


NAME = (
    "INSERT INTO stock_symbols (symbol) SELECT unnest($1::text[]) ON CONFLICT (symbol) DO NOTHING"
)
QUOTE = """
INSERT INTO stock_quotes (symbol) SELECT unnest($1::text[])
ON CONFLICT (symbol) DO UPDATE SET watched_at = now()
RETURNING symbol, tried_at IS NULL AS is_new
"""
LEFT = "UPDATE stock_quotes SET watched_at = now() WHERE symbol = ANY($1)"
WRITE = """
WITH wanted AS (
    SELECT symbol, sort FROM unnest($2::text[]) WITH ORDINALITY AS wanted (symbol, sort)
), gone AS (
    DELETE FROM stock_watches w
    WHERE w.user_id = $1 AND NOT EXISTS (SELECT FROM wanted WHERE wanted.symbol = w.symbol)
)
INSERT INTO stock_watches (user_id, symbol, sort) SELECT $1, symbol, sort FROM wanted
ON CONFLICT (user_id, symbol) DO UPDATE SET sort = EXCLUDED.sort
"""


async def write(tx: Services, who: Reader, wanted: list[str], before: list[str]) -> None:
    """Write the list; a symbol that nobody has watched yet is asked for at once."""
    # In one order for everybody: two people who add the same symbols do not wait for each other in a ring.
    new = sorted(set(wanted) - set(before))
    await tx.db.execute(NAME, new)
    quotes = await tx.db.fetch(QUOTE, new)
    await tx.db.execute(LEFT, sorted(set(before) - set(wanted)))
    await tx.db.execute(WRITE, who.id, wanted)
    for row in quotes:
        if row["is_new"]:
            await tx.enqueue("refresh_stock", row["symbol"], key=row["symbol"])
    await versions.bump(tx, who.id, "stocks")
