"""A small IMAP server: one mailbox that letters come into, read by UID, told of by IDLE, broken when asked to."""

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.world.faults import Asked, Faults
from tests.world.servers import Listener

CAPABILITIES = "IMAP4rev1 IDLE LITERAL+"
USER, PASSWORD = "village", "of people"
ITEM = re.compile(rb"BODY(?P<peek>\.PEEK)?\[(?P<part>[^\]]*)\]", re.I)


@dataclass
class Kept:
    """One letter in the mailbox."""

    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


class MailboxServer(Listener):
    """An IMAP4rev1 server on loopback (RFC 3501 as far as a poller needs it, IDLE by RFC 2177)."""

    def __init__(self, faults: Faults, record: list[Asked]) -> None:
        super().__init__(2**20)
        self.faults, self.record = faults, record
        self.letters: list[Kept] = []
        self.uidvalidity = 1001
        self.next_uid = 1
        self.changed = asyncio.Event()
        self.held: dict[str, tuple[int, asyncio.Event]] = {}

    @property
    def url(self) -> str:
        """Return where the mailbox is."""
        return f"imap://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/INBOX"

    def add(self, raw: bytes) -> int:
        """Put a letter into the mailbox; return its UID."""
        crlf = re.sub(rb"\r?\n", b"\r\n", raw)
        self.letters.append(Kept(self.next_uid, crlf))
        self.next_uid += 1
        self.changed.set()
        self.changed = asyncio.Event()
        return self.next_uid - 1

    def hold(self, command: str, number: int) -> asyncio.Event:
        """Leave the n-th such command from now on without an answer; the event tells that it has come."""
        self.held[command] = (number, asyncio.Event())
        return self.held[command][1]

    def renumber(self) -> None:
        """Forget all UIDs, as a mailbox that was moved or restored does."""
        self.uidvalidity += 1
        for uid, letter in enumerate(self.letters, 1):
            letter.uid = uid
        self.next_uid = len(self.letters) + 1

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with one caller."""
        await Conversation(self, reader, writer).run()


class Conversation:
    """One client's connection: whether it is signed in and has the mailbox open."""

    def __init__(
        self, server: MailboxServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.is_known = self.is_selected = False
        self.half = False

    async def run(self) -> None:
        """Greet, and answer command by command until the client leaves."""
        await self.say(f"* OK [CAPABILITY {CAPABILITIES}] world ready")
        known: dict[str, Callable[[str, str], Awaitable[None]]] = {
            "CAPABILITY": self.capability, "LOGIN": self.login, "SELECT": self.select, "NOOP": self.noop,
            "IDLE": self.idle, "UID SEARCH": self.search, "UID FETCH": self.fetch, "UID STORE": self.store,
        }  # fmt: skip
        while line := await self.reader.readline():
            tag, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            word, _, arguments = rest.partition(" ")
            if word.upper() == "UID":
                second, _, arguments = arguments.partition(" ")
                word = f"UID {second}"
            name = word.upper()
            self.server.record.append(Asked("imap", name, "", arguments, "", {}))
            if name == "LOGOUT":
                await self.say("* BYE see you", f"{tag} OK done")
                return
            if not await self.endured(tag):
                return
            if self.is_held(name):
                await self.server.faults.closing.wait()
            if name not in known:
                await self.say(f"{tag} BAD not here")
            elif name.startswith("UID") and not self.is_selected:
                await self.say(f"{tag} BAD select a mailbox first")
            else:
                await known[name](tag, arguments)

    def is_held(self, name: str) -> bool:
        """Whether this command is the one that gets no answer; counts it, and tells when it has come."""
        left, reached = self.server.held.get(name, (0, asyncio.Event()))
        self.server.held[name] = (left - 1, reached)
        if left == 1:
            reached.set()
        return left == 1

    async def endured(self, tag: str) -> bool:
        """Play the fault that is due, if any; return whether the conversation goes on."""
        fault = self.server.faults.take("imap")
        if fault is None:
            return True
        if fault.kind in ("slow", "hang"):
            await self.server.faults.pause(fault.seconds)
            return fault.kind == "slow"
        if fault.kind == "half":
            self.half = True
            return True
        if fault.kind == "garbage":
            self.writer.write(bytes(range(128, 256)) + b"\r\n")
        else:
            await self.say("* BYE not now")
        return False

    async def say(self, *lines: str | bytes) -> None:
        """Send one answer; half of it and then nothing, when that was asked for."""
        sent = b"".join(
            (line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines
        )
        if self.half:
            self.writer.write(sent[: len(sent) // 2])
            await self.writer.drain()
            raise ConnectionResetError
        self.writer.write(sent)
        await self.writer.drain()

    async def capability(self, tag: str, arguments: str) -> None:
        """Say what this server can do."""
        await self.say(f"* CAPABILITY {CAPABILITIES}", f"{tag} OK done")

    async def noop(self, tag: str, arguments: str) -> None:
        """Do nothing, politely."""
        await self.say(f"{tag} OK done")

    async def login(self, tag: str, arguments: str) -> None:
        """Let in who knows the password."""
        self.is_known = shlex.split(arguments) == [USER, PASSWORD]
        await self.say(
            f"{tag} OK welcome" if self.is_known else f"{tag} NO [AUTHENTICATIONFAILED] no"
        )

    async def select(self, tag: str, arguments: str) -> None:
        """Open the mailbox."""
        self.is_selected = self.is_known and shlex.split(arguments) == ["INBOX"]
        if not self.is_selected:
            await self.say(f"{tag} NO no such mailbox")
            return
        await self.say(
            f"* {len(self.server.letters)} EXISTS", "* 0 RECENT",
            f"* OK [UIDVALIDITY {self.server.uidvalidity}] UIDs valid",
            f"* OK [UIDNEXT {self.server.next_uid}] next", f"{tag} OK [READ-WRITE] done",
        )  # fmt: skip

    async def search(self, tag: str, arguments: str) -> None:
        """Answer UID SEARCH UID n:m."""
        found = " ".join(str(letter.uid) for letter in self.within(arguments.split()[-1]))
        await self.say(f"* SEARCH {found}".rstrip(), f"{tag} OK done")

    def within(self, wanted: str) -> list[Kept]:
        """Return the letters of a set of UIDs; n:* has the last one at least (RFC 3501 §6.4.8)."""
        last = self.server.letters[-1].uid if self.server.letters else 0
        uids: set[int] = set()
        for part in wanted.split(","):
            begin, _, end = part.partition(":")
            ends = [last if side == "*" else int(side) for side in (begin, end or begin)]
            uids.update(range(min(ends), max(ends) + 1))
        return [letter for letter in self.server.letters if letter.uid in uids]

    async def fetch(self, tag: str, arguments: str) -> None:
        """Answer UID FETCH set (UID RFC822.SIZE BODY[…])."""
        wanted, _, items = arguments.partition(" ")
        lines: list[str | bytes] = []
        for letter in self.within(wanted):
            number = self.server.letters.index(letter) + 1
            said = [f"UID {letter.uid}".encode()]
            if "RFC822.SIZE" in items.upper():
                said.append(f"RFC822.SIZE {len(letter.raw)}".encode())
            if found := ITEM.search(items.encode()):
                body = part_of(letter.raw, found["part"].decode())
                said.append(b"BODY[%s] {%d}\r\n%s" % (found["part"], len(body), body))
                if not found["peek"]:
                    letter.flags.add("\\Seen")
            lines.append(b"* %d FETCH (%s)" % (number, b" ".join(said)))
        await self.say(*lines, f"{tag} OK done")

    async def store(self, tag: str, arguments: str) -> None:
        """Answer UID STORE set +FLAGS (…)."""
        wanted, _, change = arguments.partition(" ")
        flags = set(re.findall(r"\\\w+", change))
        for letter in self.within(wanted):
            letter.flags |= flags
        await self.say(f"{tag} OK done")

    async def idle(self, tag: str, arguments: str) -> None:
        """Tell of new letters until the client has enough."""
        await self.say("+ idling")
        done = asyncio.ensure_future(self.reader.readline())
        known = len(self.server.letters)
        while not done.done():
            news = asyncio.ensure_future(self.server.changed.wait())
            await asyncio.wait((done, news), return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            if len(self.server.letters) != known:
                known = len(self.server.letters)
                await self.say(f"* {known} EXISTS")
        await self.say(f"{tag} OK done")


def part_of(raw: bytes, part: str) -> bytes:
    """Return the part of a letter that BODY[…] names: all, HEADER, or HEADER.FIELDS (NAME)."""
    head = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    if part.upper() == "HEADER":
        return head
    if found := re.match(r"HEADER\.FIELDS \(([\w-]+)\)", part, re.I):
        name = re.escape(found[1].encode())
        lines = re.search(rb"^%s:.*\r\n(?:[ \t].*\r\n)*" % name, head, re.I | re.M)
        return (lines[0] if lines else b"") + b"\r\n"
    return raw
