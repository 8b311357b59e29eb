"""The relay of one family: one worker at a time brings due jobs from PostgreSQL to the fast lane as bare ids."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from app.domain.platform.jobs import counts, leases, relay
from app.errors import ServiceDown
from jobs import hints

if TYPE_CHECKING:
    from jobs.working import Worker

log = structlog.get_logger("jobs")

LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0
LOOK_SECONDS = 1.0
# While more is due than the fast lane may hold, the next look comes this soon, and later each time that nobody took any.
REFILL_SECONDS = 0.02
LONGEST_REFILL_SECONDS = 0.25


class Relay:
    """Brings hints of one family while this process holds its lease."""

    def __init__(self, worker: "Worker", queue: str, redis: ArqRedis) -> None:
        self.worker = worker
        self.queue = queue
        self.redis = redis
        self.wake = asyncio.Event()
        self.outstanding: dict[int, float] = {}
        self.holds_until = 0.0
        self.asked_at = 0.0
        self.slots = 0
        self.workers = 0
        self.brought_at = 0.0
        self.is_fed_here = False
        self.goes_on = False
        self.refill_seconds = REFILL_SECONDS

    def call(self) -> None:
        """Something of this family is due."""
        self.wake.set()

    def taken(self, ids: Iterable[int]) -> None:
        """These hints were used by our own process, so there is room for others."""
        for job_id in ids:
            self.outstanding.pop(job_id, None)
        self.is_fed_here = True
        if self.goes_on and len(self.outstanding) <= self.most // 2:
            self.wake.set()

    @property
    def most(self) -> int:
        """How many hints may lie in the fast lane."""
        return relay.HINTS_PER_SLOT * self.slots

    async def forever(self) -> None:
        """Relay whenever something is due and the lease is ours; ends when cancelled."""
        while True:
            try:
                if await self.holds():
                    await self.bring()
            except ServiceDown:
                self.holds_until = 0.0
            except (RedisError, OSError, TimeoutError):
                self.worker.lose_lane(self.queue)
                await self.hand_over()
                await asyncio.sleep(hints.RECONNECT_SECONDS)
            await self.wait()

    async def wait(self) -> None:
        """Wait for a call, or until it is time to look again."""
        seconds = self.refill_seconds if self.goes_on else LOOK_SECONDS
        if time.monotonic() >= self.holds_until:
            seconds = RENEW_SECONDS
        timer = asyncio.get_running_loop().call_later(seconds, self.wake.set)
        await self.wake.wait()
        timer.cancel()
        self.wake.clear()

    async def holds(self) -> bool:
        """Take or renew the lease each 3 s, and count the live slots with it; whether we hold it."""
        now = time.monotonic()
        if now < self.asked_at + RENEW_SECONDS:
            return now < self.holds_until
        self.asked_at = now
        services = self.worker.engine
        ours = await leases.take(services, f"relay:{self.queue}", self.worker.holder, LEASE_SECONDS)
        self.holds_until = now + LEASE_SECONDS if ours else 0.0
        if ours:
            self.workers, self.slots = await relay.live_slots(services, self.queue)
            await self.forget_taken()
            await counts.beat(services, "relay")
        return ours

    async def hand_over(self) -> None:
        """Let the lease end: another worker may reach Redis."""
        self.holds_until = 0.0
        with contextlib.suppress(ServiceDown):
            name = f"relay:{self.queue}"
            await leases.take(self.worker.engine, name, self.worker.holder, 0.0)

    async def bring(self) -> None:
        """Fill the fast lane up with hints of what is due, at most each 20 ms."""
        pause = self.brought_at + REFILL_SECONDS - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        self.brought_at = time.monotonic()
        if len(self.outstanding) > self.most // 2 and not self.is_fed_here:
            await self.forget_taken()
        self.is_fed_here = False
        room = self.most - len(self.outstanding)
        types = self.unbraked_types()
        if room <= 0 or not types:
            self.goes_on = room <= 0
            self.refill_seconds = min(2 * self.refill_seconds, LONGEST_REFILL_SECONDS)
            return
        ids = await relay.take(self.worker.engine, self.queue, room, types)
        self.outstanding.update(dict.fromkeys(ids, self.brought_at))
        self.goes_on = bool(ids)
        self.refill_seconds = REFILL_SECONDS
        if ids:
            await self.push(ids)
            self.worker.families[self.queue].expect_hints()

    async def push(self, ids: list[int]) -> None:
        """Bring hints; those that find no room may be given again as soon as there is some."""
        refused = await hints.push(self.redis, self.queue, ids, self.workers, self.most)
        if refused:
            # Redis counts a job twice whose hint of before still lies there; to ask at full pace would only move rows to and fro.
            self.refill_seconds = LONGEST_REFILL_SECONDS
            for job_id in refused:
                self.outstanding.pop(job_id, None)
            await relay.return_hints(self.worker.engine, refused)
            await self.forget_taken()

    def unbraked_types(self) -> list[str]:
        """The types that need no count before they start; none while the family itself is held."""
        brakes = self.worker.families[self.queue].brakes
        if any(brake.scope == "queue" for brake in brakes):
            return []
        held = {brake.name for brake in brakes}
        return [name for name in self.worker.types if name not in held]

    async def forget_taken(self) -> None:
        """Ask which hints still wait; the others were claimed by other processes, or are due for another hint.

        What lies in the fast lane takes room there, whoever brought it and whatever became of its job since. While all
        slots are busy, hints lie for long. They are no reason for further ones.
        """
        now = time.monotonic()
        there = await hints.lying(self.redis, self.queue)
        if not self.outstanding and not there:
            return
        waiting = await relay.still_waiting(self.worker.engine, [*self.outstanding, *there])
        unheard = now - relay.LOST_SECONDS
        since = {job_id: self.outstanding.get(job_id, unheard) for job_id in {*waiting, *there}}
        old = {job_id for job_id in there if now - since[job_id] > relay.LOST_SECONDS / 2}
        if old & waiting:
            await relay.keep_hints(self.worker.engine, list(old & waiting))
        lying = set(there)
        self.outstanding = {
            job_id: now if job_id in old else at
            for job_id, at in since.items()
            if job_id in lying or now - at < relay.LOST_SECONDS
        }
