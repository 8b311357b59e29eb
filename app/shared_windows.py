"""Windows in Redis: how often something happened lately, counted by every process together with the library `limits`."""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Any, NamedTuple, Self

import redis.asyncio
from limits.aio.storage import RedisStorage
from redis.exceptions import NoScriptError, RedisError

from app.errors import ServiceDown

PREFIX = "village:limits"
# A limit is asked for before anything else of a request is done: a Redis that hangs must not hold it up.
TIMEOUT_SECONDS = 0.5
# The library's own two scripts, for any number of names in one call. KEYS: the window before and the present one of
# each name. ARGV: the limit, the seconds, and an amount for each name.
SCRIPT = """
local function acquire(KEYS, ARGV)
%s
end
local function look(KEYS, ARGV)
%s
end
local found = {}
for n = 1, #ARGV - 2 do
    local keys = {KEYS[2 * n - 1], KEYS[2 * n]}
    local allowed = acquire(keys, {ARGV[1], ARGV[2], ARGV[n + 2]})
    local window = look(keys, {ARGV[2]})
    found[n] = {allowed and 1 or 0, window[1], window[2], window[3], window[4]}
end
return found
"""


class State(NamedTuple):
    """One sliding window: whether the hit was let through, and both its halves with the seconds they have left."""

    allowed: bool
    previous: int
    previous_left: float
    current: int
    current_left: float


class SharedWindows(RedisStorage):
    """The library's storage and counting, asked once for a hit, for what is left after it, and for several names."""

    def __init__(self, client: Any) -> None:
        super().__init__(
            "async+redis://",
            implementation="redispy",
            key_prefix=PREFIX,
            connection_pool=client.connection_pool,
        )
        bridge: Any = self.bridge
        self.client = client
        self.script = SCRIPT % tuple(
            text.decode() if isinstance(text, bytes) else text
            for text in (bridge.SCRIPT_ACQUIRE_SLIDING_WINDOW, bridge.SCRIPT_SLIDING_WINDOW)
        )
        # Redis names a script so; nothing here is a secret.
        self.name = sha1(self.script.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def at(cls, url: str) -> Self:
        """Windows in the server at `url`; nothing has to be up yet."""
        client: Any = redis.asyncio.Redis.from_url(url)
        return cls(client)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def hit(self, names: Sequence[str], limit: int, seconds: int) -> list[State]:
        """Count one under each name, where it is below the limit. Raises ServiceDown."""
        return await self.add(dict.fromkeys(names, 1), limit, seconds)

    async def add(self, amounts: Mapping[str, int], limit: int, seconds: int) -> list[State]:
        """Count so many under each name, where the limit allows them all. Raises ServiceDown."""
        keys = [self.bridge.prefixed_key(key) for name in amounts for key in self.halves(name)]
        sent = (len(keys), *keys, limit, seconds, *amounts.values())
        try:
            # One timer around it all: those of the client's own sockets double what a call costs.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                found = await self.sent(sent)
        except (RedisError, OSError) as error:
            raise ServiceDown("Redis does not answer.", code="redis_away") from error
        return [state_of(*window) for window in found]

    async def sent(self, arguments: Sequence[Any]) -> list[Any]:
        """Run the script, which Redis does not know when it is new or was emptied."""
        try:
            return await self.client.evalsha(self.name, *arguments)  # type: ignore[no-any-return]
        except NoScriptError:
            return await self.client.eval(self.script, *arguments)  # type: ignore[no-any-return]

    def halves(self, name: str) -> tuple[str, str]:
        """The keys of the window before and of the present one."""
        return self._previous_window_key(name), self._current_window_key(name)


def state_of(
    allowed: int,
    previous: bytes | None,
    previous_left: int,
    current: bytes | None,
    current_left: int,
) -> State:
    """What the scripts tell: counts as bytes or nothing, milliseconds below 0 where there is no key."""
    return State(
        bool(allowed),
        int(previous or 0),
        max(0, previous_left) / 1000,
        int(current or 0),
        max(0, current_left) / 1000,
    )
