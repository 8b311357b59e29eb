"""The door to a mailbox: lists and reads by UID, waits for news, and says why it cannot."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.imap import Mailbox
from tests.world.faults import Faults
from tests.world.mailbox import MailboxServer

LETTER = (
    b"From: a@b.example\nMessage-ID:\n <1@b.example>\nSubject: (parentheses) {12}\n\nHello) UID 7\n"
)


@pytest.fixture
async def server() -> AsyncIterator[MailboxServer]:
    """A mailbox with one letter."""
    server = MailboxServer(Faults(), [])
    await server.start()
    server.add(LETTER)
    yield server
    await server.stop()


def door(server: MailboxServer, url: str = "") -> Mailbox:
    return Mailbox(url or server.url, breaker=Breaker("imap", limit=99), timeout=1)


async def test_letters_are_listed_by_uid_and_read_unread(server: MailboxServer) -> None:
    server.add(b"From: x@y.example\n\n")
    async with door(server).opened() as box:
        assert box.uidvalidity == server.uidvalidity
        first, second = await box.letters_after(0)
        assert (first.uid, first.size, first.message_id) == (
            1,
            len(server.letters[0].raw),
            "<1@b.example>",
        )
        assert second.message_id == ""
        assert await box.letters_after(2) == []
        assert await box.raw(1) == server.letters[0].raw
        assert (await box.raw(1, header_only=True) or b"").endswith(b"{12}\r\n\r\n")
        assert await box.raw(9) is None
        assert server.letters[0].flags == set()
        await box.mark(1)
        assert server.letters[0].flags == {"\\Seen"}


async def test_it_waits_for_news_and_no_longer_than_told(server: MailboxServer) -> None:
    async with door(server).opened() as box:
        assert await box.wait(0.1) is False
        asyncio.get_running_loop().call_later(0.05, server.add, LETTER)
        assert await box.wait(9) is True
        assert len(await box.letters_after(1)) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("500", "unreachable"),
        ("half", "unreachable"),
        ("garbage", "unreachable"),
        ("hang", "timeout"),
    ],
)
async def test_a_fault_is_told_and_not_waited_for(
    server: MailboxServer, fault: str, code: str
) -> None:
    server.faults.add("imap", fault, 1, 30)
    began = time.monotonic()
    with pytest.raises(ServiceDown) as down:
        async with door(server).opened():
            raise AssertionError("the door opened")
    assert down.value.code == code
    assert time.monotonic() - began < 8


async def test_a_line_that_dies_while_it_waits_is_noticed_at_once(server: MailboxServer) -> None:
    async with door(server).opened() as box:
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, lambda: [writer.transport.abort() for writer in server.open])
        began = time.monotonic()
        with pytest.raises(ServiceDown):
            await box.wait(30)
        assert time.monotonic() - began < 8


async def test_wrong_words_and_a_closed_door_are_told_apart(server: MailboxServer) -> None:
    for url, code in ((server.url.replace("village:", "eve:"), "refused"), ("", "unreachable")):
        if not url:
            await server.stop()
        with pytest.raises(ServiceDown) as down:
            async with door(server, url).opened():
                raise AssertionError("the door opened")
        assert down.value.code == code
