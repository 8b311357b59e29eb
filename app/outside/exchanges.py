"""One HTTP/1.1 request and its answer over an open connection, within ceilings."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import h11

from app.outside.fetches import FetchFailed
from app.outside.inflation import Inflation

LONGEST_HEAD = 32 * 1024
MOST_INTERIM_ANSWERS = 5
READ_AT_ONCE = 64 * 1024

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """One answer; the content is empty for every status that is not a success."""

    status: int
    headers: dict[str, str]
    content: bytes


class Exchange:
    """One request over one connection, which is closed afterwards."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, silence: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._silence = silence
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
        self._ended = False

    async def get(self, path: str, headers: Headers, *, ceiling: int) -> Answer:
        """Ask for a path and return the answer, unpacked. Raises FetchFailed."""
        try:
            request = h11.Request(method="GET", target=path, headers=list(headers))
            self._writer.write(self._http.send(request) or b"")
            self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
            head = await self._head()
            told = _told(head)
            if not 200 <= head.status_code < 300:
                return Answer(head.status_code, told, b"")
            return Answer(head.status_code, told, await self._body(told, ceiling))
        except h11.RemoteProtocolError:
            raise FetchFailed("cut_off" if self._ended else "protocol") from None
        except TimeoutError:
            # It stands before OSError, whose child it is.
            raise
        except (OSError, ssl.SSLError):
            raise FetchFailed("cut_off") from None
        finally:
            # A polite end of TLS would wait for a server that may never answer.
            self._writer.transport.abort()

    async def _head(self) -> h11.Response:
        for _ in range(MOST_INTERIM_ANSWERS):
            event = await self._event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                break
        raise FetchFailed("protocol")

    async def _body(self, told: dict[str, str], ceiling: int) -> bytes:
        announced = told.get("content-length", "")
        if announced.isdecimal() and int(announced) > ceiling:
            raise FetchFailed("too_large")
        body = Inflation(told.get("content-encoding", ""), ceiling)
        while isinstance(event := await self._event(), h11.Data):
            body.feed(bytes(event.data))
        if not isinstance(event, h11.EndOfMessage):
            raise FetchFailed("cut_off")
        return body.content()

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            try:
                async with asyncio.timeout(self._silence) as silence:
                    chunk = await self._reader.read(READ_AT_ONCE)
            except TimeoutError:
                if not silence.expired():
                    raise
                raise FetchFailed("timeout") from None
            self._ended = not chunk
            self._http.receive_data(chunk)
        return event


def _told(head: h11.Response) -> dict[str, str]:
    told: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("ascii"), _text(raw_value)
        told[name] = f"{told[name]}, {value}" if name in told else value
    return told


def _text(raw: bytes) -> str:
    # Headers are ASCII by the book; where they are not, UTF-8 is likelier than Latin-1, and an
    # address in a Location is nearly always that.
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
