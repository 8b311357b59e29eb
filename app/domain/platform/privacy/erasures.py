"""Erasure: the steps of rule 33 in their order, each in one transaction, so that a killed one is continued."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from app.domain.platform import mail, oauth_tokens
from app.domain.platform.flags import exposures
from app.domain.platform.privacy import journal, objects, receipts
from app.domain.platform.privacy.kinds import STEPS, Place, in_sql
from app.domain.platform.privacy.progress import Progress, failing, lock, write
from app.domain.platform.privacy.statements import counting, erasing, run, tables
from app.errors import Defer
from app.services import Services

HOLD_DAYS = 30
FAREWELL_WAIT = timedelta(minutes=1)


class Wish(NamedTuple):
    """One wish to be erased that is carried out now."""

    id: int
    user_id: int
    run_at: datetime
    finished_at: datetime | None


class Hold(NamedTuple):
    """Until when an account must stay, and why."""

    until: datetime
    why: str


TAKE = """
UPDATE gdpr_requests SET status = CASE WHEN finished_at IS NULL THEN 'processing' ELSE status END
WHERE id = $1 AND request_type = 'DELETION' AND run_at <= clock_timestamp()
  AND (status IN ('waiting', 'pending', 'processing', 'failed') OR farewell_id IS NOT NULL)
RETURNING id, user_id, run_at, finished_at
"""


async def erase(services: Services, request_id: int) -> None:
    """Carry out one wish to be erased; a repeat goes on where the last one stopped.

    Raises Defer while something is held or the last letter is under way, ServiceDown for files and the journal's bucket.
    """
    row = await services.db.fetchrow(TAKE, request_id)
    if row is None:
        return
    wish = Wish(**dict(row))
    if wish.finished_at is None:
        async with failing(services, request_id):
            for step in STEPS:
                await take_step(services, wish, step)
            await journal.store(services, wish.user_id)
            await services.db.execute(FINISH, request_id)
    await forget_farewell(services, request_id)


FINISH = """
UPDATE gdpr_requests SET status = 'completed', finished_at = coalesce(finished_at, now()) WHERE id = $1
"""


async def take_step(services: Services, wish: Wish, step: str) -> None:
    """Do one step and write down that it is done, in one transaction. Raises Defer when the account is held."""
    if step in ("objects", "account"):
        await objects.erase(services, wish.user_id, wish.id)
    held = None
    async with services.tx() as tx:
        progress = await lock(tx, wish.id)
        if progress.is_done(step):
            return
        if step == "account":
            held = await hold(tx, wish)
        # What came while the steps before were taken, or while the account was held, goes with the account.
        for each in STEPS if step == "account" else (step,):
            await erase_places(tx, wish.user_id, each, progress, held)
        if held is not None:
            await tell_held(tx, wish, progress, held)
        else:
            if step == "account":
                await take_leave(tx, wish, progress)
            progress.finish(step)
        await write(tx, wish.id, progress)
    if held is not None:
        raise Defer(held.until, held.why)


async def erase_places(
    tx: Services, user_id: int, step: str, progress: Progress, held: Hold | None
) -> None:
    """Erase the tables of one step; while the account is held, what is held stays."""
    if step == "tokens":
        await oauth_tokens.give_up_all(tx, user_id)
    if step == "caches":
        await tell_gone(tx, user_id)
    if step == "evaluations":
        # Processes write exposures some seconds late, and take turns with this.
        rows = await exposures.forget(tx, user_id)
        progress.count("evaluations", receipts.key_of(tables("evaluations")[0]), rows)
    for place in tables(step):
        if place.name != "stored_objects" and not (held and place.hold):
            rows = await rows_of(tx, place, user_id)
            progress.count(step, receipts.key_of(place), rows, anew=place.erasure.how == "keep")


async def rows_of(tx: Services, place: Place, user_id: int) -> int:
    """Erase one place (or count what is kept of it); answer the rows."""
    if place.erasure.how == "keep":
        return int(await tx.db.fetchval(counting(place), user_id))
    return await run(tx, erasing(place), user_id)


async def tell_gone(services: Services, user_id: int) -> None:
    """Let every web process forget what it keeps of a person, and end their event streams."""
    await services.db.execute("SELECT pg_notify('village_changes', 'gone:' || $1::bigint)", user_id)


# What a held account keeps is its number, its address and what it is held for.
STRIP = """
UPDATE users SET display_name = '', time_zone = NULL, locale = 'en', role = NULL, last_seen_on = NULL WHERE id = $1
"""
ADDRESS = "SELECT email::text FROM users WHERE id = $1"


async def hold(tx: Services, wish: Wish) -> Hold | None:
    """Until when the account must stay, at most 30 days from the day it was due; None when nothing holds it."""
    found = await hold_of(tx, wish.user_id)
    ends = wish.run_at + timedelta(days=HOLD_DAYS)
    if found is None or ends <= datetime.now(UTC):
        return None
    await tx.db.execute(STRIP, wish.user_id)
    await journal.add(tx, wish.user_id)
    return Hold(min(found["until"], ends), found["why"])


async def tell_held(tx: Services, wish: Wish, progress: Progress, held: Hold) -> None:
    """Write to the person, once, what is held and until when."""
    if progress.held(held.why, held.until):
        await mail.send(
            tx,
            "deletion_held",
            await tx.db.fetchval(ADDRESS, wish.user_id),
            dedupe_key=f"deletion_held:{wish.id}",
            until=f"{held.until:%d %B %Y}",
            why=held.why,
        )


async def hold_of(services: Services, user_id: int) -> Any:
    """The first thing in the registry that holds a person's account: until, why; or None."""
    for place in tables("account"):
        if place.hold and (row := await services.db.fetchrow(in_sql(place.hold), user_id)):
            return row
    return None


