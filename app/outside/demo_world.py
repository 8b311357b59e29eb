"""The demo world's list of feeds; it exists in development and tests alone."""

import msgspec

from app.outside.breakers import Breaker
from app.outside.doors import Door


class ListedFeed(msgspec.Struct, frozen=True):
    """One feed of the demo world, as a line of data/feeds.tsv."""

    title: str
    url: str
    site_url: str
    tag: str
    pace: str
    refresh_minutes: int
    default_on: bool


class DemoWorld:
    """The door to the index at DEMO_FEEDS."""

    def __init__(self, index_url: str, *, breaker: Breaker) -> None:
        self._door = Door(index_url, breaker=breaker)

    async def feeds(self) -> list[ListedFeed]:
        """Return the feeds that the demo world publishes. Raises ServiceDown."""
        return await self._door.ask("", list[ListedFeed])

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()
