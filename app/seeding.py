"""python -m app seed: tags, first feeds, places and buckets. Loading twice changes nothing."""

from collections.abc import Awaitable, Callable

from app.config import Settings
from app.domain.homepage import catalogue
from app.domain.platform import objects, places
from app.errors import Problem
from app.services import Services
from app.start import open_services


async def buckets(services: Services) -> None:
    """Make the buckets of the object store, where there is one."""
    store = services.outside.get("s3")
    if store is not None:
        await store.ensure_buckets(dict(objects.BUCKETS.values()))


SEEDS: dict[str, Callable[[Services], Awaitable[object]]] = {
    "feeds": catalogue.seed,
    "places": places.seed,
    "buckets": buckets,
}


async def seed(settings: Settings, wanted: list[str]) -> int:
    """Load what is named, or all; answer the exit code."""
    unknown = [name for name in wanted if name not in SEEDS]
    if unknown:
        print(f"There is no seed {unknown[0]}. Choose from: {', '.join(SEEDS)}.")
        return 2
    async with open_services(settings) as services:
        for name in wanted or SEEDS:
            try:
                await SEEDS[name](services)
            except Problem as problem:
                print(f"{name}: {problem.sentence}")
                return 69
            print(f"{name}: loaded")
    return 0
