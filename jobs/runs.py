"""One attempt of one job: what the job may ask of it, and how its end is judged."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any

import structlog

from app.db import Database
from app.domain.platform.jobs import running
from app.domain.platform.jobs.running import Claimed, Ending
from app.domain.platform.jobs.types import JobType
from app.errors import Defer, Invalid, NotFound, Problem
from app.services import Services

log = structlog.get_logger("jobs")


class NotOurs(Exception):
    """The job was given to somebody else, or cancelled: nothing of this attempt may be written."""


# Whoever asks for more patience than a day is wrong or lies.
LONGEST_WAIT = 86_400.0


class RunDatabase(Database):
    """The database as one attempt sees it: closed once the job is somebody else's."""

    def __init__(self, services: Services, run: "Run") -> None:
        super().__init__(services.db.pool, services.db.connection, services.db.timeout)
        self.run = run

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[Any]:
        """One connection for several statements. Raises ServiceDown, NotOurs."""
        self.run.check()
        async with super().held() as connection:
            yield connection


class Run:
    """One attempt. A job finds it as `services.job`.

    `engine` runs the ledger's statements, `services` those of the job.
    """

    __slots__ = (
        "engine",
        "fenced",
        "holder",
        "job",
        "kind",
        "lease_ends",
        "must_end",
        "over_since",
        "recorded",
        "services",
        "started",
        "task",
        "why",
    )

    def __init__(
        self,
        services: Services,
        engine: Services,
        holder: str,
        job: Claimed,
        kind: JobType,
        claimed_at: float,
    ) -> None:
        self.services = services
        self.engine = engine
        self.holder = holder
        self.job = job
        self.kind = kind
        self.started = time.monotonic()
        # PostgreSQL counts from the claim, for which we asked before: the lease never ends earlier than we believe.
        self.lease_ends = claimed_at + kind.lease
        self.must_end = self.started + kind.timeout
        # When it was first seen to be over its time-out.
        self.over_since: float | None = None
        self.fenced = False
        self.task: asyncio.Task[None] | None = None
        self.why: str | None = None
        self.recorded = False

    @property
    def id(self) -> int:
        """The job's id."""
        return self.job.id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self.job.attempt

    def key(self, step: str) -> str:
        """The name under which the outside world shall know this step, the same in every attempt."""
        return f"job-{self.job.id}-{step}"

    @contextlib.asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[bool]:
        """Give True when the step is still to be done; when the block ends well, it is remembered as done.

        Raises NotOurs when the job was cancelled or lost: before the block, so that nothing happens, or after it;
        then what happened outside is remembered all the same, for the attempt that holds the job now.
        """
        taken, ours = await running.step(self.engine, self.holder, self.job, name)
        if self.fenced or not ours:
            raise NotOurs
        yield not taken
        if not taken:
            record = running.record_effect(self.engine, self.holder, self.job, name)
            # A cancellation that comes now must not make us forget it.
            if not await asyncio.shield(asyncio.ensure_future(record)):
                raise NotOurs

    async def report(self, progress: Any) -> None:
        """Show how far the job is. Raises NotOurs when it was cancelled or lost."""
        self.check()
        if not await running.report(self.engine, self.holder, self.job, progress):
            raise NotOurs

    def fence(self) -> None:
        """Let this attempt write nothing more: its job is given to somebody else, or was taken. From any thread."""
        self.fenced = True

    def check(self) -> None:
        """Raise NotOurs once the job is somebody else's, or may be: a frozen process learns it by its own clock first."""
        if time.monotonic() > self.lease_ends:
            self.fence()
        if self.fenced:
            raise NotOurs

    async def end(self, tx: Services) -> None:
        """Mark the job done in the transaction of its effect. Raises NotOurs, which undoes the effect."""
        self.check()
        ending = Ending(self.job, "ok", self.run_ms())
        if self.id not in await running.finish(tx, self.holder, [ending]):
            raise NotOurs
        self.recorded = True

    def run_ms(self) -> int:
        """How long this attempt has been running."""
        return round((time.monotonic() - self.started) * 1000)

    def stop(self, why: str) -> None:
        """Cancel the attempt: `time-out`, `lost` or `stopped`. After `lost` it writes nothing more."""
        if why == "lost":
            self.fence()
        if self.why is None and self.task is not None and not self.task.done():
            self.why = why
            self.task.cancel()

    async def carry_out(self) -> Ending | None:
        """Run the job's function; answer how it ended, None when that is no longer ours to say."""
        ending = await self.attempted()
        return None if self.fenced and not self.recorded else ending

    async def attempted(self) -> Ending | None:
        """Run the job's function and judge its end."""
        job = self.job
        structlog.contextvars.bind_contextvars(
            job_id=job.id, job_type=job.job_type, attempt=job.attempt, queue=job.queue, **job.trace
        )
        database = RunDatabase(self.services, self)
        services = dataclasses.replace(self.services, db=database, job=self, trace=job.trace)
        try:
            await self.call(services)
        except asyncio.CancelledError:
            if self.why != "time-out":
                return None
            return self.failed(f"Ran over its time-out of {self.kind.timeout:g} s.")
        except NotOurs:
            return None
        except Defer as error:
            return Ending(job, "deferred", self.run_ms(), str(error) or None, until=error.until)
        except (Invalid, NotFound) as error:
            return Ending(job, "dead", self.run_ms(), f"{type(error).__name__}: {error}")
        except Problem as error:
            return self.failed(f"{type(error).__name__}: {error}", error.retry_after or 0)
        # Whatever else a job raises is a fault of ours: it is logged whole and tried again.
        except Exception as error:
            log.warning("job failed", exc_info=True)
            return self.failed(f"{type(error).__name__}: {error}")
        return Ending(job, "ok", self.run_ms(), recorded=self.recorded)

    async def call(self, services: Services) -> None:
        """Call the function with its arguments; in a transaction that ends the job where the type says so."""
        arguments = self.kind.values(self.job.payload)
        if not self.kind.atomic:
            await self.kind.run(services, **arguments)
            return
        async with services.tx(ends_job=True) as tx:
            await self.kind.run(tx, **arguments)

    def failed(self, error: str, retry_after: float = 0) -> Ending:
        """The end of an attempt that may be made again, unless it was the last."""
        if self.job.attempt >= self.job.max_attempts:
            return Ending(self.job, "dead", self.run_ms(), error)
        delay = max(running.retry_delay(self.job.attempt), min(retry_after, LONGEST_WAIT))
        return Ending(self.job, "retry", self.run_ms(), error, delay)
