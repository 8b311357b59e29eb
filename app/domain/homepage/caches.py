"""Caches by the names that operators know, and what clearing each does (chapter 20)."""

from collections.abc import Awaitable, Callable

import msgspec

from app.domain.homepage import stock_sources
from app.domain.platform import audit
from app.domain.platform.ai import results
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services


class Cleared(msgspec.Struct):
    """What clearing a cache did: how many entries, and what happens now."""

    cache_name: str
    cleared: int
    why: str


class Cache(msgspec.Struct):
    """One cache that can be cleared."""

    cache_name: str
    holds: str


class CacheList(msgspec.Struct):
    """All caches that can be cleared."""

    items: list[Cache]
    total: int
    next: str | None = None


WEATHER_DUE = """
WITH due AS (
    UPDATE weather_cache
    SET forecast_due_at = now(), alerts_due_at = CASE WHEN alerts_due_at IS NOT NULL THEN now() END
    RETURNING location_key
)
SELECT count(*) FROM due
"""


async def clear_weather(services: Services) -> tuple[int, str]:
    """Let every spot be asked for again; what was last heard stays until then."""
    spots: int = await services.db.fetchval(WEATHER_DUE)
    if spots:
        await services.enqueue("refresh_weather", key="cleared")
    return spots, "Each spot is asked for again now; its last weather stays until then."


# What was last heard stays; a symbol that failed is tried again too.
STOCKS_DUE = """
WITH due AS (
    UPDATE stock_quotes SET expires_at = now(), tried_at = NULL, failures = 0 RETURNING symbol
)
SELECT count(*) FROM due
"""


async def clear_stocks(services: Services) -> tuple[int, str]:
    """Let every symbol be asked for again, as far as the sources' quotas let us."""
    if not stock_sources.is_set_up(services):
        return 0, "Stocks are not set up, so nothing is kept of them."
    symbols: int = await services.db.fetchval(STOCKS_DUE)
    if symbols:
        await services.enqueue("refresh_stocks", key="cleared")
    return symbols, "Each symbol is asked for again in its turn; its last price stays until then."


async def clear_pages(services: Services) -> tuple[int, str]:
    """Tell every web process to forget the pages it keeps ready. How many is known to each of them only."""
    await services.db.execute("SELECT pg_notify('village_changes', 'gone:0')")
    return 0, "Every web process was told; it makes its pages anew when they are asked for."


async def clear_memories(services: Services) -> tuple[int, str]:
    """Tell every process to read flags, limits, bans and settings again."""
    await services.db.execute("SELECT pg_notify('village_memories', 'all')")
    return 0, "Every process was told; it reads flags, limits, bans and settings again."


def absent(why: str) -> Callable[[Services], Awaitable[tuple[int, str]]]:
    """What clearing does while there is no such cache: nothing, and it says why."""

    async def clear(_services: Services) -> tuple[int, str]:
        return 0, why

    return clear


CACHES: dict[str, tuple[str, Callable[[Services], Awaitable[tuple[int, str]]]]] = {
    "weather-cache": ("What was last heard of each spot's weather.", clear_weather),
    "page-cache": ("Pages that web processes keep ready in memory.", clear_pages),
    "memory-cache": ("Flags, limits, bans and settings in each process.", clear_memories),
    "ai-tagging-cache": (
        "Tags that a model gave to a text.",
        results.clear,
    ),
    "ai-embedding-cache": (
        "What a model makes of a text to compare it.",
        absent("We compare texts without a model, so there is nothing to clear."),
    ),
    "stock-cache": ("Prices of stocks as last heard.", clear_stocks),
}


def listed() -> CacheList:
    """Every cache that can be cleared."""
    items = [Cache(name, holds) for name, (holds, _) in CACHES.items()]
    return CacheList(items, len(items))


async def clear(services: Services, who: Reader, name: str, reason: str = "") -> Cleared:
    """Clear one cache by its name; what is behind it stays. Raises Invalid for a name that there is not."""
    if name not in CACHES:
        sentence = f"Choose one of {', '.join(CACHES)}."
        raise Invalid("There is no cache of that name.", errors={"cache_name": sentence})
    async with services.tx() as tx:
        cleared, why = await CACHES[name][1](tx)
        after = {"cleared": cleared}
        await audit.add(tx, who, "cache.cleared", ("cache", name), reason, after=after)
    return Cleared(name, cleared, why)
