"""Letters in: each is kept as it came and handed over once, by the address it is for."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from app.domain.platform import bounces, inbound_letters, mail_addresses, objects, unsubscriptions
from app.domain.platform.inbound_letters import InboundLetter
from app.errors import Problem, ServiceDown
from app.services import Services

log = structlog.get_logger("mail")

LETTER_BYTES = 10 * 2**20
A_SENDER_AN_HOUR = 20
BUCKET = "mail-in"
BODY_DAYS = 30


class Outcome(NamedTuple):
    """What became of a letter, and why in a few words."""

    status: str
    why: str | None = None


Handler = Callable[[Services, InboundLetter], Awaitable[Outcome]]


async def take_bounce(services: Services, letter: InboundLetter) -> Outcome:
    """A letter to `bounce+{id}.{mac}@`: the report of a letter that came back."""
    email_id = mail_addresses.letter_of(services.settings, "bounce", letter.tag)
    if email_id is None:
        return Outcome("held", "This return address is not one of ours.")
    report = bounces.read(letter.message)
    if report is None:
        # "Out of office" goes to the return address as well. What a person wrote there, and a complaint that a
        # provider reports, are kept for a person to read.
        is_report = letter.message.get_content_type() == "multipart/report"
        is_noise = letter.automatic and not is_report
        return Outcome("ignored" if is_noise else "held", "It is no delivery report.")
    if report.type == "none":
        return Outcome("ignored", f"The letter arrived ({report.status}).")
    await bounces.take(services, email_id, report)
    return Outcome("handled", f"{report.type} {report.status}")


async def take_unsubscription(services: Services, letter: InboundLetter) -> Outcome:
    """A letter to `unsubscribe+{id}.{mac}@`: no more letters of that type."""
    wish = await unsubscriptions.accept_letter(services, letter.tag)
    if wish is None:
        return Outcome(
            "held", "This address to unsubscribe is not one of ours, or older than 30 days."
        )
    return Outcome("handled", f"no more {wish.type}")


# By what stands before the + of the address; other chapters add theirs. Letters for nobody here are held.
HANDLERS: dict[str, Handler] = {"bounce": take_bounce, "unsubscribe": take_unsubscription}


class Place(NamedTuple):
    """Where a letter lies on the mail server."""

    mailbox: str
    uidvalidity: int
    uid: int


ADD = """
INSERT INTO inbound_emails
    (mailbox, uidvalidity, uid, message_id, sender, recipient, subject, handler, automatic, spf, dkim, bytes, object_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
        (SELECT id FROM stored_objects WHERE bucket = 'mail-in' AND key = $13))
ON CONFLICT DO NOTHING RETURNING id
"""
END = "UPDATE inbound_emails SET status = $2, why = left($3, 300), handled_at = now() WHERE id = $1"


async def take(services: Services, place: Place, raw: bytes, size: int) -> bool:
    """Keep one letter and hand it over, once in all; False when it is known. Raises ServiceDown.

    The raw letter is stored first, under a name that a repeat overwrites. Row, effect and outcome are
    one transaction: a poller that dies before its end leaves no row, and after it the row says so.
    """
    key = f"{place.mailbox}/{place.uidvalidity}/{place.uid}.eml"
    if "s3" in services.outside:
        await objects.put(
            services, BUCKET, key, raw, "message/rfc822", days=BODY_DAYS, visibility="private"
        )
    server_id = services.settings.mail_server_id or services.settings.mail_host
    letter = inbound_letters.read(raw, services.settings.mail_host, server_id)
    async with services.tx() as tx:
        inbound_id = await tx.db.fetchval(ADD, *row_of(place, letter, raw, size), key)
        if inbound_id is None:
            return False
        outcome = await handed_over(tx, letter, size)
        await tx.db.execute(END, inbound_id, outcome.status, outcome.why)
    log.info("letter came in", inbound_id=inbound_id, status=outcome.status)
    return True


def row_of(place: Place, letter: InboundLetter | None, raw: bytes, size: int) -> tuple[object, ...]:
    """The columns of a letter's row but for the object."""
    if letter is None:
        message_id = inbound_letters.message_id_of("", raw)
        return (*place, message_id, "", "", "", None, False, None, None, size)
    return (
        *place,
        letter.message_id,
        letter.sender,
        letter.recipient,
        letter.subject,
        letter.handler[:40] or None,
        letter.automatic,
        letter.spf,
        letter.dkim,
        size,
    )


async def handed_over(tx: Services, letter: InboundLetter | None, size: int) -> Outcome:
    """Give a letter to the handler of its address; whatever cannot be handled is held, never dropped."""
    if letter is None:
        return Outcome("unparsable", "It cannot be read as a letter.")
    if size > LETTER_BYTES:
        return Outcome("held", "It is larger than 10 MB; only its head was taken.")
    handler = HANDLERS.get(letter.handler)
    if handler is None:
        return Outcome("held", "Nobody here has that address.")
    if await is_flood(tx, letter):
        return Outcome("held", "More than 20 letters of this sender in an hour.")
    try:
        # A savepoint: what a handler did before it failed is undone, and the letter is kept all the same.
        async with tx.tx() as inner:
            return await handler(inner, letter)
    except ServiceDown:
        raise
    except Problem as problem:
        return Outcome("held", problem.sentence)
    # The parser trips over parts of a letter as over its head; one such letter must not stop all that come after it.
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, AssertionError):
        log.exception("letter not handled", handler=letter.handler)
        return Outcome("held", "Its handler stumbled over it.")


RECENT = """
SELECT count(*) FROM inbound_emails
WHERE sender = $1 AND created_at > now() - interval '1 hour' AND status <> 'held'
"""


async def is_flood(services: Services, letter: InboundLetter) -> bool:
    """Whether this sender had its 20 letters of the hour.

    Reports to a return address that we made are no flood: a mail server has one sender's name for all of them.
    """
    if letter.handler == "bounce" and mail_addresses.letter_of(
        services.settings, "bounce", letter.tag
    ):
        return False
    # The letter's own row is among them.
    return (await services.db.fetchval(RECENT, letter.sender) or 0) > A_SENDER_AN_HOUR
