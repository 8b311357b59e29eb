"""The mailbox: one poller, by UID, told at once, over faults and new UIDs, each letter once."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.box import Box
from app.domain.platform import mailboxes, objects
from app.domain.platform.jobs import leases
from app.services import Services
from app.web.sight import exposition
from tests.platform.postbox import Postbox, letter, opened


@pytest.fixture
async def postbox(services: Services) -> AsyncIterator[Postbox]:
    """A mailbox without an object store."""
    async with opened(services) as made:
        yield made


async def test_what_lies_there_is_taken_once_and_marked(postbox: Postbox) -> None:
    for n in range(3):
        postbox.server.add(letter("info@testserver", number=n))
    assert await mailboxes.poll(postbox.services, 0) == 3
    assert await mailboxes.poll(postbox.services, 0) == 0
    assert [row["subject"] for row in await postbox.rows()] == ["Hello 0", "Hello 1", "Hello 2"]
    assert all("\\Seen" in kept.flags for kept in postbox.server.letters)


async def test_more_than_one_batch_is_read_to_its_end(postbox: Postbox) -> None:
    for n in range(130):
        postbox.server.add(letter("info@testserver", number=n, sender=f"a{n}@x.org"))
    assert await mailboxes.poll(postbox.services, 0) == 130


async def test_a_letter_that_comes_while_the_poller_stays_is_taken_at_once(
    postbox: Postbox,
) -> None:
    asyncio.get_running_loop().call_later(0.2, postbox.server.add, letter("info@testserver"))
    began = time.monotonic()
    assert await mailboxes.poll(postbox.services, 1.5) == 1
    assert time.monotonic() - began < 10
    assert "IDLE" in [asked.method for asked in postbox.server.record]


async def test_new_uids_are_read_again_and_known_letters_dropped(postbox: Postbox) -> None:
    for n in range(3):
        postbox.server.add(letter("info@testserver", number=n))
    postbox.server.add(b"From: nobody@x.org\n\nA letter without a Message-ID.\n")
    await mailboxes.poll(postbox.services, 0)
    del postbox.server.letters[0]
    postbox.server.renumber()
    postbox.server.add(letter("info@testserver", number=7))
    assert await mailboxes.poll(postbox.services, 0) == 1
    assert len(await postbox.rows()) == 5


@pytest.mark.parametrize("fault", ["500", "half", "garbage", "hang"])
async def test_a_poll_cut_off_anywhere_loses_and_doubles_nothing(
    postbox: Postbox, fault: str
) -> None:
    for n in range(3):
        postbox.server.add(letter("info@testserver", number=n))
    for step in range(2 if fault == "hang" else 8):
        # Let so many commands pass, then break.
        postbox.server.faults.add("imap", "slow", step * 2, 0)
        postbox.server.faults.add("imap", fault, 1, 5)
        await mailboxes.poll(postbox.services, 0)
        postbox.server.faults.clear()
    await mailboxes.poll(postbox.services, 0)
    assert [row["subject"] for row in await postbox.rows()] == ["Hello 0", "Hello 1", "Hello 2"]


async def test_five_failed_polls_in_a_row_tell_the_operator_once(postbox: Postbox) -> None:
    await postbox.server.stop()
    db = postbox.services.db
    for n in range(7):
        await mailboxes.poll(postbox.services, 0)
        assert await db.fetchval("SELECT count(*) FROM emails") == (1 if n >= 4 else 0)
    await mailboxes.show_figures(postbox.services)
    assert b"inbound_poll_failures_in_a_row 7.0" in exposition()
    await postbox.server.start()
    await mailboxes.poll(postbox.services, 0)
    await mailboxes.show_figures(postbox.services)
    assert b"inbound_poll_failures_in_a_row 0.0" in exposition()


async def test_while_one_process_holds_the_mailbox_no_other_reads_it(postbox: Postbox) -> None:
    name = postbox.services.outside["imap"].name
    postbox.server.add(letter("info@testserver"))
    assert await leases.take(postbox.services, f"mailbox:{name}", "somebody", 60)
    assert await mailboxes.poll(postbox.services, 0) == 0
    assert postbox.server.record == []
    await leases.release(postbox.services, "somebody")
    assert await mailboxes.poll(postbox.services, 0) == 1


async def test_without_a_mailbox_nothing_happens(services: Services) -> None:
    assert await mailboxes.poll(services, 0) == 0


async def test_of_a_letter_beyond_10_mb_only_the_head_is_taken(
    services: Services, box: Box
) -> None:
    async with opened(services, box) as postbox:
        postbox.server.add(letter("bounce+1.x@testserver") + b"x" * (10 * 2**20))
        await mailboxes.poll(postbox.services, 0)
        [row] = await postbox.rows()
        assert (row["status"], row["why"][:20]) == ("held", "It is larger than 10")
        kept: Any = await services.db.fetchrow("SELECT key, bytes, visibility FROM stored_objects")
        assert (kept["bytes"] < 1000, kept["visibility"]) == (True, "private")


async def test_the_raw_letter_is_kept_privately_as_it_came(services: Services, box: Box) -> None:
    async with opened(services, box) as postbox:
        postbox.server.add(letter("info@testserver"))
        await mailboxes.poll(postbox.services, 0)
        row = await services.db.fetchrow(
            "SELECT key, visibility, expires_at - created_at AS age FROM stored_objects"
        )
        raw = await objects.content(postbox.services, "mail-in", row["key"])
        assert raw == postbox.server.letters[0].raw
        assert (row["visibility"], row["age"].days) == ("private", 30)
