"""What the console shows: lists and single jobs, quick however many rows there are."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from app.domain.platform.jobs import counts
from app.domain.platform.jobs.types import FAMILIES, STATUSES
from app.errors import Invalid, NotFound
from app.services import Services

Queue = Literal["HIGH", "DEFAULT", "LOW", "BULK", "SCREENSHOT"]
Status = Literal["pending", "running", "done", "dead", "cancelled"]
Read = TypeVar("Read")

READ_SECONDS = 0.5
# Ids rise with time but for transactions that run long: so much is looked at on either side.
SLACK = timedelta(minutes=2)
LARGEST_ID = 2**63 - 1
ATTEMPTS_SHOWN = 100


class Filter(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    """What the reader wants to see. Times are of the jobs' making, in UTC."""

    queue: Queue | None = None
    status: Status | None = None
    type: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    subject: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    key: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    id: int | None = None
    from_: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    to: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    cursor: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class JobRow(msgspec.Struct):
    """One job in a list."""

    id: int
    job_type: str
    queue: str
    priority: int
    status: str
    attempts: int
    max_attempts: int
    run_at: datetime
    created_at: datetime
    finished_at: datetime | None
    last_error: str | None
    idempotency_key: str | None


class JobList(msgspec.Struct):
    """A page of jobs, newest first; `total` where the counters know it."""

    items: list[JobRow]
    total: int | None
    next: str | None


class Attempt(msgspec.Struct):
    """One try of a job."""

    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    error: str | None
    wait_ms: int | None
    run_ms: int | None


class Job(JobRow):
    """One job with its tries, the latest first. `payload` is for those who may act on it."""

    subjects: list[str]
    once: bool
    locked_by: str | None
    locked_until: datetime | None
    progress: Any
    actor_id: int | None
    payload: dict[str, Any] | None
    tries: list[Attempt]


async def in_time(reading: Awaitable[Read]) -> Read:
    """The result of a read, if it takes no longer than 500 ms. Raises Invalid."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await reading
    except TimeoutError:
        sentence = "That is too wide to look through. Narrow the time."
        raise Invalid(sentence, code="too_wide", errors={"from": "Narrow the time."}) from None


# The rows of one (family, state) lie together by age: a list is the merge of at most 25 short walks. The first row
# may be anywhere between the bounds, so no walk is longer than the page unless the time cuts rows out of the slack.
IN_FAMILY = """
SELECT found.id
FROM unnest($6::text[]) AS family (name) CROSS JOIN unnest($7::text[]) AS state (name)
CROSS JOIN LATERAL (
    SELECT job.id FROM delayed_jobs AS job
    WHERE $5::text IS NULL AND job.queue = family.name AND job.status = state.name AND -job.id > -$2::bigint AND -job.id <= -bounds.low
      AND job.created_at BETWEEN coalesce($3::timestamptz, '-infinity') AND coalesce($4::timestamptz, 'infinity')
    ORDER BY -job.id LIMIT $1
) AS found
"""
OF_TYPE = """
SELECT found.id
FROM unnest($6::text[]) AS family (name) CROSS JOIN unnest($7::text[]) AS state (name)
CROSS JOIN LATERAL (
    SELECT job.id FROM delayed_jobs AS job
    WHERE job.job_type = $5 AND job.queue = family.name AND job.status = state.name
      AND -job.id > -$2::bigint AND -job.id <= -bounds.low AND job.created_at BETWEEN coalesce($3::timestamptz, '-infinity') AND coalesce($4::timestamptz, 'infinity')
    ORDER BY -job.id LIMIT $1
) AS found
"""
BY_KEY = """
SELECT found.id FROM (
    SELECT job.id FROM delayed_jobs AS job
    WHERE job.idempotency_key = $5 AND -job.id > -$2::bigint AND -job.id <= -bounds.low
      AND job.created_at BETWEEN coalesce($3::timestamptz, '-infinity') AND coalesce($4::timestamptz, 'infinity') AND job.queue = ANY($6::text[]) AND job.status = ANY($7::text[])
    ORDER BY -job.id LIMIT $1
) AS found
"""
BY_SUBJECT = """
SELECT found.id FROM (
    SELECT job.id, job.created_at, job.queue, job.status FROM delayed_jobs AS job
    WHERE job.subjects @> ARRAY[$5::text] AND job.subjects <> '{}'
    OFFSET 0
) AS found
WHERE found.id < $2 AND found.id >= bounds.low AND found.created_at BETWEEN coalesce($3::timestamptz, '-infinity') AND coalesce($4::timestamptz, 'infinity')
  AND found.queue = ANY($6::text[]) AND found.status = ANY($7::text[])
"""
EVERY = """
SELECT job.id FROM delayed_jobs AS job
WHERE job.id < $2 AND job.id >= bounds.low AND job.created_at BETWEEN coalesce($3::timestamptz, '-infinity') AND coalesce($4::timestamptz, 'infinity')
  AND $5::text IS NULL AND $6::text[] IS NOT NULL AND $7::text[] IS NOT NULL
