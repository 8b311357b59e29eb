"""Writing jobs: in the caller's transaction, one statement for any number, one live job a key."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.platform.jobs.types import JobType, Registry
from app.services import Services

# Ids come in the order of the calls: the rows are inserted in that order.
ADD = """
INSERT INTO delayed_jobs
    (job_type, queue, priority, payload, subjects, run_at, max_attempts, idempotency_key, once, trace, actor_id)
SELECT $1, $2, $3, wish.payload::jsonb, $6::text[], coalesce($7::timestamptz, now()), $8, wish.key, $9, $10, $11
FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS wish (payload, key, place)
ORDER BY wish.place
ON CONFLICT DO NOTHING
RETURNING id, idempotency_key
"""
# Many jobs without arguments need no list of equal payloads.
ADD_ALIKE = """
INSERT INTO delayed_jobs
    (job_type, queue, priority, payload, subjects, run_at, max_attempts, trace, actor_id)
SELECT $1, $2, $3, $4::text::jsonb, $6::text[], coalesce($7::timestamptz, now()), $8, $9, $10
FROM generate_series(1, $5::integer)
RETURNING id
"""
# The wish said again: the job that is there, at the earlier of the two times.
SAID_AGAIN = """
WITH there AS (
    UPDATE delayed_jobs
    SET run_at = CASE WHEN status = 'pending' THEN least(run_at, coalesce($3::timestamptz, now())) ELSE run_at END
    WHERE job_type = $1 AND idempotency_key = ANY($2::text[]) AND (status IN ('pending', 'running') OR once)
    RETURNING id, idempotency_key, queue, status
), told AS (
    SELECT pg_notify('village_jobs', queue) FROM there WHERE status = 'pending' GROUP BY queue
)
SELECT id, idempotency_key FROM there WHERE (SELECT count(*) FROM told) IS NOT NULL
"""


class Ledger:
    """What writes jobs; it knows the types that exist."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def add(
        self,
        services: Services,
        job_type: str,
        calls: Sequence[Sequence[Any]],
        *,
        key: str | None = None,
        keys: Sequence[str] | None = None,
        run_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        once: bool = False,
        subjects: Sequence[str] = (),
        actor_id: int | None = None,
        max_attempts: int | None = None,
    ) -> list[int]:
        """Write one job a call; answer their ids in order.

        While a job of the same type and key is live (with `once`: is kept), its id is the answer and
        the earlier `run_at` holds.
        """
        if not calls:
            return []
        kind = self.registry.of(job_type)
        head = (kind.name, queue or kind.queue, kind.priority if priority is None else priority)
        tail = (list(subjects), run_at, max_attempts or kind.attempts)
        trace = dict(services.trace) or None
        if key is None and keys is None:
            return await add_unkeyed(services, kind, calls, head, (*tail, once, trace, actor_id))
        wanted = [key] * len(calls) if keys is None else list(keys)
        payloads = dict(zip(wanted, payloads_of(kind, calls), strict=True))
        ids = await add_keyed(services, payloads, head, (*tail, once, trace, actor_id))
        return [ids[wish] for wish in wanted]


def payloads_of(kind: JobType, calls: Sequence[Sequence[Any]]) -> list[str]:
    """The payload of each call."""
    return [kind.payload(arguments).decode() for arguments in calls]


async def add_unkeyed(
    services: Services, kind: JobType, calls: Sequence[Sequence[Any]], head: Any, tail: Any
) -> list[int]:
    """Insert jobs that may repeat."""
    if any(calls):
        rows = await services.db.fetch(
            ADD, *head, payloads_of(kind, calls), [None] * len(calls), *tail
        )
    else:
        [payload] = payloads_of(kind, calls[:1])
        subjects, run_at, attempts, _once, *rest = tail
        rows = await services.db.fetch(
            ADD_ALIKE, *head, payload, len(calls), subjects, run_at, attempts, *rest
        )
    return [row["id"] for row in rows]


async def add_keyed(
    services: Services, payloads: Mapping[Any, str], head: Any, tail: Any
) -> dict[Any, int]:
    """Insert jobs whose key has none yet; answer an id a key.

    A job that ends between the two statements leaves a key without a job: then both are said again.
    """
    ids: dict[Any, int] = {}
    while missing := [key for key in payloads if key not in ids]:
        texts = [payloads[key] for key in missing]
        made = await services.db.fetch(ADD, *head, texts, missing, *tail)
        ids |= {row["idempotency_key"]: row["id"] for row in made}
        if len(made) < len(missing):
            others = [key for key in missing if key not in ids]
            there = await services.db.fetch(SAID_AGAIN, head[0], others, tail[1])
            ids |= {row["idempotency_key"]: row["id"] for row in there}
    return ids


async def add_by_hand(
    services: Services, kind: JobType, fields: Mapping[str, Any], actor_id: int
) -> int:
    """Write one job whose arguments a person gave by name; return its id. Raises Invalid."""
    payload = kind.payload_of_fields(fields).decode()
    head = (kind.name, kind.queue, kind.priority)
    trace = dict(services.trace) or None
    tail: tuple[Any, ...] = ([], None, kind.attempts, False, trace, actor_id)
    [row] = await services.db.fetch(ADD, *head, [payload], [None], *tail)
    return int(row["id"])
