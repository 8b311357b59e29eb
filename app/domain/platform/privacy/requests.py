"""Wishes to see or erase what we keep: asked for, undone, and shown with their dated steps."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.domain.platform import api_tokens, mail, super_admins
from app.domain.platform.privacy import erasures
from app.domain.platform.privacy.histories import Request, request_of
from app.domain.platform.readers import Reader, token_hash
from app.errors import Invalid, NotFound, TooMany
from app.services import Services

PHRASE = "DELETE MY DATA"


class RequestList(msgspec.Struct):
    """Wishes, the latest first."""

    items: list[Request]
    total: int | None
    next: str | None = None


SHOWN = """
SELECT id, user_id, request_type, status, asked_by, reason, run_at, steps, expires_at, receipt_id, finished_at, created_at
FROM gdpr_requests
"""
MINE = SHOWN + "WHERE user_id = $1 ORDER BY id DESC LIMIT 20"
ONE = SHOWN + "WHERE id = $1"


async def mine(services: Services, who: Reader) -> RequestList:
    """The member's last wishes."""
    rows = await services.db.fetch(MINE, who.id)
    return RequestList([request_of(row) for row in rows], len(rows))


async def one(services: Services, request_id: int) -> Request:
    """One wish. Raises NotFound."""
    row = await services.db.fetchrow(ONE, request_id)
    if row is None:
        raise NotFound("There is no such request.")
    return request_of(row)


async def export(services: Services, who: Reader) -> Request:
    """Ask for a copy of one's own data. Raises TooMany while another wish for one is open."""
    async with services.tx() as tx:
        return await one(tx, await add_export(tx, who.id, who.id))


async def deletion(services: Services, who: Reader, phrase: str) -> tuple[Request, str]:
    """Ask to be deleted: the wish, and the token that undoes it. Raises Invalid, TooMany, Conflict."""
    if phrase.strip() != PHRASE:
        sentence = f"Please write {PHRASE}, in capitals."
        raise Invalid(sentence, errors={"phrase": sentence})
    async with services.tx() as tx:
        request_id, token = await add_deletion(tx, who.id, who.id)
        return await one(tx, request_id), token


ADD = """
INSERT INTO gdpr_requests (user_id, request_type, status, asked_by, reason, run_at, undo_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (user_id, request_type) WHERE status IN ('waiting', 'pending', 'processing') DO NOTHING
RETURNING id
"""
OPEN = """
SELECT id, created_at FROM gdpr_requests
WHERE user_id = $1 AND request_type = $2 AND status IN ('waiting', 'pending', 'processing')
"""


async def add(tx: Services, user_id: int, kind: str, *facts: Any) -> int:
    """Write one wish; answer its id. Raises TooMany, which names the one that is open."""
    request_id: int | None = await tx.db.fetchval(ADD, user_id, kind, *facts)
    if request_id is not None:
        return request_id
    first = await tx.db.fetchrow(OPEN, user_id, kind)
    if first is None:
        # The first has ended between the two statements.
        return await add(tx, user_id, kind, *facts)
    raise TooMany(
        f"Request {first['id']} of {first['created_at']:%d %B %Y} is still open. Wait for it, or cancel it first.",
        code="already_open",
        retry_after=3600,
    )


async def add_export(tx: Services, user_id: int, asked_by: int, reason: str | None = None) -> int:
    """Write the wish for a copy with its job; answer its id. Raises TooMany."""
    now = datetime.now(UTC)
    request_id = await add(tx, user_id, "EXPORT", "pending", asked_by, reason, now, None)
    about = (f"member:{user_id}",)
    await tx.enqueue("export_person", request_id, key=f"request:{request_id}", subjects=about)
    return request_id


ADDRESS = "SELECT email::text FROM users WHERE id = $1"


async def add_deletion(
    tx: Services, user_id: int, asked_by: int, reason: str | None = None
) -> tuple[int, str]:
    """Write the wish to be deleted with its job and letter, and close the account; answer id and undo token.

    Raises TooMany, and Conflict for the last super_admin.
    """
    token = secrets.token_urlsafe(24)
    run_at = datetime.now(UTC) + timedelta(hours=tx.settings.gdpr_deletion_delay_hours)
    facts = ("waiting", asked_by, reason, run_at, token_hash(token))
    request_id = await add(tx, user_id, "DELETION", *facts)
    key = f"request:{request_id}"
    await tx.enqueue(
        "erase_person", request_id, key=key, run_at=run_at, subjects=(f"member:{user_id}",)
    )
    await close(tx, user_id)
    await mail.send(
        tx,
        "deletion_scheduled",
        await tx.db.fetchval(ADDRESS, user_id),
        user_id=user_id,
        dedupe_key=f"deletion_scheduled:{request_id}",
        link=undo_link(tx, token),
        until=f"{run_at:%d %B %Y, %H:%M} UTC",
        by_staff=asked_by != user_id,
    )
    return request_id, token


