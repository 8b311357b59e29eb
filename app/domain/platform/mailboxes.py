"""The mailbox that is polled: by one process at a time, by UID, told at once where the server can (IDLE)."""

import secrets
import time
from typing import Any

import structlog
from prometheus_client import Gauge

from app.domain.platform import inbound_emails, mail
from app.domain.platform.inbound_emails import LETTER_BYTES, Place
from app.domain.platform.jobs import leases
from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("mail")

FAILURES = Gauge("inbound_poll_failures_in_a_row", "Polls of the mailbox in a row that failed.")
OLDEST = Gauge("email_oldest_seconds", "Age of the oldest letter that waits to be sent.")
FAILURES_UNTIL_ALERT = 5
# One poller a minute: it stays until shortly before the next is due, and its lease outlasts it a little.
STAY_SECONDS = 50.0
LEASE_SECONDS = 90.0


async def poll(services: Services, stay: float = STAY_SECONDS) -> int:
    """Take in what has come, and stay so many seconds for more; answer how many letters were new.

    Without IMAP_URL, or while another process holds the mailbox, nothing happens.
    """
    mailbox = services.outside.get("imap")
    holder = f"poll:{secrets.token_hex(8)}"
    if mailbox is None or not await leases.take(
        services, f"mailbox:{mailbox.name}", holder, LEASE_SECONDS
    ):
        return 0
    try:
        return await polled(services, mailbox, holder, stay)
    except ServiceDown as error:
        await note_failure(services, mailbox.name, error.code)
        return 0
    finally:
        await leases.release(services, holder)


async def polled(services: Services, mailbox: Any, holder: str, stay: float) -> int:
    """Read the mailbox, then again each time the server tells of news, while the lease is ours. Raises ServiceDown."""
    ends, new = time.monotonic() + stay, 0
    async with mailbox.opened() as box:
        while True:
            new += await take_all(services, mailbox.name, box)
            left = ends - time.monotonic()
            if left <= 0 or not await box.wait(left):
                return new
            if not await leases.take(services, f"mailbox:{mailbox.name}", holder, LEASE_SECONDS):
                return new


START = """
INSERT INTO mailboxes (name, uidvalidity, polled_at) VALUES ($1, $2, now())
ON CONFLICT (name) DO UPDATE SET polled_at = now(), uidvalidity = EXCLUDED.uidvalidity,
    last_uid = CASE WHEN mailboxes.uidvalidity = EXCLUDED.uidvalidity THEN mailboxes.last_uid ELSE 0 END
RETURNING last_uid
"""
# A UID is only said to be read while the mailbox is still the one that it belongs to.
READ_TO = (
    "UPDATE mailboxes SET last_uid = greatest(last_uid, $3) WHERE name = $1 AND uidvalidity = $2"
)
WELL = "UPDATE mailboxes SET failures = 0, last_error = NULL, last_ok_at = now() WHERE name = $1"
KNOWN = "SELECT message_id FROM inbound_emails WHERE message_id = ANY($1)"


async def take_all(services: Services, name: str, box: Any) -> int:
    """Take in every letter after the last one read; all of them again when the UIDs are new. Raises ServiceDown."""
    last = await services.db.fetchval(START, name, box.uidvalidity)
    new = 0
    while listed := await box.letters_after(last):
        rows = await services.db.fetch(KNOWN, [found.message_id for found in listed])
        known = {row["message_id"] for row in rows}
        for found in listed:
            if found.message_id not in known:
                new += await take_one(services, Place(name, box.uidvalidity, found.uid), box, found)
            last = found.uid
            await services.db.execute(READ_TO, name, box.uidvalidity, last)
    await services.db.execute(WELL, name)
    return new


async def take_one(services: Services, place: Place, box: Any, found: Any) -> bool:
    """Fetch one letter, hand it over, mark it as seen; of one beyond 10 MB only the head. Raises ServiceDown."""
    raw = await box.raw(found.uid, header_only=found.size > LETTER_BYTES)
    if raw is None:
        return False
    is_new = await inbound_emails.take(services, place, raw, found.size)
    await box.mark(found.uid)
    return is_new


FAILED = """
INSERT INTO mailboxes (name, failures, last_error, polled_at) VALUES ($1, 1, $2, now())
ON CONFLICT (name) DO UPDATE SET failures = mailboxes.failures + 1, last_error = EXCLUDED.last_error, polled_at = now()
RETURNING failures
"""


async def note_failure(services: Services, name: str, code: str) -> None:
    """Count a poll that failed; the fifth in a row tells the operator. Not asking a resting server counts too."""
    log.warning("mailbox cannot be polled", code=code)
    async with services.tx() as tx:
        failures = await tx.db.fetchval(FAILED, name, code[:200])
        if failures >= FAILURES_UNTIL_ALERT:
            await mail.send_ops_alert(
                tx,
                "Letters do not come in",
                f"The mailbox could not be read {failures} times in a row ({code}). Bounces and "
                "replies wait on the mail server; nothing is lost.",
                "inbound_email_failures",
                "/admin/inbound-emails",
            )


# A letter that its recipient's server put off is no sign that ours is stuck.
FIGURES = """
SELECT coalesce((SELECT max(failures) FROM mailboxes), 0) AS failures,
       coalesce((SELECT extract(epoch FROM now() - min(created_at)) FROM emails
                 WHERE status IN ('queued', 'sending') AND error IS DISTINCT FROM 'mail_later'), 0)::float8 AS oldest
"""


async def show_figures(services: Services) -> None:
    """Set this process's gauges of mail to what the database says, the same in every process."""
    row = await services.db.fetchrow(FIGURES)
    FAILURES.set(row["failures"])
    OLDEST.set(row["oldest"])
