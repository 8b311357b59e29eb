"""Live: changes told by PostgreSQL reach the open pages as keys and versions, never as content (chapter 20 rule 15)."""

import asyncio
import contextlib
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Self

import asyncpg
import orjson
import structlog
from prometheus_client import Gauge
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.config import Settings
from app.db import AWAY
from app.domain.homepage import live_topics
from app.domain.platform.memories import CHANNEL as MEMORIES
from app.errors import ServiceDown, SignInNeeded
from app.web import session

log = structlog.get_logger("live")

CHANNEL = "village_changes"
HEARTBEAT_SECONDS = 25
STREAMS_A_PERSON = 5
# Visitors are told apart by their address alone, which a household or an office shares.
STREAMS_AN_ADDRESS = 20
REMEMBERED = 1000
# The area of the page that each kind of notice concerns.
AREAS = {"feed": "news", "weather": "weather", "stock": "stocks"}
# With a change of their own of these a reader watches other places or symbols than the stream knows of.
WATCHED = ("weather", "stocks")
STREAMS = Gauge("live_streams_open", "Event streams that this process holds.")


class Stream:
    """One open page: what it wants to hear of, and what waits to be sent to it."""

    __slots__ = (
        "address",
        "is_ended",
        "is_outdated",
        "keys",
        "topics",
        "user_id",
        "waiting",
        "wake",
    )

    def __init__(
        self,
        user_id: int,
        topics: frozenset[str],
        keys: dict[str, list[str]],
        address: str = "",
    ) -> None:
        self.user_id = user_id
        # Where a visitor's stream comes from; a member's is counted by who they are.
        self.address = address
        self.topics = topics
        self.keys = keys
        self.waiting: dict[str, int] = {}
        self.wake = asyncio.Event()
        self.is_ended = False
        self.is_outdated = False

    def tell(self, area: str, number: int) -> None:
        """Note that an area changed; several changes before the next sending are one."""
        for key in self.keys.get(area, ()):
            self.waiting[key] = number
        if self.waiting:
            self.wake.set()


class Hub:
    """Listens on one connection and wakes the streams of this process that a change concerns."""

    def __init__(
        self, settings: Settings, remember: Callable[[str], object] = lambda _name: None
    ) -> None:
        # Called when a person was hidden or erased: this process must not keep anything of them.
        self.forget: Callable[[int], object] = lambda _user_id: None
        # Called with the name of what this process keeps in memory and has to read again.
        self.remember = remember
        self.url = settings.database_listen_url or settings.database_url
        self.ceiling = settings.live_streams
        self.visitors = settings.live_visitors
        self.streams: set[Stream] = set()
        self.by_topic: dict[str, set[Stream]] = {}
        self.by_address: Counter[str] = Counter()
        self.number = random.randrange(1 << 30)  # noqa: S311 - a start that a restarted process will not repeat
        self.past: deque[tuple[int, str]] = deque(maxlen=REMEMBERED)
        self.closing = False
        # Rises with each notice of feeds and weather; with `listening` it tells that nothing else has changed.
        self.site_number = 0
        self.listening = False
        self.listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.listener = asyncio.create_task(self.listen())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()
        if self.listener is not None:
            self.listener.cancel()
            await asyncio.gather(self.listener, return_exceptions=True)

    def is_closing(self) -> bool:
        """Whether the process is on its way out."""
        return self.closing

    def close(self) -> None:
        """Say goodbye to every stream; each comes back after a random wait."""
        self.closing = True
        for stream in self.streams:
            stream.wake.set()

    async def listen(self) -> None:
        """Hold the listening connection; when it is lost, take another and let every page look once."""
        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(self.url, timeout=10)
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, self.heard)  # type: ignore[arg-type]
                await connection.add_listener(MEMORIES, self.reminded)  # type: ignore[arg-type]
            except AWAY:
                await asyncio.sleep(random.uniform(1, 3))  # noqa: S311
                continue
            self.listening = True
            self.remember("all")
            # Who was erased while nobody listened is not known: everything is made anew.
            self.forget(0)
            self.wake_all()
            try:
                await lost.wait()
            finally:
                self.listening = False
                connection.terminate()
            log.warning("listening connection lost")

    def heard(self, _connection: Any, _pid: int, _channel: str, topic: str) -> None:
        """Take one notice: reader:7:news, feed:12, weather:45.50:-73.57, stock:MSFT, or gone:7."""
        if topic.startswith("gone:"):
            self.part_with(int(topic.removeprefix("gone:")))
            return
        self.number += 1
        self.past.append((self.number, topic))
        self.site_number += not topic.startswith("reader:")
        area = area_of(topic)
        watches_others = topic.startswith("reader:") and area in WATCHED
        for stream in self.by_topic.get(watched(topic), ()):
            stream.tell(area, self.number)
            stream.is_outdated = stream.is_outdated or watches_others

    def part_with(self, user_id: int) -> None:
        """Forget a person who is hidden or erased: what was told of them, their streams, and what the process keeps."""
        mine = f"reader:{user_id}"
        kept = [(number, topic) for number, topic in self.past if watched(topic) != mine]
        self.past = deque(kept, maxlen=REMEMBERED)
        for stream in [one for one in self.streams if one.user_id == user_id]:
            stream.is_ended = True
            stream.wake.set()
        self.forget(user_id)

    def reminded(self, _connection: Any, _pid: int, _channel: str, name: str) -> None:
        """Take one notice of what every process keeps in memory."""
        self.remember(name)

    def renew(self) -> None:
        """What the process keeps in memory has changed: pages that were made by it are made anew."""
        self.site_number += 1

    def wake_all(self) -> None:
        """After a gap nobody knows what was missed: every page looks at all its widgets once."""
        self.number += 1
        self.site_number += 1
        for stream in self.streams:
            for area in stream.keys:
                stream.tell(area, self.number)

    def join(self, stream: Stream, since: int | None) -> None:
        """Take a stream in, and tell it what it missed since an event it names. Raises ServiceDown."""
        mine = sum(
            1
            for other in self.by_topic.get(f"reader:{stream.user_id}", ())
            if other.user_id == stream.user_id
        )
        if (
            self.closing
            or len(self.streams) >= self.ceiling
            or (stream.user_id and mine >= STREAMS_A_PERSON)
            or self.by_address[stream.address] >= STREAMS_AN_ADDRESS
        ):
            raise ServiceDown(
                "Live updates are full at the moment; the page looks by itself.", retry_after=300
            )
        self.streams.add(stream)
        if stream.address:
            self.by_address[stream.address] += 1
        STREAMS.set(len(self.streams))
        for topic in stream.topics:
            self.by_topic.setdefault(topic, set()).add(stream)
        if since is not None:
            self.catch_up(stream, since)

    def catch_up(self, stream: Stream, since: int) -> None:
        """Tell a stream that came back what changed meanwhile; all of it when that is not known any more."""
        if not self.past or since < self.past[0][0] - 1 or since > self.number:
            for area in stream.keys:
                stream.tell(area, self.number)
            return
        for number, topic in self.past:
            if number > since and watched(topic) in stream.topics:
                stream.tell(area_of(topic), number)

    def leave(self, stream: Stream) -> None:
        """Forget a stream."""
        if stream.address and stream in self.streams:
            self.by_address[stream.address] -= 1
            if not self.by_address[stream.address]:
                del self.by_address[stream.address]
        self.streams.discard(stream)
        STREAMS.set(len(self.streams))
        for topic in stream.topics:
            members = self.by_topic.get(topic)
            if members is not None:
                members.discard(stream)
                if not members:
                    del self.by_topic[topic]


