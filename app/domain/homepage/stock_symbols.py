"""Symbols: those we know of, and what a reader may mean by what was typed (chapter 20 rule 51)."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from app.domain.homepage import stock_sources
from app.domain.platform.readers import Reader
from app.errors import Invalid, ServiceDown
from app.services import Services

log = structlog.get_logger("stocks")

SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,11}")
FILE = Path(__file__).resolve().parents[3] / "data" / "symbols.tsv"
MOST = 8
# More than all exchanges of a country have; a list that is longer is none.
MOST_LISTED = 60_000


class Suggestion(msgspec.Struct):
    """One symbol with the name and the exchange of what it stands for."""

    symbol: str
    name: str
    exchange: str | None


class Suggestions(msgspec.Struct):
    """Symbols that begin like what was typed, or whose names look like it."""

    items: list[Suggestion]
    total: int
    next: str | None = None


def checked(typed: str) -> str:
    """A symbol as it is kept, in capitals. Raises Invalid."""
    symbol = typed.strip().upper()
    if not SYMBOL.fullmatch(symbol):
        sentence = "A symbol has up to 12 letters, digits and . ^ = -, for example MSFT or ^GSPC."
        raise Invalid("Please check the symbol.", errors={"symbol": sentence})
    return symbol


# Only symbols of a list have a name: what somebody typed is nobody else's to see.
SUGGEST = """
SELECT symbol, name, exchange FROM stock_symbols
WHERE name IS NOT NULL AND state <> 'not_found'
    AND (starts_with(symbol, $1) OR lower(name) LIKE $2 OR lower(name) % $3)
ORDER BY symbol <> $1, NOT starts_with(symbol, $1), NOT starts_with(lower(name), $3), similarity(lower(name), $3) DESC,
    length(symbol), symbol
LIMIT $4
"""


async def suggestions(services: Services, who: Reader | None, typed: str) -> Suggestions:
    """At most eight symbols for what was typed."""
    words = typed.strip()[:40]
    if not words:
        return Suggestions([], 0)
    pattern = re.sub(r"([%_\\])", r"\\\1", words.lower())
    rows = await services.db.fetch(SUGGEST, words.upper(), f"%{pattern}%", words.lower(), MOST)
    return Suggestions([Suggestion(**dict(row)) for row in rows], len(rows))


IS_LISTED = "SELECT EXISTS (SELECT FROM stock_symbols WHERE symbol = $1 AND name IS NOT NULL)"


async def likely(services: Services, who: Reader | None, typed: str) -> list[Suggestion]:
    """Whom a reader may mean who typed no symbol that is listed, and what was typed itself; nobody where it is listed."""
    symbol = typed.strip().upper()
    if await services.db.fetchval(IS_LISTED, symbol):
        return []
    found = (await suggestions(services, who, typed)).items
    # Exchanges have more symbols than our list: whoever means it can say so.
    meant = [Suggestion(symbol, "As you typed it", None)] if SYMBOL.fullmatch(symbol) else []
    return [*found, *meant] if found else []


# One that a source lists is worth asking for again.
LIST = """
INSERT INTO stock_symbols (symbol, name, exchange, currency)
SELECT symbol, name, nullif(exchange, ''), nullif(currency, '')
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS listed (symbol, name, exchange, currency)
ON CONFLICT (symbol) DO UPDATE SET
    name = EXCLUDED.name, exchange = EXCLUDED.exchange, currency = EXCLUDED.currency,
    unknown_to = '{}', state = CASE WHEN stock_symbols.state = 'not_found' THEN 'unknown' ELSE stock_symbols.state END
WHERE (stock_symbols.name, stock_symbols.exchange, stock_symbols.currency, stock_symbols.state)
    IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.exchange, EXCLUDED.currency, 'ok')
"""

Line = tuple[str, str, str, str]


async def keep(services: Services, lines: Sequence[Line]) -> int:
    """Keep symbols with their names, 5,000 a statement; answer how many were new or changed."""
    unique = list({line[0]: line for line in lines}.values())
    changed = 0
    for start in range(0, len(unique), 5000):
        columns = [list(column) for column in zip(*unique[start : start + 5000], strict=True)]
        changed += int((await services.db.execute(LIST, *columns)).split()[-1])
    return changed


async def seed(services: Services) -> int:
    """Load data/symbols.tsv where there is no list yet; answer how many symbols were new."""
    if await services.db.fetchval(
        "SELECT EXISTS (SELECT FROM stock_symbols WHERE name IS NOT NULL)"
    ):
        return 0
    lines = [line.split("\t") for line in FILE.read_text().splitlines()[1:]]
    return await keep(services, [(line[0], line[1], line[2], line[3]) for line in lines])


async def refresh_list(services: Services, now: datetime | None = None) -> int:
    """Ask the first source that offers a list of symbols for it; answer how many were new or changed."""
    now = now or datetime.now(UTC)
    if not stock_sources.is_switched_on(services):
        return 0
    for name in stock_sources.configured(services):
        door = services.outside[name]
        # A list is a call like any other: it counts, and without a turn it comes next week.
        if not hasattr(door, "symbols") or not await stock_sources.may_ask(services, name, now):
            continue
        try:
            listed = (await door.symbols())[:MOST_LISTED]
        except ServiceDown as down:
            log.warning("no list of symbols", source=name, reason=down.code)
            if down.code == "over_quota":
                await stock_sources.rest(services, name, now, down)
            continue
        lines = [
            (one.symbol, one.name, (one.exchange or "")[:20], currency(one.currency))
            for one in listed
            if SYMBOL.fullmatch(one.symbol) and one.name
        ]
        return await keep(services, lines)
    return 0


def currency(code: str | None) -> str:
    """A currency's code in capitals, or nothing."""
    return code.upper() if code and re.fullmatch(r"[A-Za-z]{3}", code) and code.isascii() else ""
