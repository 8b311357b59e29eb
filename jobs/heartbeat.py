"""The heartbeat: a thread of its own that keeps leases alive, also while the worker's loop is blocked."""

import asyncio
import dataclasses
import os
import threading
import time
from typing import TYPE_CHECKING

import asyncpg
import structlog

from app.db import AWAY, Database, prepare_connection
from app.domain.platform.jobs import beats, running
from app.errors import ServiceDown
from app.services import Services
from jobs.runs import Run

if TYPE_CHECKING:
    from jobs.working import Worker

log = structlog.get_logger("jobs")

ROUND_SECONDS = 1.0
SEEN_SECONDS = 5.0
# After its time-out a job is cancelled; one that does not stop takes its process along.
STUCK_SECONDS = 10.0
STUCK_EXIT = 70  # EX_SOFTWARE of sysexits.h


class Heartbeat(threading.Thread):
    """Extends leases each third of them, enforces time-outs, and says that this worker lives."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.worker = worker
        self.ending = threading.Event()
        self.seen_at = 0.0

    def run(self) -> None:
        """Beat in an event loop of this thread until `end`."""
        asyncio.run(self.beat_forever())

    def end(self) -> None:
        """Stop after the round that runs, and take the worker off the list."""
        self.ending.set()

    async def beat_forever(self) -> None:
        """Keep one connection; go round each second whether PostgreSQL answers or not."""
        services: Services | None = None
        while not self.ending.is_set():
            began = time.monotonic()
            services = await self.go_round(services)
            await asyncio.sleep(max(0.05, ROUND_SECONDS - (time.monotonic() - began)))
        if services is not None:
            await self.close(services)

    async def go_round(self, services: Services | None) -> Services | None:
        """Look at the time and beat once; return the connection that answered, None when there is none."""
        try:
            self.look_at_time()
            if services is None or services.db.connection.is_closed():
                services = await self.connected()
            async with asyncio.timeout(5):
                await self.beat(services)
            return services
        except (*AWAY, ServiceDown):
            log.warning("heartbeat waits", why="database away")
        # Whatever else goes wrong must not end the thread that keeps all leases.
        except Exception:
            log.exception("heartbeat missed")
        if services is not None:
            services.db.connection.terminate()
        return None

    async def connected(self) -> Services:
        """Services on a connection of this thread's loop."""
        settings = self.worker.services.settings
        connection = await asyncpg.connect(
            settings.database_url,
            timeout=5,
            server_settings={"application_name": "village heartbeat"},
        )
        await prepare_connection(connection)
        return dataclasses.replace(self.worker.services, db=Database(None, connection))

    async def close(self, services: Services) -> None:
        """Leave the list of workers."""
        try:
            async with asyncio.timeout(2):
                await beats.leave(services, self.worker.holder)
                await services.db.connection.close()
        except (*AWAY, ServiceDown):
            services.db.connection.terminate()

    def look_at_time(self) -> None:
        """Stop what ran over its time-out or lost its lease; end the process when a job does not stop."""
        now = time.monotonic()
        for run in self.worker.runs():
            if now > run.lease_ends:
                self.stop(run, "lost")
            elif now > run.must_end:
                self.stop(run, "time-out")
            if now > run.must_end:
                # Counted from when it was told: after a time in which the process was frozen, it has heard nothing yet.
                run.over_since = run.over_since or now
                if now > run.over_since + STUCK_SECONDS:
                    self.exit_stuck(run)

    def stop(self, run: Run, why: str) -> None:
        """Cancel a run in the worker's loop; one that is lost writes nothing from this moment on."""
        if why == "lost":
            run.fence()
        if run.why is None:
            self.worker.loop.call_soon_threadsafe(run.stop, why)

    async def beat(self, services: Services) -> None:
        """Extend what has used a third of its lease; learn what is no longer ours."""
        now = time.monotonic()
        runs = self.worker.runs()
        due = [run for run in runs if run.lease_ends - now < run.kind.lease * 2 / 3]
        is_round = now - self.seen_at >= SEEN_SECONDS
        asked = runs if is_round else due
        if asked:
            jobs = [
                (run.job.id, run.job.attempt, run.kind.lease if run in due else None)
                for run in asked
            ]
            ours = await beats.extend(services, self.worker.holder, jobs)
            for run in asked:
                if run.job.id not in ours:
                    self.stop(run, "lost")
                elif run in due:
                    run.lease_ends = now + run.kind.lease
        if is_round:
            self.seen_at = now
            await beats.be_seen(
                services, self.worker.holder, self.worker.slots(), self.worker.busy()
            )

    def exit_stuck(self, run: Run) -> None:
        """End the process: this job neither ends nor lets itself be cancelled."""
        log.error("job stuck", job_id=run.job.id, job_type=run.job.job_type, exit=STUCK_EXIT)
        threading.Thread(target=self.save_others, daemon=True).start()
        time.sleep(3)
        os._exit(STUCK_EXIT)

    def save_others(self) -> None:
        """Claim nothing any more, and leave PostgreSQL in order."""
        self.worker.loop.call_soon_threadsafe(self.worker.stopping.set)
        asyncio.run(self.give_back())

    async def give_back(self) -> None:
        """Write the end of attempts that are over their time, and give the others back, before the process ends.

        The loop may live while it waits for the stuck job, so each run is fenced first: from then on it commits
        nothing, whoever has its job by now.
        """
        runs = self.worker.runs()
        for run in runs:
            run.fence()
        over = [run for run in runs if time.monotonic() > run.must_end]
        others = [run for run in runs if run not in over]
        for run in others:
            self.stop(run, "stopped")
        services = await self.connected()
        await running.give_back(services, self.worker.holder, [run.id for run in others])
        ends = [
            run.failed(f"Did not stop after its time-out of {run.kind.timeout:g} s.")
            for run in over
        ]
        await running.finish(services, self.worker.holder, ends)
        await services.db.connection.close()