def watched(topic: str) -> str:
    """The topic that a stream watches: all areas of a reader come together."""
    return ":".join(topic.split(":")[:2]) if topic.startswith("reader:") else topic


def area_of(topic: str) -> str:
    """The area of the page that a notice concerns."""
    if topic.startswith("reader:"):
        return topic.rsplit(":", 1)[1]
    return AREAS[topic.partition(":")[0]]


async def show(request: Request) -> Response:
    """The event stream of one open page. Raises SignInNeeded for visitors where they get none, ServiceDown when full."""
    hub: Hub = request.state.hub
    who = session.reader(request)
    if (who is None or not who.is_member) and not hub.visitors:
        raise SignInNeeded("Live updates are for members; this page looks by itself.")
    services = session.services_of(request)
    slug = request.query_params.get("page", "home")
    topics, keys = await live_topics.of_page(services, who, slug)
    is_member = who is not None and who.is_member
    address = "" if is_member else request.scope.get("caller", "")
    stream = Stream(who.id if who else 0, topics, keys, address)
    sent = request.headers.get("last-event-id", "")
    hub.join(stream, int(sent) if sent.isdigit() else None)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return LiveResponse(hub, stream, headers)


class LiveResponse(StreamingResponse):
    """An event stream that leaves the hub however it ends, also when its reader is gone before the first word."""

    def __init__(self, hub: Hub, stream: Stream, headers: dict[str, str]) -> None:
        super().__init__(events(hub, stream), media_type="text/event-stream", headers=headers)
        self.hub, self.stream = hub, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until one side ends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.hub.leave(self.stream)


async def events(hub: Hub, stream: Stream) -> AsyncIterator[bytes]:
    """What one stream sends: changes as they come, a heartbeat when there are none, and a goodbye."""
    try:
        yield f"id: {hub.number}\nevent: hello\ndata: {{}}\n\n".encode()
        while not (hub.is_closing() or stream.is_ended):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await stream.wake.wait()
            stream.wake.clear()
            changes, stream.waiting = stream.waiting, {}
            if changes:
                yield event(hub.number, changes.items())
            elif not (hub.is_closing() or stream.is_ended):
                yield b": still here\n\n"
            if stream.is_outdated:
                # The browser comes back by itself, with the number it heard last, and is told what it missed.
                return
        wait = random.randint(1, 30)  # noqa: S311
        yield f'event: bye\ndata: {{"seconds": {wait}}}\n\n'.encode()
    finally:
        hub.leave(stream)


def event(number: int, changes: Iterable[tuple[str, int]]) -> bytes:
    """One event: the keys of the widgets that changed, each with a number that only grows."""
    return b"id: %d\nevent: change\ndata: %s\n\n" % (number, orjson.dumps(dict(changes)))
