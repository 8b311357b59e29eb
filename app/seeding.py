"""python -m app seed: first feeds with their tags, places and buckets. Loading twice changes nothing."""

from collections.abc import Awaitable, Callable

from app.config import Settings
from app.domain.homepage import catalogue
from app.domain.platform import objects, places, rate_limits
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


SEEDS: dict[str, Callable[[Services], Awaitable[object]]] = {
    "limits": rate_limits.seed,
    "flags": shipped.seed,
    "feeds": feeds,
    "places": places.seed,
    "buckets": buckets,
}

# Only by name, for bin/run --demo.
DEMO = {"demo_flags": shipped.seed_demo}
# What a site cannot open without; `python -m app migrate` loads it too, so that a release needs no other command.
NEEDED = ["limits", "flags"]


async def seed(settings: Settings, wanted: list[str]) -> int:
    """Load what is named, or all; answer the exit code."""
    unknown = [name for name in wanted if name not in SEEDS | DEMO]
    if unknown:
        print(f"There is no seed {unknown[0]}. Choose from: {', '.join(SEEDS)}.")
        return 2
    async with open_services(settings) as services:
        for name in wanted or SEEDS:
            try:
                loaded = await (SEEDS | DEMO)[name](services)
            except Problem as problem:
                print(f"{name}: {problem.sentence}")
                return 69
            print(f"{name}: {'there already' if loaded == 0 else 'loaded'}")
    return 0
