"""A mail server on loopback that can be told how to misbehave at each step."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class PostOffice:
    """What it heard: commands, letters, and whether the talk was under TLS."""

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    was_secret: bool = False

    async def visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "hello", "220 box ESMTP")
        while line := await reader.readline():
            command = line.decode().strip()
            word = command.split(" ")[0].split(":")[0].upper()
            self.heard.append(command)
            if word == "EHLO":
                offers = "250-AUTH PLAIN LOGIN\r\n" + "250-STARTTLS\r\n" * bool(self.tls)
                await self._say(writer, word, f"250-box\r\n{offers}250 8BITMIME")
            elif word == "STARTTLS":
                await self._say(writer, word, "220 go on")
                await writer.start_tls(self.tls)  # type: ignore[arg-type]
                self.was_secret = True
            elif word == "DATA":
                await self._say(writer, word, "354 go on")
                self.letters.append(await reader.readuntil(b"\r\n.\r\n"))
                await self._say(writer, "letter", "250 2.0.0 queued as 7")
            else:
                await self._say(writer, word, "235 fine" if word == "AUTH" else "250 fine")

    async def _say(self, writer: asyncio.StreamWriter, step: str, usual: str) -> None:
        reply = self.replies.get(step, usual)
        if reply == "hang":
            await asyncio.sleep(30)
        if reply == "drop":
            raise ConnectionResetError
        writer.write(f"{reply}\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def post_office(
    replies: dict[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[PostOffice]:
    """Run a mail server; `replies` replace its usual answers step by step."""
    office = PostOffice(replies=replies or {}, tls=tls)
    listener = await asyncio.start_server(office.visited, "127.0.0.1", 0)
    office.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield office
