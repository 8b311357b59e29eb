"""Whose turn it is: at most so many fetches at once, and per host few, and not too close."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Hosts nobody is waiting for are forgotten when more than this many are remembered.
REMEMBERED = 2000


class Turns:
    """Lets `at_once` through in all and `per_host` at one host, `spacing` seconds apart."""

    def __init__(self, *, spacing: float, per_host: int = 2, at_once: int = 32) -> None:
        self.spacing = spacing
        self.per_host = per_host
        self._all = asyncio.Semaphore(at_once)
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def at(self, host: str) -> AsyncIterator[None]:
        """Wait for a turn at the host and hold it."""
        queue = self._queue(host)
        queue.users += 1
        try:
            async with queue.seats:
                await self._pass_gate(queue)
                try:
                    yield
                finally:
                    self._all.release()
        finally:
            queue.users -= 1

    def wait(self, host: str) -> float:
        """Return about how many seconds would pass before a turn at the host; zero when it is free."""
        queue = self._hosts.get(host)
        if queue is None:
            return 0.0
        ahead = queue.users - self.per_host + 1
        next_start = queue.next_start - asyncio.get_running_loop().time()
        # How long the others will hold their seats nobody knows; a little more than the spacing is a fair guess.
        return max(0.0, next_start, (ahead + 1) * self.spacing if ahead > 0 else 0.0)

    async def _pass_gate(self, queue: "_Host") -> None:
        # One at a time stands at a host's gate, and sleeps there without a seat of the whole, so
        # a slow host takes nothing from the others. The clock is set after that seat is taken:
        # two that waited for it would else start together.
        loop = asyncio.get_running_loop()
        async with queue.gate:
            await asyncio.sleep(max(0.0, queue.next_start - loop.time()))
            await self._all.acquire()
            queue.next_start = loop.time() + self.spacing

    def _queue(self, host: str) -> "_Host":
        if len(self._hosts) > REMEMBERED:
            now = asyncio.get_running_loop().time()
            self._hosts = {
                name: kept
                for name, kept in self._hosts.items()
                if kept.users or kept.next_start > now
            }
        if host not in self._hosts:
            self._hosts[host] = _Host(self.per_host)
        return self._hosts[host]


class _Host:
    def __init__(self, per_host: int) -> None:
        self.seats = asyncio.Semaphore(per_host)
        self.gate = asyncio.Lock()
        self.next_start = 0.0
        self.users = 0
