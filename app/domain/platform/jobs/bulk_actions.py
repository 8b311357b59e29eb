"""One action on many jobs: shown with its count and samples, confirmed, undone, stopped, brought back."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from app.domain.platform import audit
from app.domain.platform.jobs import bulk_matches
from app.domain.platform.jobs.console import Filter, JobRow, in_time
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services

UNDO_SECONDS = 30
SAMPLES = 20

Action = Literal["retry", "cancel", "delete"]


class NewBulkAction(msgspec.Struct):
    """What is to be done to which jobs; nothing happens before it is confirmed."""

    action: Action
    filter: Filter


class Confirmation(msgspec.Struct):
    """Why it is done."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class BulkAction(msgspec.Struct):
    """One action on many jobs as it stands. `matched` is counted to 100,000, beyond that `more_than`."""

    id: int
    action: str
    filter: dict[str, Any]
    status: str
    matched: int
    more_than: bool
    changed: int
    passed_over: int
    actor_id: int | None
    reason: str | None
    job_id: int | None
    starts_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    # How many deleted jobs can still be brought back, and until when.
    kept: int = 0
    kept_until: datetime | None = None
    samples: list[JobRow] = []


class BulkActionList(msgspec.Struct):
    """Actions on many jobs, the latest first."""

    items: list[BulkAction]
    total: int | None
    next: str | None


ADD = """
INSERT INTO job_bulk_actions (filter, action, actor_id, matched, newest_id, below_id)
VALUES ($1, $2, $3, $4, $5::bigint, $5::bigint + 1) RETURNING id
"""
NEWEST = "SELECT coalesce(max(id), 0) FROM delayed_jobs"


async def add(services: Services, who: Reader, wish: NewBulkAction) -> BulkAction:
    """Show what an action would change: how many jobs, and 20 of them. Raises Invalid."""
    async with services.tx() as tx:
        newest = await tx.db.fetchval(NEWEST)
        matched = await in_time(bulk_matches.many(tx, wish.action, wish.filter, newest + 1))
        fields = {
            name: value
            for name, value in msgspec.to_builtins(wish.filter).items()
            if value is not None and name not in ("cursor", "limit")
        }
        found = await tx.db.fetchval(ADD, fields, wish.action, who.id, matched, newest)
    return await one(services, found)


ROW = """
SELECT action.id, action.action, action.filter, action.status, action.matched, action.changed, action.passed_over,
    action.actor_id, action.reason, action.job_id, action.starts_at, action.finished_at, action.created_at,
    action.newest_id, coalesce(kept.jobs, 0) AS kept, kept.until AS kept_until
FROM job_bulk_actions AS action LEFT JOIN LATERAL (
    SELECT count(*) AS jobs, min(created_at) + interval '24 hours' AS until FROM deleted_jobs
    WHERE bulk_action_id = action.id AND created_at > now() - interval '24 hours'
) AS kept ON action.action = 'delete'
"""
ONE = ROW + "WHERE action.id = $1"
LAST = ROW + "WHERE action.id < $1 ORDER BY action.id DESC LIMIT $2"
SAMPLE_ROWS = """
SELECT id, job_type, queue, priority, status, attempts, max_attempts, run_at, created_at, finished_at,
    split_part(last_error, E'\\n', 1) AS last_error, idempotency_key
FROM delayed_jobs WHERE id = ANY($1) ORDER BY id DESC
"""


async def one(services: Services, action_id: int) -> BulkAction:
    """One action; while it was not confirmed, with 20 of the jobs it is about. Raises NotFound."""
    row = await services.db.fetchrow(ONE, action_id)
    if row is None:
        raise NotFound("There is no such action.")
    found = as_action(row)
    if found.status == "shown":
        asked = msgspec.convert(row["filter"], Filter)
        ids = await in_time(
            bulk_matches.ids(services, found.action, asked, row["newest_id"] + 1, SAMPLES)
        )
        rows = await services.db.fetch(SAMPLE_ROWS, ids)
        found.samples = [JobRow(**dict(sample)) for sample in rows]
    return found


def as_action(row: Any) -> BulkAction:
    """One row as it is shown."""
    known = {name: value for name, value in dict(row).items() if name != "newest_id"}
    more_than = known["matched"] > bulk_matches.COUNTED
    known["matched"] = min(known["matched"], bulk_matches.COUNTED)
    return BulkAction(more_than=more_than, **known)


async def listed(services: Services, cursor: int | None, limit: int) -> BulkActionList:
    """Actions on many jobs, the latest first."""
    rows = await services.db.fetch(LAST, cursor or 2**63 - 1, limit + 1)
    items = [as_action(row) for row in rows[:limit]]
    return BulkActionList(items, None, str(items[-1].id) if len(rows) > limit else None)


HELD = "SELECT action, filter, status, starts_at FROM job_bulk_actions WHERE id = $1 FOR UPDATE"
CONFIRM = """
UPDATE job_bulk_actions SET status = 'waiting', reason = $2, job_id = $3, starts_at = $4, actor_id = $5 WHERE id = $1
"""


async def confirm(services: Services, who: Reader, action_id: int, reason: str) -> BulkAction:
    """Let an action run in 30 seconds; until then it can be undone. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        row = await held(tx, action_id)
        if row["status"] != "shown":
            raise Conflict("This was confirmed already.")
        starts = await tx.db.fetchval("SELECT now()") + timedelta(seconds=UNDO_SECONDS)
        job_id = await tx.enqueue("run_bulk_action", action_id, run_at=starts, actor_id=who.id)
        await tx.db.execute(CONFIRM, action_id, reason, job_id, starts, who.id)
        after = {"action": row["action"], "filter": row["filter"]}
        target = ("bulk_action", action_id)
        await audit.add(tx, who, "bulk_action.confirmed", target, reason, after=after)
    return await one(services, action_id)


async def held(services: Services, action_id: int) -> Any:
    """The row of an action, locked. Raises NotFound."""
    row = await services.db.fetchrow(HELD, action_id)
    if row is None:
        raise NotFound("There is no such action.")
    return row


STOP = "UPDATE job_bulk_actions SET status = $2, finished_at = now() WHERE id = $1"
STOPPED = {
    "waiting": ("undone", "bulk_action.undone"),
    "running": ("stopping", "bulk_action.stopped"),
}


async def stop(services: Services, who: Reader, action_id: int) -> BulkAction:
    """Undo an action that has not begun; stop one that runs after its present batch. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        row = await held(tx, action_id)
        if row["status"] not in STOPPED:
            raise Conflict("There is nothing to stop.")
        status, word = STOPPED[row["status"]]
        await tx.db.execute(STOP, action_id, status)
        await audit.add(tx, who, word, ("bulk_action", action_id))
    return await one(services, action_id)


async def bring_back(services: Services, who: Reader, action_id: int, reason: str) -> BulkAction:
    """Let a job put back what an action deleted in the last 24 hours. Raises NotFound, Conflict."""
    found = await one(services, action_id)
    if found.kept == 0 or found.status in ("waiting", "running", "stopping"):
        raise Conflict("There is nothing to bring back.")
    async with services.tx() as tx:
        await tx.enqueue(
            "restore_deleted_jobs", action_id, key=f"bulk:{action_id}", actor_id=who.id
        )
        await audit.add(tx, who, "bulk_action.restored", ("bulk_action", action_id), reason)
    return await one(services, action_id)
