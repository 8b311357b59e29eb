"""What each publisher has published by a given moment: worked out from the clock, stored nowhere."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tests.world.publishers import Publisher
from tests.world.tales import Telling, byline, chance, number, pick, tell

HOUR = 3600
BACK = 72 * HOUR
# One large event a topic begins in each such span, and several publishers tell it within two hours.
EVENT_SPAN = 2 * HOUR
TOLD_WITHIN = 2 * HOUR
# Papers in a language of their own share no events with the others.
ALONE = ("deutsch", "arabic")


class Item(NamedTuple):
    """One article of a publisher. `name` is what its text is made from; those of one event share it."""

    number: int
    publisher: Publisher
    topic: str
    at: float
    name: tuple[object, ...]
    turn: int | None = None
    event: str | None = None

    @property
    def telling(self) -> Telling:
        """Return its text in the publisher's words."""
        return told(self.topic, self.name, self.publisher.host, self.turn)

    @property
    def author(self) -> str:
        """Return who wrote it."""
        return byline(*self.name, self.publisher.host)

    @property
    def path(self) -> str:
        """Return the address of its page below the publisher's host."""
        return f"/{self.topic}/{slug(self.telling.title)}-{self.number}"

    @property
    def pictured(self) -> bool:
        """Tell whether a picture belongs to it."""
        return chance(self.number, "pictured") < self.publisher.pictured


told = lru_cache(maxsize=8_192)(tell)


def slug(title: str) -> str:
    """Return a title as a part of an address."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain)[:8]) or "article"


def items(publisher: Publisher, now: float, seed: int) -> list[Item]:
    """Return what the publisher has published in the three days before `now`, the newest first."""
    found = [*own_items(publisher, now, seed), *event_items(publisher, now, seed)]
    found.sort(key=lambda item: (-item.at, item.number))
    return found


def own_items(publisher: Publisher, now: float, seed: int) -> Iterator[Item]:
    """Yield the items that this publisher alone has: one in each span of its pace, at a moment of its own."""
    span = publisher.every_minutes * 60
    for turn in range(int((now - BACK) // span), int(now // span) + 1):
        name = (seed, publisher.host, turn)
        at = turn * span + int(chance(*name, "at") * span)
        if at <= now:
            topic = pick(publisher.topics, *name, "topic")
            yield item(publisher, topic, at, name, turn=turn)


def event_items(publisher: Publisher, now: float, seed: int) -> Iterator[Item]:
    """Yield this publisher's tellings of the events that others tell too."""
    for turn in range(int((now - BACK) // EVENT_SPAN), int(now // EVENT_SPAN) + 1):
        for topic in publisher.topics:
            event = (seed, "event", topic, turn)
            at = turn * EVENT_SPAN + int(chance(*event, publisher.host, "at") * TOLD_WITHIN)
            covered = chance(*event, publisher.host) < 0.7
            if covered and at <= now and topic not in ALONE:
                yield item(publisher, topic, at, event, event=f"{topic}-{turn}")


def item(
    publisher: Publisher,
    topic: str,
    at: float,
    name: tuple[object, ...],
    turn: int | None = None,
    event: str | None = None,
) -> Item:
    """Return one item with its number: nine digits are enough to be alone within a publisher."""
    return Item(number(publisher.host, *name) % 10**9, publisher, topic, at, name, turn, event)