FAREWELL = "UPDATE gdpr_requests SET receipt_id = $2, farewell_id = $3 WHERE id = $1"


async def take_leave(tx: Services, wish: Wish, progress: Progress) -> None:
    """The journal, the last letter and the receipt. The letter goes to the address that was just erased."""
    await journal.add(tx, wish.user_id)
    token = secrets.token_urlsafe(16)
    letter = None
    if progress.address:
        link = f"{tx.settings.public_url}/receipts/{token}"
        letter = await mail.send(tx, "deletion_done", progress.address, link=link)
    await receipts.add(tx, token, progress.counts())
    await tx.db.execute(FAREWELL, wish.id, token, letter)


# The letter's row holds the address: it goes when the letter has gone out or two days have been tried.
FORGET = """
DELETE FROM emails USING gdpr_requests r
WHERE r.id = $1 AND emails.id = r.farewell_id
  AND (emails.status NOT IN ('queued', 'sending') OR emails.created_at < now() - interval '2 days')
"""
WAITS = "SELECT farewell_id IS NOT NULL FROM gdpr_requests WHERE id = $1"


async def forget_farewell(services: Services, request_id: int) -> None:
    """Delete the last letter once it is sent. Raises Defer until then."""
    await services.db.execute(FORGET, request_id)
    if await services.db.fetchval(WAITS, request_id):
        raise Defer(datetime.now(UTC) + FAREWELL_WAIT, "the last letter is under way")


# The wish that ends a hold once more, where the dump is older than it; requests.take_up_again gives it its job.
WISH_AGAIN = """
INSERT INTO gdpr_requests (user_id, request_type, status, run_at, reason)
VALUES ($1, 'DELETION', 'processing', $2, 'brought back by a restored backup')
ON CONFLICT (user_id, request_type) WHERE status IN ('waiting', 'pending', 'processing')
DO UPDATE SET status = 'processing', run_at = EXCLUDED.run_at, undo_hash = NULL
"""
CLOSE_AGAIN = "UPDATE users SET closed_at = coalesce(closed_at, now()) WHERE id = $1"


async def repeat(services: Services, user_id: int, erased_at: datetime) -> int:
    """Erase a person whom a restored dump brought back; answer how many rows went.

    What holds an account holds it for 30 days and not anew after a restore; until then it stays closed and bare.
    """
    gone = await objects.erase(services, user_id)
    ends = erased_at + timedelta(days=HOLD_DAYS)
    async with services.tx() as tx:
        held = await hold_of(tx, user_id) if ends > datetime.now(UTC) else None
        if held:
            for statement in (STRIP, CLOSE_AGAIN):
                await tx.db.execute(statement, user_id)
        await oauth_tokens.give_up_all(tx, user_id)
        for step in STEPS:
            for place in tables(step):
                if place.name != "stored_objects" and not (held and place.hold):
                    rows = await rows_of(tx, place, user_id)
                    gone += rows if place.erasure.how == "delete" else 0
        if held:
            await tx.db.execute(WISH_AGAIN, user_id, erased_at)
        await tell_gone(tx, user_id)
    return gone
