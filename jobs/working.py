"""What the families of one worker process share, and its life from start to stop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any

import asyncpg
import structlog

from app.db import AWAY
from app.domain.platform import memories, metrics
from app.domain.platform.flags import exposures
from app.domain.platform.jobs import clock, counts, endings, leases, relay, running, sweeper
from app.domain.platform.jobs.stats import Tally
from app.errors import ServiceDown
from app.services import Services
from jobs import engine, hints
from jobs.families import FIRST_FAMILIES, LAST_FAMILIES, Family
from jobs.heartbeat import Heartbeat
from jobs.relays import Relay
from jobs.runs import Run
from jobs.schedule import SCHEDULES

log = structlog.get_logger("jobs")

STOP_SECONDS = 25.0
RECONNECT_SECONDS = 1.0
TALLY_SECONDS = 1.0


class Worker:
    """What the families of one process share."""

    def __init__(self, services: Services, slots: dict[str, int]) -> None:
        self.services = services
        # Until work begins there is but one pool.
        self.engine = services
        self.holder = sweeper.holder_name()
        self.types = services.ledger.registry
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        self.tally = Tally()
        self.pause_seconds = RECONNECT_SECONDS
        self.lane = hints.lane(services.settings.redis_url) if services.settings.redis_url else None
        self.families = {queue: Family(self, queue, many) for queue, many in slots.items()}
        self.relays = (
            {queue: Relay(self, queue, self.lane) for queue in slots}
            if self.lane is not None
            else {}
        )
        self.letters: set[asyncio.Task[None]] = set()

    @property
    def has_lane(self) -> bool:
        """Whether Redis is set up at all."""
        return self.lane is not None

    def runs(self) -> list[Run]:
        """Every attempt that runs now; may be asked from another thread."""
        return [run for family in self.families.values() for run in list(family.runs.values())]

    def slots(self) -> dict[str, int]:
        """Slots by family."""
        return {queue: family.slots for queue, family in self.families.items()}

    def busy(self) -> dict[str, int]:
        """Slots with a job by family."""
        return {queue: len(family.runs) for queue, family in self.families.items()}

    def taken(self, queue: str, ids: Iterable[int]) -> None:
        """Tell our own relay which hints are used up."""
        if queue in self.relays:
            self.relays[queue].taken(ids)

    def lose_lane(self, queue: str) -> None:
        """Redis does not answer."""
        self.families[queue].lose_lane()

    def must_yield(self, family: Family) -> bool:
        """Whether a family starts nothing because HIGH or DEFAULT has waited too long for a slot here."""
        if family.queue not in LAST_FAMILIES:
            return False
        return any(
            self.families[queue].has_waited for queue in FIRST_FAMILIES if queue in self.families
        )

    def tell_of_dead(self, dead: list[tuple[int, str, str, str | None]]) -> None:
        """Log, count and write of jobs that died, beside the work."""
        letter = asyncio.create_task(self.write_of_dead(dead))
        self.letters.add(letter)
        letter.add_done_callback(self.letters.discard)

    async def write_of_dead(self, dead: list[tuple[int, str, str, str | None]]) -> None:
        """The console shows dead jobs in any case: without a database there is no letter."""
        try:
            await endings.tell_of_dead(self.services, dead)
        except ServiceDown:
            log.warning("letter about dead jobs not written", why="database away")

    def called(self, name: str) -> None:
        """A notification from PostgreSQL: a family has due work, or the brakes have changed."""
        for queue in self.families:
            if name in (queue, "all"):
                self.families[queue].call()
                if queue in self.relays:
                    self.relays[queue].call()
            elif name == "brakes":
                self.families[queue].read_brakes()

    async def work(self) -> None:
        """Run until `stopping` is set; then finish what can be finished, and give the rest back."""
        async with engine.opened(self.services) as self.engine:
            heartbeat = Heartbeat(self)
            heartbeat.start()
            loops = [asyncio.create_task(self.kept(loop)) for loop in self.loops()]
            families = [asyncio.create_task(family.forever()) for family in self.families.values()]
            try:
                await self.watched(families)
            finally:
                self.stopping.set()
                await ended(loops)
                await self.wind_down(families)
                heartbeat.end()
                await asyncio.to_thread(heartbeat.join, 5)
                if self.lane is not None:
                    await self.lane.aclose(close_connection_pool=True)

    async def watched(self, families: list[asyncio.Task[None]]) -> None:
        """Wait until we are told to stop; a family that breaks ends the process, to be started anew."""
        stop = asyncio.create_task(self.stopping.wait())
        done, _ = await asyncio.wait([stop, *families], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    def loops(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What goes on beside the families."""
        found: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self.listen,
            self.tick,
            self.write_tally,
            partial(sweeper.sweep_forever, self.services),
            partial(memories.keep_reading, self.services),
            partial(exposures.keep_writing, self.services),
            partial(metrics.keep_exposing, self.services),
        ]
        found += [one.forever for one in self.relays.values()]
        if self.lane is not None:
            lane = self.lane
            found += [partial(hints.listen, family, lane) for family in self.families.values()]
        return found

    async def kept(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Start a loop again when it broke, so that one fault never silences the clock or the relay."""
        while not self.stopping.is_set():
            try:
                await loop()
            # Whatever broke it is logged whole.
            except Exception:
                log.exception("loop broke", loop=getattr(loop, "__qualname__", "loop"))
            await asyncio.sleep(self.pause_seconds)

    async def wind_down(self, families: list[asyncio.Task[None]]) -> None:
        """Give running jobs 25 s, return the others, and leave no hint behind."""
        for family in self.families.values():
            family.wake.set()
        await asyncio.wait(families, timeout=STOP_SECONDS)
        rest = self.runs()
        for run in rest:
            run.stop("stopped")
        tasks = [run.task for run in rest if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        # What ended all the same is written down as it ended.
        rest = self.runs()
        unused = [job_id for family in self.families.values() for job_id in family.hints]
        for run in rest:
            run.fence()
        try:
            if rest:
                await running.give_back(self.engine, self.holder, [run.id for run in rest])
            await self.write_last(families)
            await relay.return_hints(self.engine, unused)
            await leases.release(self.engine, self.holder)
            await self.tally.write(self.engine)
        except ServiceDown:
            log.warning("worker leaves in silence", why="database away")
        await ended(families)

    async def write_last(self, families: list[asyncio.Task[None]]) -> None:
        """Let families write the ends that have gathered; what they run was given back."""
        for family in self.families.values():
            family.runs.clear()
            family.wake.set()
        await asyncio.wait(families, timeout=2)

    async def listen(self) -> None:
        """Hear from PostgreSQL what is due, on a connection without a pooler."""
        settings = self.services.settings
        url = settings.database_listen_url or settings.database_url
        while True:
            try:
                connection = await asyncpg.connect(url, timeout=5)
                ended = asyncio.Event()
                connection.add_termination_listener(lambda _connection: ended.set())  # noqa: B023
                await connection.add_listener(
                    "village_jobs", lambda _connection, _pid, _channel, name: self.called(name)
                )
                await connection.add_listener(
                    memories.CHANNEL,
                    lambda _connection, _pid, _channel, name: memories.call(self.services, name),
                )
                self.called("all")
                self.called("brakes")
                memories.call(self.services)
                try:
                    await ended.wait()
                finally:
                    await connection.close(timeout=1)
            except AWAY:
                log.warning("listening waits", why="database away")
            await asyncio.sleep(RECONNECT_SECONDS)

    async def tick(self) -> None:
        """The clock, while its lease is ours."""
        declared = False
        while True:
            seconds = clock.CLOCK_SECONDS
            try:
                if await leases.take(self.engine, "clock", self.holder, clock.CLOCK_LEASE):
                    if not declared:
                        await clock.declare(self.engine, SCHEDULES)
                        declared = True
                    await clock.tick(self.engine)
                    await counts.beat(self.engine, "clock")
                    seconds = await clock.seconds_to_next(self.engine)
                else:
                    declared = False
            except ServiceDown:
                declared = False
            await asyncio.sleep(seconds)

    async def write_tally(self) -> None:
        """Write the sums of the last second."""
        while True:
            await asyncio.sleep(TALLY_SECONDS)
            try:
                await self.tally.write(self.engine)
            except ServiceDown:
                log.debug("sums kept", why="database away")

    async def is_ready(self) -> bool:
        """Whether this worker takes jobs and PostgreSQL answers."""
        if self.stopping.is_set():
            return False
        try:
            async with asyncio.timeout(1):
                return bool(await self.services.db.fetchval("SELECT 1"))
        except (ServiceDown, TimeoutError):
            return False


async def ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they are over: Python 3.11 loses a cancellation that meets the end of a wait_for."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=0.5)
