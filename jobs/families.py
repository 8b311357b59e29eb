"""One family of jobs in one worker: its slots, its hints, and the loop that claims and ends in batches."""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import asyncpg
import structlog

from app.domain.platform.jobs import controls, endings, relay, running
from app.domain.platform.jobs.running import Claimed, Ending
from app.errors import ServiceDown
from jobs.runs import Run

if TYPE_CHECKING:
    from jobs.working import Worker

log = structlog.get_logger("jobs")

# How often a family looks at PostgreSQL by itself, for what the fast lane lost.
LOOK_SECONDS = {"HIGH": 5.0, "DEFAULT": 10.0, "SCREENSHOT": 10.0, "LOW": 30.0, "BULK": 60.0}
FIRST_FAMILIES = ("HIGH", "DEFAULT")
LAST_FAMILIES = ("LOW", "BULK")
PATIENCE_SECONDS = 2.0
# Told of each change, a family reads the brakes at once; for a word that got lost it looks by itself.
BRAKES_SECONDS = 30.0
# With a limit on slots or rate, due jobs are counted and claimed from PostgreSQL at this pace.
COUNTED_LOOK_SECONDS = 1.0
# After a sign of work the fast lane is polled at ARQ's full pace for so long.
EAGER_SECONDS = 0.25
QUICK_SECONDS = 0.1
# Ends are gathered for so long, or up to so many, and written in one statement.
GATHER_SECONDS = 0.02
GATHER_MOST = 50