def undo_link(services: Services, token: str) -> str:
    """The address in the letter; opening it changes nothing, only its button does."""
    return f"{services.settings.public_url}/settings/privacy/deletion?token={token}"


# Closed: signed out everywhere, tokens dead, and all that was published is left out wherever people are joined.
CLOSE = "UPDATE users SET closed_at = now() WHERE id = $1 AND kind = 'member' RETURNING role"
END_SESSIONS = """
UPDATE sessions SET ended_at = now(), ended_why = 'deletion' WHERE user_id = $1 AND ended_at IS NULL
"""


async def close(tx: Services, user_id: int) -> None:
    """Sign a person out everywhere and hide them. Raises NotFound, and Conflict for the last super_admin."""
    await super_admins.lock(tx)
    row = await tx.db.fetchrow(CLOSE, user_id)
    if row is None:
        raise NotFound("There is no such member.")
    if row["role"] is not None:
        await super_admins.keep_one(tx)
    await tx.db.execute(END_SESSIONS, user_id)
    await api_tokens.revoke_all(tx, user_id)
    await erasures.tell_gone(tx, user_id)


CANCEL = """
UPDATE gdpr_requests SET status = 'cancelled', finished_at = now(), undo_hash = NULL
WHERE id = $1 AND status IN ('waiting', 'pending') RETURNING user_id, request_type
"""
REOPEN = "UPDATE users SET closed_at = NULL WHERE id = $1"
BY_UNDO = """
SELECT id FROM gdpr_requests WHERE undo_hash = $1 AND status = 'waiting'
"""


async def undo(services: Services, token: str) -> Request:
    """Call a deletion off by the link of its letter: the account is open again. Raises NotFound when it is too late."""
    async with services.tx() as tx:
        request_id = await tx.db.fetchval(BY_UNDO, token_hash(token))
        if request_id is None or not await cancel(tx, request_id):
            raise NotFound("This deletion was called off already, or is done.", code="too_late")
        return await one(tx, request_id)


async def cancel(tx: Services, request_id: int) -> bool:
    """End a wish that nothing was done for yet, and write to the person; False when it is too late."""
    row = await tx.db.fetchrow(CANCEL, request_id)
    if row is None:
        return False
    if row["request_type"] == "DELETION":
        await tx.db.execute(REOPEN, row["user_id"])
        await mail.send(
            tx,
            "deletion_cancelled",
            await tx.db.fetchval(ADDRESS, row["user_id"]),
            user_id=row["user_id"],
            dedupe_key=f"deletion_cancelled:{request_id}",
            link=f"{tx.settings.public_url}/auth/login",
        )
    return True


# A wish whose job was cancelled, deleted or given up is still a wish; of several that failed the latest counts.
STRANDED = """
SELECT r.id, r.user_id, CASE r.request_type WHEN 'EXPORT' THEN 'export_person' ELSE 'erase_person' END AS job_type
FROM gdpr_requests r
WHERE r.run_at < now() - interval '1 hour'
  AND (r.status IN ('waiting', 'pending', 'processing') OR r.farewell_id IS NOT NULL
       OR (r.status = 'failed' AND r.request_type = 'DELETION' AND NOT EXISTS (
           SELECT FROM gdpr_requests later
           WHERE later.user_id = r.user_id AND later.request_type = 'DELETION' AND later.id > r.id)))
  AND NOT EXISTS (
      SELECT FROM delayed_jobs job
      WHERE job.job_type IN ('export_person', 'erase_person') AND job.idempotency_key = 'request:' || r.id
        AND job.status IN ('pending', 'running'))
ORDER BY r.id LIMIT 1000
"""


async def take_up_again(services: Services) -> int:
    """Give every due wish that has lost its job a new one; answer how many."""
    async with services.tx() as tx:
        rows = await tx.db.fetch(STRANDED)
        for row in rows:
            about = (f"member:{row['user_id']}",)
            key = f"request:{row['id']}"
            await tx.enqueue(row["job_type"], row["id"], key=key, subjects=about)
    return len(rows)


async def is_open(services: Services, token: str) -> bool:
    """Whether the link of a letter still calls its deletion off."""
    return await services.db.fetchval(BY_UNDO, token_hash(token)) is not None
