"""python -m app seed: first feeds with their tags, places and buckets. Loading twice changes nothing."""

import dataclasses
from collections.abc import Awaitable, Callable

from app import ops
from app.config import Settings
from app.domain.homepage import catalogue, market_days, stock_symbols
from app.domain.platform import audit, objects, places, rate_limits
from app.domain.platform.flags import shipped
from app.errors import Problem
from app.services import Services
from app.start import open_services


async def feeds(services: Services) -> None:
    """Load the catalogue, and have its feeds fetched now rather than at the clock's next minute."""
    await catalogue.seed(services)
    async with services.tx() as tx:
        await tx.enqueue("dispatch_feeds", key="seeded")


async def buckets(services: Services) -> None:
    """Make the buckets of the object store, where there is one."""
    store = services.outside.get("s3")
    if store is not None:
        await store.ensure_buckets(dict(objects.BUCKETS.values()))


async def demo_symbols(services: Services) -> None:
    """Have the demo world's companies listed now rather than at the end of the week."""
    async with services.tx() as tx:
        await tx.enqueue("list_symbols", key="seeded")


SEEDS: dict[str, Callable[[Services], Awaitable[object]]] = {
    "limits": rate_limits.seed,
    "flags": shipped.seed,
    "feeds": feeds,
    "places": places.seed,
    "symbols": stock_symbols.seed,
    "market_days": market_days.fill,
    "buckets": buckets,
}

# Only by name, for bin/run --demo.
DEMO = {"demo_flags": shipped.seed_demo, "demo_symbols": demo_symbols}
# What a site cannot open without; `python -m app migrate` loads it too, so that a release needs no other command.
NEEDED = ["limits", "flags", "market_days"]


async def seed(settings: Settings, wanted: list[str], command: str = "seed") -> int:
    """Load what is named, or all, written down with who called which command; answer the exit code."""
    unknown = [name for name in wanted if name not in SEEDS | DEMO]
    if unknown:
        print(f"There is no seed {unknown[0]}. Choose from: {', '.join(SEEDS)}.")
        return 2
    async with open_services(settings) as services:
        called = dataclasses.replace(services, origin=ops.origin())
        await audit.add(
            called, None, "cli.called", ("command", command), after=list(wanted or SEEDS)
        )
        for name in wanted or SEEDS:
            try:
                loaded = await (SEEDS | DEMO)[name](services)
            except Problem as problem:
                print(f"{name}: {problem.sentence}")
                return 69
            print(f"{name}: {'there already' if loaded == 0 else 'loaded'}")
    return 0
