"""Mail comes in through here: one mailbox of the server at IMAP_URL, read by UID."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from aioimaplib import IMAP4, STOP_WAIT_SERVER_PUSH, AioImapException

from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.imap_answers import Listed, listed_of, parts, uids_of

T = TypeVar("T")

BATCH = 100
LISTED = "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
UIDVALIDITY = re.compile(rb"UIDVALIDITY (\d+)", re.I)


class Mailbox:
    """One mailbox: `imaps://user:password@host:993/INBOX`, or `imap://` without TLS for a stand-in."""

    def __init__(self, url: str, *, breaker: Breaker, timeout: float = 10.0) -> None:
        self._place = urlsplit(url)
        self.breaker = breaker
        self._timeout = timeout

    @property
    def name(self) -> str:
        """The mailbox's name for our own records: user@host/folder."""
        user = unquote(self._place.username or "")
        return f"{user}@{self._place.hostname}/{self._folder()}"

    @property
    def host(self) -> str:
        """The server's name."""
        return self._place.hostname or "localhost"

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["OpenMailbox"]:
        """Sign in and open the mailbox while the block lasts. Raises ServiceDown."""
        lost = asyncio.Event()
        secret = ssl.create_default_context() if self._place.scheme == "imaps" else None
        client = IMAP4(
            self.host,
            self._place.port or (993 if secret else 143),
            timeout=self._timeout,
            conn_lost_cb=lambda _error: lost.set(),
            ssl_context=secret,
        )
        box = OpenMailbox(client, lost, self.breaker, self._timeout)
        try:
            await box.sign_in(
                unquote(self._place.username or ""),
                unquote(self._place.password or ""),
                self._folder(),
            )
            yield box
        finally:
            await box.hang_up()

    async def close(self) -> None:
        """Nothing stays open between polls; here so that all doors are closed alike."""

    def _folder(self) -> str:
        return unquote(self._place.path.strip("/")) or "INBOX"


class OpenMailbox:
    """A mailbox that is open. A new `uidvalidity` means that all UIDs known before are void (RFC 3501 §2.3.1.1)."""

    def __init__(
        self, client: IMAP4, lost: asyncio.Event, breaker: Breaker, timeout: float
    ) -> None:
        self._client = client
        self._lost = lost
        self._breaker = breaker
        self._timeout = timeout
        self.uidvalidity = 0

    async def sign_in(self, user: str, password: str, folder: str) -> None:
        """Greet, sign in and select. Raises ServiceDown, with code `refused` for a wrong password."""
        async with self._breaker.request():
            await self._asked(self._client.wait_hello_from_server())
            await self._said_ok(self._client.login(user, password), "refused")
            quoted = f'"{folder}"' if " " in folder else folder
            lines = await self._said_ok(self._client.select(quoted), "no_mailbox")
        found = UIDVALIDITY.search(b"\n".join(bytes(line) for line in lines))
        self.uidvalidity = int(found[1]) if found else 0

    async def letters_after(self, uid: int) -> list[Listed]:
        """Up to 100 letters with a larger UID, in their order. Raises ServiceDown."""
        async with self._breaker.request():
            search = self._client.uid_search(f"UID {uid + 1}:*", charset=None)
            lines = await self._said_ok(search, "garbage")
            # `n:*` answers the last letter even when its UID is smaller.
            found = [number for number in uids_of(lines) if number > uid][:BATCH]
            if not found:
                return []
            uids = ",".join(map(str, found))
            listed = await self._said_ok(self._client.uid("fetch", uids, LISTED), "garbage")
        return sorted(listed_of(part) for part in parts(listed) if part.uid in found)

    async def raw(self, uid: int, *, header_only: bool = False) -> bytes | None:
        """One letter as it lies there, unread; None when it is gone meanwhile. Raises ServiceDown."""
        what = "(UID BODY.PEEK[HEADER])" if header_only else "(UID BODY.PEEK[])"
        async with self._breaker.request():
            lines = await self._said_ok(self._client.uid("fetch", str(uid), what), "garbage")
        return next((part.literal for part in parts(lines) if part.uid == uid), None)

    async def mark(self, uid: int) -> None:
        """Mark a letter as seen. Raises ServiceDown."""
        async with self._breaker.request():
            store = self._client.uid("store", str(uid), "+FLAGS.SILENT", "(\\Seen)")
            await self._said_ok(store, "garbage")

    async def wait(self, seconds: float) -> bool:
        """Stay until the server tells of something new (IDLE, RFC 2177), at most so long. Raises ServiceDown."""
        if not self._client.has_capability("IDLE"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), seconds)
                raise down("unreachable")
            return True
        try:
            idle = await self._asked(self._client.idle_start(seconds))
            while True:
                pushed = await self._asked(
                    self._client.wait_server_push(seconds + 1), seconds + self._timeout
                )
                if pushed == STOP_WAIT_SERVER_PUSH:
                    news = False
                    break
                # Servers say "Still here" in between, which is not news.
                if any(bytes(line).upper().endswith(b"EXISTS") for line in pushed):
                    news = True
                    break
            self._client.idle_done()
            await self._asked(idle)
        except TimeoutError as error:
            raise down("timeout") from error
        return news

    async def hang_up(self) -> None:
        """Say goodbye if somebody listens, and close."""
        if not self._lost.is_set() and self._client.get_state() not in ("STARTED", "LOGOUT"):
            with contextlib.suppress(TimeoutError, AioImapException, OSError):
                await asyncio.wait_for(self._client.logout(), 1)
        transport = self._client.protocol.transport
        if transport is not None:
            transport.abort()
        self._client._client_task.cancel()
        for task in [*self._client.tasks, *self._client.protocol.tasks]:
            task.cancel()

    async def _said_ok(self, command: Awaitable[Any], code: str) -> list[Any]:
        answer = await self._asked(command)
        if answer.result != "OK":
            raise down(code)
        return list(answer.lines)

    async def _asked(self, command: Awaitable[T], seconds: float | None = None) -> T:
        """Wait for one answer, but not on a line that is dead: the library would wait its whole time-out."""
        asked = asyncio.ensure_future(command)
        dead = asyncio.ensure_future(self._lost.wait())
        try:
            done, _ = await asyncio.wait(
                (asked, dead),
                timeout=seconds or self._timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if asked not in done:
                raise down("unreachable" if dead in done else "timeout")
            return asked.result()
        except TimeoutError as error:
            raise down("timeout") from error
        except (AioImapException, OSError, ssl.SSLError) as error:
            raise down("unreachable") from error
        # The library's parser trips over an answer of another shape in whatever way it likes.
        except (ValueError, IndexError, AttributeError, UnicodeError) as error:
            raise down("garbage") from error
        finally:
            for task in (asked, dead):
                if not task.done():
                    task.cancel()


def down(code: str) -> ServiceDown:
    """Mail cannot be fetched, and why."""
    return ServiceDown("Mail cannot be fetched at the moment.", code=code)
