"""Servers of the world on free ports of loopback, in the loop of whoever starts them."""

import abc
import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn


class Unfinished(logging.Filter):
    """Half an answer and a hang are wanted here; uvicorn need not complain of them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass but that complaint."""
        return not record.getMessage().startswith("ASGI callable returned without")


UNFINISHED = Unfinished()


class Quiet(uvicorn.Server):
    """A server that leaves the signals of the process alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


class Site:
    """One HTTP service of the world."""

    def __init__(self, app: Any, port: int = 0) -> None:
        self.socket = listening(port)
        self.port: int = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app, lifespan="off", ws="none", access_log=False, log_config=None, log_level=None,
            server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self.server = Quiet(config)

    async def start(self) -> None:
        """Return as soon as requests are answered."""
        logging.getLogger("uvicorn.error").addFilter(UNFINISHED)
        self.running = asyncio.create_task(self.server.serve(sockets=[self.socket]))
        while not self.server.started:
            await asyncio.sleep(0.002)

    async def stop(self) -> None:
        """Close all connections at once."""
        self.server.should_exit = self.server.force_exit = True
        await self.running
        self.socket.close()


def listening(port: int) -> socket.socket:
    """Return a listening socket on the port, or on a free one when that is taken."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.bind(("127.0.0.1", 0))
    return found


class Listener(abc.ABC):
    """One server of the world that speaks line by line, to each caller apart."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port; after a stop on the same one as before."""
        self.server = await asyncio.start_server(
            self.talk, "127.0.0.1", self.port, limit=self.most_bytes
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up on everybody."""
        await hang_up(self.server, self.open)

    @abc.abstractmethod
    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation; which words it knows is the server's own."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation to its end."""
        self.open.add(writer)
        try:
            await self.converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()


async def hang_up(server: asyncio.Server, writers: set[asyncio.StreamWriter]) -> None:
    """Take nobody in any more, and cut off all who are there."""
    # Who has just been taken in must be through the door first: asyncio drops them unclosed otherwise.
    for listener in server.sockets:
        asyncio.get_running_loop().remove_reader(listener.fileno())
    for _ in range(3):
        await asyncio.sleep(0)
    server.close()
    for writer in list(writers):
        writer.transport.abort()
    await server.wait_closed()
