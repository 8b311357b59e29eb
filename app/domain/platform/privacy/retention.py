"""Retention: each night the registry's ages are walked, and what is too old goes."""

import asyncio

import structlog

from app.domain.platform.privacy.registry import PLACES
from app.domain.platform.privacy.statements import BATCH, ageing, run
from app.services import Services

log = structlog.get_logger("privacy")

PAUSE_SECONDS = 0.1


async def sweep(services: Services) -> dict[str, int]:
    """Delete or clear what is past its age, 5,000 rows a statement; answer rows by table."""
    gone: dict[str, int] = {}
    for place in PLACES:
        if place.age is not None:
            statement = ageing(place.name, place.age)
            gone[place.name] = gone.get(place.name, 0) + await run_down(services, statement)
    log.info("retention swept", **{table: rows for table, rows in gone.items() if rows})
    return gone


async def run_down(services: Services, statement: str) -> int:
    """Run one statement until it finds less than a batch; answer the rows it found."""
    total = 0
    while True:
        rows = await run(services, statement)
        total += rows
        if rows < BATCH:
            return total
        await asyncio.sleep(PAUSE_SECONDS)
