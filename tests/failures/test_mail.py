"""Mail over failures: a mail server that is killed, and a poller that is killed, lose and double nothing."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from app.domain.platform import mail, mail_addresses
from app.domain.platform.jobs.ledger import Ledger
from app.errors import Defer, ServiceDown
from app.outside.breakers import Breaker
from app.outside.smtp import Mailer
from app.services import Services
from jobs.registry import REGISTRY
from tests.failures.conftest import Site, until
from tests.platform.test_bounces import shape
from tests.world.faults import Faults
from tests.world.mail import MailServer
from tests.world.mailbox import MailboxServer

LETTERS = 1000
STATES = "SELECT message_id, kind, status, repeats, error FROM emails"
WAITING = "SELECT count(*) FROM emails WHERE status IN ('queued', 'sending')"


@pytest.fixture
async def writing(ground: Services) -> AsyncIterator[Services]:
    """The same ground with the product's job types and no letter yet."""
    await ground.db.execute("TRUNCATE emails, inbound_emails, mailboxes CASCADE")
    yield dataclasses.replace(ground, ledger=Ledger(REGISTRY))


async def written(services: Services, number: int) -> list[int]:
    """So many letters, every third a notice, each to an address of its own."""
    found = []
    async with services.tx() as tx:
        for n in range(number):
            kind = "notice" if n % 3 == 0 else "transactional"
            words = {"asked_by": "Ada", "link": "https://village.example"}
            email_id = await mail.send(tx, "test_email", f"a{n}@x.example", kind=kind, **words)
            assert email_id is not None
            found.append(email_id)
    return found


class Unsteady:
    """A mail server that dies in the middle of its work, and comes back."""

    def __init__(self) -> None:
        self.server = MailServer(Faults(), [])
        self.up = asyncio.Event()

    async def live(self, deaths: int, letters: int) -> None:
        """Die each time so many letters have come in since."""
        await self.server.start()
        for death in range(1, deaths + 1):
            self.up.set()
            while len(self.server.letters) < death * letters:
                await asyncio.sleep(0)
            self.up.clear()
            await self.server.stop()
            await asyncio.sleep(0.1)
            await self.server.start()
        self.up.set()


async def deliver_all(services: Services, ids: list[int], unsteady: Unsteady) -> None:
    """What ten slots of workers do: each letter until it is sent or given up, tried again once the server is back."""
    waiting = list(ids)

    async def slot() -> None:
        while waiting:
            email_id = waiting.pop(0)
            await unsteady.up.wait()
            try:
                await mail.deliver(services, email_id)
            except (ServiceDown, Defer):
                waiting.append(email_id)

    await asyncio.gather(*(slot() for _ in range(10)))


async def test_a_thousand_letters_over_a_dying_server_go_once_but_for_counted_repeats(
    writing: Services,
) -> None:
    unsteady = Unsteady()
    ids = await written(writing, LETTERS)
    life = asyncio.create_task(unsteady.live(deaths=5, letters=150))
    await until(lambda: asyncio.sleep(0, unsteady.server.port))
    url = f"smtp://127.0.0.1:{unsteady.server.port}"
    smtp = Mailer(url, breaker=Breaker("smtp", limit=10**6))
    await deliver_all(dataclasses.replace(writing, outside={"smtp": smtp}), ids, unsteady)
    await life
    came = Counter(str(letter.message["Message-ID"]) for letter in unsteady.server.letters)
    rows = await writing.db.fetch(STATES)
    await unsteady.server.stop()
    assert await writing.db.fetchval(WAITING) == 0
    for row in rows:
        copies = came[row["message_id"]]
        if row["kind"] == "transactional":
            assert row["status"] == "sent"
            assert 1 <= copies <= 1 + row["repeats"]
        else:
            # One whose hand-over ended in the dark is not repeated: better none than two.
            assert (row["status"], row["error"]) in (("sent", None), ("failed", "interrupted"))
            assert copies == 1 or (row["status"] == "failed" and copies == 0)
    given_up = sum(row["status"] == "failed" for row in rows)
    assert given_up + sum(row["repeats"] for row in rows) <= 5 * 10


async def test_a_poller_killed_between_fetching_and_marking_handles_each_letter_once(
    site: Site, writing: Services
) -> None:
    server = MailboxServer(Faults(), [])
    await server.start()
    for email_id in await written(writing, 60):
        address = mail_addresses.made(writing.settings, "bounce", email_id)
        raw = shape("mailbox_full", address)
        server.add(raw.replace(b"<full@", f"<full-{email_id}@".encode()))
    # A list is fetched first, then letter by letter: killed while the third letter comes, then before two marks.
    for command, number in (("UID FETCH", 4), ("UID STORE", 5), ("UID STORE", 1)):
        await killed_while(site, writing, server, command, number)
    last = site.begin("poller", "tests.failures.poller_process", IMAP_URL=server.url)
    await until(lambda: asyncio.sleep(0, not last.is_alive()), 40)
    await server.stop()
    assert await writing.db.fetchval("SELECT count(*) FROM inbound_emails") == 60
    assert await writing.db.fetchval("SELECT count(*) FROM email_bounces") == 60
    per_letter = (
        "SELECT max(n) FROM (SELECT count(*) AS n FROM email_bounces GROUP BY email_id) AS c"
    )
    assert await writing.db.fetchval(per_letter) == 1
    # What was handled and not marked is known, and not even fetched again.
    assert sum("\\Seen" not in kept.flags for kept in server.letters) == 2


async def killed_while(
    site: Site, services: Services, server: MailboxServer, command: str, number: int
) -> None:
    """Start a poller, and kill it while it waits for the n-th answer to a command."""
    reached = server.hold(command, number)
    poller = site.begin("poller", "tests.failures.poller_process", IMAP_URL=server.url)
    await asyncio.wait_for(reached.wait(), 40)
    poller.process.kill()
    await until(lambda: asyncio.sleep(0, not poller.is_alive()))
    # What the 90 seconds of a dead poller's lease do in time.
    await services.db.execute("DELETE FROM leases")
