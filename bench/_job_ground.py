"""What the benchmarks of the job ledger stand on: servers of their own, a fresh database, workers in this process."""

import asyncio
import contextlib
import dataclasses
import io
import json
import os
import statistics
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from app import config
from app.box import Box
from app.config import Settings
from app.db import Database, migrate, open_pool
from app.domain.platform.jobs.ledger import Ledger
from app.domain.platform.jobs.types import Registry
from app.services import Letter, Services
from jobs.working import Worker

ROOT = Path(__file__).resolve().parent.parent
QUIET = [structlog.stdlib.add_log_level, structlog.processors.JSONRenderer()]


@contextlib.contextmanager
def servers() -> Iterator[Box]:
    """PostgreSQL and Redis that wait for the disk as in production."""
    with Box(ROOT / "var" / "bench", ("postgres", "redis"), spare=True) as box:
        yield box


async def fresh(box: Box, name: str, **given: Any) -> Settings:
    """Settings that lead to a new database made from schema.sql."""
    url = box.env.get("DATABASE_URL") or os.environ["DATABASE_URL"]
    redis = box.env.get("REDIS_URL") or os.environ["REDIS_URL"]
    connection = await asyncpg.connect(url.rsplit("/", 1)[0] + "/postgres")
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    given = {"redis_url": redis, "database_url": f"{url.rsplit('/', 1)[0]}/{name}", **given}
    settings = config.load({"ENVIRONMENT": "test", "VAR_DIR": str(ROOT / "var" / "bench")}, **given)
    await migrate(settings)
    return settings


def no_letter(template: str, **context: Any) -> Letter:
    """These benchmarks write no letters."""
    return Letter(template, "", "")


@contextlib.asynccontextmanager
async def services_on(settings: Settings, registry: Registry) -> AsyncIterator[Services]:
    """Services with job types of the benchmark."""
    pool = await open_pool(settings)
    try:
        yield Services(settings, Database(pool), Ledger(registry), no_letter)
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def working(services: Services, **slots: int) -> AsyncIterator[Worker]:
    """A worker in this process while the block lasts, seen by the relay."""
    worker = Worker(services, slots)
    task = asyncio.create_task(worker.work())
    try:
        while not all(relay.slots for relay in worker.relays.values()):
            await asyncio.sleep(0.05)
        yield worker
    finally:
        worker.stopping.set()
        await task


def log_to_nowhere() -> None:
    """Make each line as in production, and write it to memory."""
    structlog.configure(
        processors=QUIET, logger_factory=structlog.PrintLoggerFactory(io.StringIO())
    )


def median_of(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def report(name: str, ratio: float, detail: dict[str, Any]) -> None:
    """The last line of a benchmark."""
    print(json.dumps({"bench": name, "ratio": round(ratio, 3), "detail": detail}))


def with_settings(services: Services, **changed: Any) -> Services:
    """Services with other settings."""
    return dataclasses.replace(services, settings=dataclasses.replace(services.settings, **changed))
