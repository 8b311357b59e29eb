"""A worker process: which families it runs, and `python -m app work`."""

import asyncio
import signal
import sys

import structlog
import uvloop

from app.config import MISCONFIGURED, Misconfigured, Settings
from app.db import SCHEMA_VERSION, schema_version
from app.domain.platform.jobs import beats
from app.domain.platform.jobs.types import FAMILIES
from app.errors import ServiceDown
from app.log import start_logging
from app.services import Services
from app.start import open_services
from jobs import health
from jobs.working import RECONNECT_SECONDS, Worker

log = structlog.get_logger("jobs")

SPARE_CONNECTIONS = 6


def slots_of(settings: Settings) -> dict[str, int]:
    """Slots of the families that this process runs. Raises Misconfigured for an unknown family."""
    many = {
        "HIGH": settings.job_slots_high,
        "DEFAULT": settings.job_slots_default,
        "LOW": settings.job_slots_low,
        "BULK": settings.job_slots_bulk,
        "SCREENSHOT": settings.screenshot_concurrency,
    }
    mode = settings.job_processing_mode.strip() or "all"
    if mode.lower() == "off":
        return {}
    # Nothing registered needs a browser yet; with such types SCREENSHOT runs in a process of its own.
    wanted = (
        FAMILIES[:4]
        if mode.lower() == "all"
        else [name.strip().upper() for name in mode.split(",")]
    )
    unknown = [name for name in wanted if name not in many]
    if unknown:
        raise Misconfigured(
            f"JOB_PROCESSING_MODE is off, all or a list of {', '.join(FAMILIES)}, not {unknown[0]}."
        )
    return {name: many[name] for name in wanted}


async def main(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT; return the exit code."""
    slots = slots_of(settings)
    if not slots:
        print("JOB_PROCESSING_MODE=off: nothing to work on.", file=sys.stderr)
        return 0
    async with open_services(
        settings, pool_size=sum(slots.values()) + SPARE_CONNECTIONS
    ) as services:
        if not await has_our_schema(services):
            return MISCONFIGURED
        worker = Worker(services, slots)
        for number in (signal.SIGTERM, signal.SIGINT):
            worker.loop.add_signal_handler(number, worker.stopping.set)
        async with health.shown(settings.host, settings.metrics_port, worker.is_ready):
            log.info("worker started", holder=worker.holder, families=list(slots))
            await worker.work()
            log.info("worker stopped", holder=worker.holder)
    return 0


async def has_our_schema(services: Services) -> bool:
    """Wait for PostgreSQL, and say whether its schema is the program's."""
    while True:
        try:
            version = await schema_version(services.db)
        except ServiceDown:
            log.warning("worker waits", why="database away")
            await asyncio.sleep(RECONNECT_SECONDS)
            continue
        if version != SCHEMA_VERSION:
            log.error(
                "wrong schema", version=version, needed=SCHEMA_VERSION, mend="python -m app migrate"
            )
        return version == SCHEMA_VERSION


def run(settings: Settings) -> int:
    """The worker process; called by `python -m app work`."""
    writer = start_logging(settings)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main(settings))
    finally:
        writer.flush()


def check(settings: Settings) -> int:
    """Exit code 0 when a worker of this machine was seen lately; for `python -m app work --check`."""
    return asyncio.run(checked(settings))


async def checked(settings: Settings) -> int:
    """Ask PostgreSQL for a live worker on this machine."""
    async with open_services(settings, pool_size=1) as services:
        try:
            alive = await beats.is_worker_here(services)
        except ServiceDown:
            print("PostgreSQL does not answer.", file=sys.stderr)
            return 1
    print("A worker is well." if alive else "No worker of this machine was seen in 15 s.")
    return 0 if alive else 1