ORDER BY job.id DESC LIMIT $1
"""
BY_ID = """
SELECT job.id FROM delayed_jobs AS job
WHERE job.id = $5::text::bigint AND job.id < $2 AND job.id >= bounds.low AND job.created_at BETWEEN coalesce($3::timestamptz, '-infinity') AND coalesce($4::timestamptz, 'infinity')
  AND job.queue = ANY($6::text[]) AND job.status = ANY($7::text[])
"""


def listing(source: str) -> str:
    """The whole statement of a list around the source of its ids, each of which is a constant above."""
    return f"""
WITH chosen AS (
    SELECT found.id
    FROM (SELECT coalesce(first_job_since($3::timestamptz - $8::interval), 0)) AS bounds (low)
    CROSS JOIN LATERAL ({source}) AS found
    ORDER BY found.id DESC LIMIT $1
)
SELECT job.id, job.job_type, job.queue, job.priority, job.status, job.attempts, job.max_attempts, job.run_at,
    job.created_at, job.finished_at, split_part(job.last_error, E'\\n', 1) AS last_error, job.idempotency_key
FROM chosen JOIN delayed_jobs AS job ON job.id = chosen.id
ORDER BY job.id DESC
"""  # noqa: S608


SOURCES = {
    "every": EVERY,
    "family": IN_FAMILY,
    "type": OF_TYPE,
    "key": BY_KEY,
    "subject": BY_SUBJECT,
    "id": BY_ID,
}
LISTS = {name: listing(source) for name, source in SOURCES.items()}
UPPER = "SELECT first_job_since($1)"


async def jobs(services: Services, asked: Filter) -> JobList:
    """The jobs that fit a filter, newest first. Raises Invalid when that takes over 500 ms."""
    below = asked.cursor or LARGEST_ID
    since, until = moment("from", asked.from_), moment("to", asked.to)
    if until is not None:
        below = min(below, await in_time(services.db.fetchval(UPPER, until + SLACK)))
    source, value = source_of(asked)
    families = [asked.queue] if asked.queue else list(FAMILIES)
    states = [asked.status] if asked.status else list(STATUSES)
    rows = await in_time(
        services.db.fetch(
            LISTS[source], asked.limit + 1, below, since, until, value, families, states, SLACK
        )
    )
    items = [JobRow(**dict(row)) for row in rows[: asked.limit]]
    more = str(items[-1].id) if len(rows) > asked.limit else None
    return JobList(items, await total(services, asked), more)


def moment(field: str, text: str | None) -> datetime | None:
    """A time as forms and scripts write it; without a zone it is UTC. Raises Invalid."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        # The first and the last day of the calendar do not exist in every zone.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        sentence = "Write the time as 2026-01-24T09:30."
        raise Invalid("This is not a time.", errors={field: sentence}) from None


def source_of(asked: Filter) -> tuple[str, str | None]:
    """Which index leads to the jobs, and the value to look up in it. Raises Invalid for two that exclude each other."""
    given = {"id": asked.id, "key": asked.key, "subject": asked.subject, "type": asked.type}
    named = [(name, value) for name, value in given.items() if value is not None]
    if len(named) > 1:
        name = named[1][0]
        raise Invalid(
            "Choose one of id, key, subject and type.", errors={name: "One of these at a time."}
        )
    if named:
        return named[0][0], str(named[0][1])
    return ("family" if asked.queue or asked.status else "every"), None


async def total(services: Services, asked: Filter) -> int | None:
    """How many jobs fit, by the counters; None where they do not know."""
    if asked.id or asked.key or asked.subject or asked.from_ or asked.to:
        return None
    known = await in_time(counts.totals(services))
    return sum(
        many
        for (queue, job_type, status), many in known.items()
        if asked.queue in (None, queue)
        and asked.type in (None, job_type)
        and asked.status in (None, status)
    )


ONE = """
SELECT id, job_type, queue, priority, status, attempts, max_attempts, run_at, created_at, finished_at, last_error,
    idempotency_key, subjects, once, locked_by, locked_until, progress, actor_id, payload
FROM delayed_jobs WHERE id = $1
"""
TRIES = """
SELECT attempt, worker, started_at, ended_at, outcome, error, wait_ms, run_ms
FROM job_attempts WHERE job_id = $1 AND ended_at >= $2
ORDER BY ended_at DESC LIMIT $3
"""


async def job(services: Services, job_id: int, *, with_payload: bool) -> Job:
    """One job with its tries. Raises NotFound."""
    async with services.held() as held:
        row = await in_time(held.db.fetchrow(ONE, job_id))
        if row is None:
            raise NotFound("There is no such job.")
        tries = await in_time(held.db.fetch(TRIES, job_id, row["created_at"], ATTEMPTS_SHOWN))
    known = dict(row)
    if not with_payload:
        known["payload"] = None
    return Job(**known, tries=[Attempt(**dict(one)) for one in tries])