class Family:
    """The jobs of one family that this process runs."""

    def __init__(self, worker: "Worker", queue: str, slots: int) -> None:
        self.worker = worker
        self.queue = queue
        self.slots = slots
        self.runs: dict[int, Run] = {}
        self.hints: dict[int, float] = {}
        self.endings: list[Ending] = []
        self.wake = asyncio.Event()
        self.called = asyncio.Event()
        self.look_at = 0.0
        self.eager_until = 0.0
        self.full_since: float | None = None
        self.limited = False
        self.brakes: list[controls.Brake] = []
        self.brakes_due = 0.0
        self.lane_away = not worker.has_lane
        self.finish_at: float | None = None
        self.run_seconds = 0.0

    @property
    def free(self) -> int:
        """Slots without a job."""
        return self.slots - len(self.runs)

    @property
    def wants_hints(self) -> bool:
        """Whether more hints help: for free slots, and ahead of them only while jobs are quick."""
        if self.worker.stopping.is_set():
            return False
        ahead = self.slots if self.run_seconds < QUICK_SECONDS else 0
        return len(self.hints) < max(self.free, ahead)

    @property
    def has_waited(self) -> bool:
        """Whether a job here has waited over two seconds for a slot."""
        if self.free > 0:
            return False
        since = next(iter(self.hints.values()), self.full_since)
        return since is not None and time.monotonic() - since > PATIENCE_SECONDS

    def take_hints(self, ids: Iterable[int]) -> None:
        """Remember jobs to claim, in their order."""
        now = time.monotonic()
        for job_id in ids:
            if job_id not in self.runs:
                self.hints.setdefault(job_id, now)
        self.eager_until = now + EAGER_SECONDS
        self.wake.set()

    def expect_hints(self) -> None:
        """There are hints in the fast lane, or soon will be."""
        self.eager_until = time.monotonic() + EAGER_SECONDS
        self.called.set()

    def call(self) -> None:
        """Something is due: look for hints eagerly, or at PostgreSQL while the fast lane is away."""
        self.expect_hints()
        if self.lane_away or self.limited:
            self.look_at = 0.0
            self.wake.set()

    def lose_lane(self) -> None:
        """Redis does not answer: claim from PostgreSQL."""
        if not self.lane_away:
            self.lane_away = True
            self.look_at = 0.0
            self.wake.set()

    def read_brakes(self) -> None:
        """The brakes have changed: read them before the next claim."""
        self.brakes_due = 0.0
        self.look_at = 0.0
        self.wake.set()

    async def forever(self) -> None:
        """End and claim whenever there is something to; returns when the worker stops and nothing runs."""
        while True:
            await self.wait()
            try:
                if self.must_finish:
                    await self.finish()
                if not self.worker.stopping.is_set():
                    await self.claim()
                elif not self.runs and not self.endings:
                    return
            except (ServiceDown, asyncpg.TransactionRollbackError):
                # PostgreSQL is away, or chose this statement to end a deadlock: nothing of it happened.
                await asyncio.sleep(self.worker.pause_seconds)
                self.wake.set()

    @property
    def must_finish(self) -> bool:
        """Whether the ends that have gathered should be written now. A limit counts what PostgreSQL says."""
        if not self.endings:
            return False
        if len(self.endings) >= GATHER_MOST or self.limited or self.worker.stopping.is_set():
            return True
        return self.finish_at is not None and time.monotonic() >= self.finish_at

    async def wait(self) -> None:
        """Wait until a hint, an ending or a signal comes, or until it is time to look or to write ends."""
        times = [] if self.finish_at is None else [self.finish_at]
        if self.free > 0 and not self.worker.stopping.is_set():
            times.append(self.look_at)
        timer = None
        if times:
            seconds = max(0.0, min(times) - time.monotonic())
            timer = asyncio.get_running_loop().call_later(seconds, self.wake.set)
        await self.wake.wait()
        self.wake.clear()
        if timer is not None:
            timer.cancel()

    async def claim(self) -> None:
        """Fill the free slots: from hints, and from PostgreSQL when it is time to look."""
        if time.monotonic() >= self.brakes_due:
            await self.refresh_brakes()
        if self.worker.must_yield(self):
            self.look_at = time.monotonic() + PATIENCE_SECONDS / 4
            return
        if self.limited and self.must_look:
            # Types with a limit get no hints: a lane full of lesser jobs must not keep all slots from an urgent one.
            await self.claim_due()
        if self.free > 0 and self.hints:
            await self.claim_hinted()
        if self.must_look:
            await self.claim_due()
        if self.hints and self.free > 0:
            self.wake.set()

    @property
    def must_look(self) -> bool:
        """Whether it is time to look at PostgreSQL, with a slot to fill."""
        return self.free > 0 and time.monotonic() >= self.look_at

    async def refresh_brakes(self) -> None:
        """Read the brakes; a change that is told meanwhile makes them be read again."""
        self.brakes_due = time.monotonic() + BRAKES_SECONDS
        try:
            self.brakes = await controls.brakes(self.worker.engine, self.queue)
        except ServiceDown:
            self.brakes_due = 0.0
            raise
        self.limited = any(brake.slots or brake.per_minute for brake in self.brakes)

    async def claim_hinted(self) -> None:
        """Claim the first hints, as many as slots are free; what may not start is given back to the relay."""
        asked_at = time.monotonic()
        hints = list(self.hints.items())[: self.free]
        ids = [job_id for job_id, _since in hints]
        jobs = await running.claim(
            self.worker.engine, self.worker.holder, self.queue, ids, self.worker.types
        )
        for job_id in ids:
            self.hints.pop(job_id, None)
        self.start(jobs, asked_at)
        self.worker.taken(self.queue, ids)
        if len(jobs) < len(ids):
            started = {job.id for job in jobs}
            refused = [job_id for job_id in ids if job_id not in started]
            await relay.return_hints(self.worker.engine, refused)

    async def claim_due(self) -> None:
        """Claim the first due jobs; while all slots fill up this way, look again as soon as one is free."""
        asked_at = time.monotonic()
        free = self.free
        claim = controls.claim_within if self.limited else running.claim_due
        jobs = await claim(
            self.worker.engine, self.worker.holder, self.queue, free, self.worker.types
        )
        self.start(jobs, asked_at)
        # A hint of theirs may still lie in the fast lane, so no room is told of here.
        more = self.lane_away and len(jobs) == free
        self.full_since = (self.full_since or time.monotonic()) if more else None
        pause = COUNTED_LOOK_SECONDS if self.limited else LOOK_SECONDS[self.queue]
        self.look_at = 0.0 if more else time.monotonic() + pause

    def start(self, jobs: list[Claimed], asked_at: float) -> None:
        """Begin a task for each claimed job."""
        worker = self.worker
        for job in jobs:
            kind = worker.types[job.job_type]
            run = Run(worker.services, worker.engine, worker.holder, job, kind, asked_at)
            if (older := self.runs.get(job.id)) is not None:
                # Cancelled, made to run again and claimed here before its heartbeat missed it.
                older.stop("lost")
            self.runs[job.id] = run
            run.task = asyncio.create_task(self.carry(run))

    async def carry(self, run: Run) -> None:
        """Carry one job out and leave its end for the next batch."""
        ending = None
        try:
            ending = await run.carry_out()
            if ending is not None:
                self.endings.append(ending)
                self.finish_at = self.finish_at or time.monotonic() + GATHER_SECONDS
                self.run_seconds += (ending.run_ms / 1000 - self.run_seconds) / 16
            elif run.why != "stopped":
                log.warning("job given up", job_id=run.id, why=run.why or "not ours any more")
        finally:
            # What was stopped without an end stays until it is given back.
            if (ending is not None or run.why != "stopped") and self.runs.get(run.id) is run:
                del self.runs[run.id]
            self.wake.set()

    async def finish(self) -> None:
        """Write all ends that have gathered in one statement; then count and log them."""
        batch, self.endings = self.endings, []
        self.finish_at = None
        unrecorded = [ending for ending in batch if not ending.recorded]
        try:
            ours = {ending.job.id for ending in batch if ending.recorded}
            if unrecorded:
                ours |= await self.write_ends(unrecorded)
        except ServiceDown:
            self.endings = batch + self.endings
            self.finish_at = time.monotonic() + self.worker.pause_seconds
            raise
        dead = []
        for ending in batch:
            job = ending.job
            if job.id not in ours:
                log.warning("end of a job discarded", job_id=job.id, attempt=job.attempt)
                continue
            self.worker.tally.add(
                job.queue, job.job_type, ending.outcome, job.wait_ms, ending.run_ms
            )
            endings.count(job.job_type, job.queue, ending.outcome, job.wait_ms, ending.run_ms)
            self.tell(ending)
            if ending.outcome == "dead":
                dead.append((job.id, job.job_type, job.queue, ending.error))
        if dead:
            self.worker.tell_of_dead(dead)

    async def write_ends(self, ends: list[Ending]) -> set[int]:
        """Write ends in one statement, or each alone where one of them cannot be written. Raises ServiceDown.

        What cannot be written at all is left to its lease: the sweeper takes it up.
        """
        engine, holder = self.worker.engine, self.worker.holder
        try:
            return await running.finish(engine, holder, ends)
        except ServiceDown:
            raise
        except Exception:
            log.exception("ends not written together", job_ids=[ending.job.id for ending in ends])
        ours: set[int] = set()
        for ending in ends:
            try:
                ours |= await running.finish(engine, holder, [ending])
            except ServiceDown:
                raise
            except Exception:
                log.exception("end not written", job_id=ending.job.id)
        return ours

    def tell(self, ending: Ending) -> None:
        """Write the attempt's one line of log."""
        job = ending.job
        log.info(
            "job ended",
            job_id=job.id,
            job_type=job.job_type,
            attempt=job.attempt,
            queue=job.queue,
            outcome=ending.outcome,
            wait_ms=job.wait_ms,
            run_ms=ending.run_ms,
            error=ending.error,
            **job.trace,
        )
