"""A small mail server: takes letters, keeps them, and refuses some when asked to."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.world.faults import Asked, Fault, Faults
from tests.world.servers import Listener

MOST_BYTES = 10 * 2**20
# What the server says to RCPT when a fault is due; the connection may be tried again after the first two.
REFUSALS = {
    "429": "450 4.7.1 Too many letters, try again later",
    "503": "451 4.3.0 Mailbox busy, try again later",
    "500": "550 5.1.1 No such mailbox",
    "shape": "299 2.9.9 Something else",
}


@dataclass
class Letter:
    """One letter as it was handed over."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes
    at: float = field(default_factory=time.time)

    @property
    def text(self) -> str:
        """Return the plain text of the letter."""
        part = self.message.get_body(preferencelist=("plain", "html"))
        return part.get_content() if part else ""


class MailServer(Listener):
    """An SMTP server on loopback (RFC 5321 as far as a sender needs it)."""

    def __init__(
        self,
        faults: Faults,
        record: list[Asked],
        deliver: Callable[[Letter], None] = lambda letter: None,
    ) -> None:
        super().__init__(MOST_BYTES)
        self.faults, self.record, self.deliver = faults, record, deliver
        self.letters: list[Letter] = []

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with one caller."""
        await Conversation(self, reader, writer).run()


class Conversation:
    """One sender's connection: its envelope so far, and what it says."""

    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.sender: str | None = None
        self.recipients: list[str] = []

    async def run(self) -> None:
        """Greet, and answer line by line until the sender quits or hangs up."""
        await self.say("220 mail.world.test ESMTP")
        while line := await self.reader.readline():
            word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            verb = word.upper()
            if verb == "QUIT":
                await self.say("221 2.0.0 Bye")
                return
            known: dict[str, Callable[[str], Awaitable[bool]]] = {
                "EHLO": self.greet, "HELO": self.greet, "MAIL": self.mail, "RCPT": self.rcpt, "DATA": self.data,
                "RSET": self.reset, "NOOP": self.noop,
            }  # fmt: skip
            if verb not in known:
                await self.say("502 5.5.1 Not here")
            elif not await known[verb](rest):
                return

    async def say(self, *lines: str) -> bool:
        """Send one answer, of several lines if need be; True lets the conversation go on."""
        for line in lines:
            self.writer.write(f"{line}\r\n".encode())
        await self.writer.drain()
        return True

    async def greet(self, rest: str) -> bool:
        """Say what this server can do."""
        return await self.say(
            "250-mail.world.test", "250-8BITMIME", "250-SMTPUTF8", f"250 SIZE {MOST_BYTES}"
        )

    async def noop(self, rest: str) -> bool:
        """Do nothing, politely."""
        return await self.say("250 2.0.0 OK")

    async def reset(self, rest: str) -> bool:
        """Forget the envelope."""
        self.sender, self.recipients = None, []
        return await self.say("250 2.0.0 OK")

    async def mail(self, rest: str) -> bool:
        """Take the sender of a letter."""
        self.sender, self.recipients = address(rest), []
        return await self.say("250 2.1.0 OK")

    async def rcpt(self, rest: str) -> bool:
        """Take a recipient, unless a fault is due."""
        self.server.record.append(
            Asked("smtp", "RCPT", "", address(rest), "", {"sender": self.sender or ""})
        )
        if self.sender is None:
            return await self.say("503 5.5.1 MAIL first")
        fault = self.server.faults.take("smtp")
        if fault and not await self.endured(fault):
            return fault.kind in REFUSALS
        self.recipients.append(address(rest))
        return await self.say("250 2.1.5 OK")

    async def endured(self, fault: Fault) -> bool:
        """Play a fault; return whether the recipient is taken all the same."""
        if fault.kind in REFUSALS:
            await self.say(REFUSALS[fault.kind])
        elif fault.kind == "garbage":
            self.writer.write(bytes(range(128, 256)) + b"\r\n")
        elif fault.kind in ("slow", "hang"):
            await self.server.faults.pause(fault.seconds)
        return fault.kind == "slow"

    async def data(self, rest: str) -> bool:
        """Take the letter itself."""
        if not self.recipients:
            return await self.say("503 5.5.1 RCPT first")
        await self.say("354 End with a dot on a line of its own")
        lines = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b"..") else line)
        raw = b"".join(lines)
        message = message_from_bytes(raw, policy=policy.default)
        letter = Letter(self.sender or "", self.recipients, message, raw)
        self.server.letters.append(letter)
        self.server.deliver(letter)
        self.sender, self.recipients = None, []
        return await self.say("250 2.0.0 Taken")


def address(rest: str) -> str:
    """Return what stands between the angle brackets of FROM:<…> or TO:<…>."""
    found = re.search(r"<([^>]*)>", rest)
    return found[1] if found else rest.partition(":")[2].strip()
