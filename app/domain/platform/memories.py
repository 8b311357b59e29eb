"""What each process keeps in memory of the database: read again when PostgreSQL tells of a change, and each 30 s."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from app.domain.platform import limiters, site_settings
from app.domain.platform.flags import memory as flags
from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("memories")

# The payload is a name of READERS; the triggers that tell of a change call tell_memories('name').
CHANNEL = "village_memories"
LOOK_SECONDS = 30.0

# How each memory is read again, and whether it had changed. A new one is a line here and a trigger in schema.sql; what
# another folder of domain keeps adds its line when it is imported.
READERS: dict[str, Callable[[Services], Awaitable[bool]]] = {
    "flags": flags.refresh,
    "limits": limiters.refresh,
    "settings": site_settings.refresh,
}


class Calls:
    """The memories that are due, and what wakes the loop that reads them."""

    def __init__(self) -> None:
        self.due: set[str] = set()
        self.wake = asyncio.Event()


def calls_of(services: Services) -> Calls:
    """Return the calls of this process."""
    found: Calls | None = services.memory.get("calls")
    if found is None:
        found = services.memory["calls"] = Calls()
    return found


def call(services: Services, name: str = "all") -> None:
    """Say that a memory (or all) has to be read again; called by whoever holds the listening connection."""
    calls = calls_of(services)
    calls.due.update(READERS if name == "all" else {name} & READERS.keys())
    calls.wake.set()


async def read(services: Services, names: Iterable[str] = READERS) -> bool:
    """Read these memories again; return whether one changed. While the database is away the last known values stay."""
    changed = False
    for name in list(names):
        try:
            changed |= await READERS[name](services)
        except ServiceDown:
            log.debug("memory stays as it was", memory=name, why="database away")
        # One that cannot be read must not keep the others from being read.
        except Exception:
            log.exception("memory not read", memory=name)
    return changed


async def keep_reading(services: Services, renew: Callable[[], object] = lambda: None) -> None:
    """Read what was called for at once, and all of it each 30 s; `renew` is called after a change. Ends when cancelled."""
    calls = calls_of(services)
    while True:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await calls.wake.wait()
        except TimeoutError:
            calls.due.update(READERS)
        calls.wake.clear()
        names, calls.due = sorted(calls.due), set()
        if await read(services, names):
            renew()
