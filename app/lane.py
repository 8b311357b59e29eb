"""Redis, the fast lane: what is in it may vanish at any time and nothing is lost."""

from typing import Any, Self

import redis.asyncio
from redis.exceptions import RedisError


class Lane:
    """One process's connection to Redis."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @classmethod
    def at(cls, url: str) -> Self:
        """A lane to the server at `url`; nothing has to be up yet."""
        client: Any = redis.asyncio.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)
        return cls(client)

    async def answers(self) -> bool:
        """Whether Redis is there."""
        try:
            return bool(await self.client.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
