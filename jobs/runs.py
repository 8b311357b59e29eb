"""One attempt of one job: what the job may ask of it, and how its end is judged."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any

import structlog

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


class Run:
    """One attempt. A job finds it as `services.job`."""

    __slots__ = (
        "holder",
        "job",
        "kind",
        "lease_ends",
        "recorded",
        "services",
        "started",
        "task",
        "why",
    )

    def __init__(self, services: Services, holder: str, job: Claimed, kind: JobType) -> None:
        self.services = services
        self.holder = holder
        self.job = job
        self.kind = kind
        self.started = time.monotonic()
        self.lease_ends = self.started + kind.lease
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
        """Give True when the step is still to be done; when the block ends well, it is remembered as done."""
        fresh = not await running.has_taken_effect(self.services, self.job, name)
        yield fresh
        if fresh:
            await running.record_effect(self.services, self.holder, self.job, name)

    async def report(self, progress: Any) -> None:
        """Show how far the job is. Raises NotOurs when it was cancelled or lost."""
        if not await running.report(self.services, self.holder, self.job, progress):
            raise NotOurs

    async def end(self, tx: Services) -> None:
        """Mark the job done in the transaction of its effect. Raises NotOurs, which undoes the effect."""
        ending = Ending(self.job, "ok", self.run_ms())
        if self.id not in await running.finish(tx, self.holder, [ending]):
            raise NotOurs
        self.recorded = True

    def run_ms(self) -> int:
        """How long this attempt has been running."""
        return round((time.monotonic() - self.started) * 1000)

    def stop(self, why: str) -> None:
        """Cancel the attempt: `time-out`, `lost` or `stopped`."""
        if self.why is None and self.task is not None and not self.task.done():
            self.why = why
            self.task.cancel()

    async def carry_out(self) -> Ending | None:
        """Run the job's function; answer how it ended, None when that is no longer ours to say."""
        job = self.job
        structlog.contextvars.bind_contextvars(
            job_id=job.id, job_type=job.job_type, attempt=job.attempt, queue=job.queue, **job.trace
        )
        services = dataclasses.replace(self.services, job=self, trace=job.trace)
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
