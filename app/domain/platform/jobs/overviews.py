"""Families, types, schedules and workers at a glance, from counters and figures and never from the jobs."""

from collections import defaultdict
from datetime import datetime

import msgspec

from app.domain.platform.jobs import counts, stats
from app.domain.platform.jobs.console import in_time
from app.domain.platform.jobs.types import FAMILIES
from app.services import Services

# p95 of the wait that is promised, in seconds (rule 115).
WAIT_TARGETS = {"HIGH": 30, "DEFAULT": 300, "SCREENSHOT": 120, "LOW": 1800, "BULK": None}


class Queue(msgspec.Struct):
    """One family: what waits, what runs, how long waits were in the last hour, and its brake."""

    queue: str
    depth: int = 0
    oldest_seconds: int = 0
    pending: int = 0
    running: int = 0
    dead: int = 0
    workers: int = 0
    slots: int = 0
    rate_per_minute: float = 0
    wait_p50_ms: int | None = None
    wait_p95_ms: int | None = None
    wait_max_ms: int | None = None
    target_seconds: int | None = None
    paused: bool = False
    paused_until: datetime | None = None
    reason: str | None = None
    slots_limit: int | None = None
    per_minute: int | None = None


class QueueList(msgspec.Struct):
    """All families."""

    items: list[Queue]
    total: int
    next: str | None = None


FIGURES = """
SELECT family.name AS queue, coalesce(f.depth, 0) AS depth, coalesce(f.oldest_seconds, 0)::integer AS oldest_seconds,
    coalesce(f.workers, 0) AS workers, coalesce(f.slots, 0) AS slots,
    coalesce(c.paused AND (c.until IS NULL OR c.until > now()), false) AS paused,
    c.until AS paused_until, c.reason, c.slots AS slots_limit, c.per_minute
FROM unnest($1::text[]) AS family (name)
LEFT JOIN job_figures AS f ON f.queue = family.name
LEFT JOIN delayed_job_control AS c ON c.scope = 'queue' AND c.name = family.name
"""
LAST_HOUR = """
SELECT queue, bucket.place, sum(bucket.jobs)::bigint AS jobs, max(wait_max_ms) AS longest
FROM job_stats CROSS JOIN unnest(wait_buckets) WITH ORDINALITY AS bucket (jobs, place)
WHERE span = 'minute' AND starts_at > now() - interval '1 hour'
GROUP BY queue, bucket.place ORDER BY queue, bucket.place
"""


async def queues(services: Services) -> QueueList:
    """Every family as it stands. Raises Invalid when that takes over 500 ms."""
    async with services.held() as held:
        figures = await in_time(held.db.fetch(FIGURES, list(FAMILIES)))
        waits = await in_time(held.db.fetch(LAST_HOUR))
        known = await in_time(counts.totals(held))
    histograms: dict[str, list[int]] = defaultdict(list)
    longest: dict[str, int] = {}
    for row in waits:
        histograms[row["queue"]].append(row["jobs"])
        longest[row["queue"]] = max(longest.get(row["queue"], 0), row["longest"])
    items = []
    for row in figures:
        queue = Queue(**dict(row), target_seconds=WAIT_TARGETS[row["queue"]])
        for status in ("pending", "running", "dead"):
            many = sum(
                n for (name, _, state), n in known.items() if (name, state) == (queue.queue, status)
            )
            setattr(queue, status, many)
        buckets = histograms[queue.queue]
        queue.rate_per_minute = round(sum(buckets) / 60, 1)
        queue.wait_max_ms = longest.get(queue.queue)
        queue.wait_p50_ms = stats.quantile(buckets, 0.5, queue.wait_max_ms)
        queue.wait_p95_ms = stats.quantile(buckets, 0.95, queue.wait_max_ms)
        items.append(queue)
    return QueueList(items, len(items))


class Type(msgspec.Struct):
    """One type of job: its facts, how many there are, and its brake."""

    job_type: str
    queue: str
    attempts: int
    timeout: float
    lease: float
    arguments: list[str]
    pending: int = 0
    running: int = 0
    dead: int = 0
    paused: bool = False
    slots_limit: int | None = None
    per_minute: int | None = None


class TypeList(msgspec.Struct):
    """All types."""

    items: list[Type]
    total: int
    next: str | None = None


BRAKED_TYPES = "SELECT name, paused, slots, per_minute FROM job_brakes WHERE scope = 'job_type'"


async def types(services: Services) -> TypeList:
    """Every type that the program knows."""
    async with services.held() as held:
        known = await in_time(counts.totals(held))
        brakes = {row["name"]: row for row in await held.db.fetch(BRAKED_TYPES)}
    items = []
    for kind in services.ledger.registry.values():
        fields = list(kind.arguments.__struct_fields__)
        one = Type(kind.name, kind.queue, kind.attempts, kind.timeout, kind.lease, fields)
        if (brake := brakes.get(kind.name)) is not None:
            one.paused, one.slots_limit = brake["paused"], brake["slots"]
            one.per_minute = brake["per_minute"]
        for status in ("pending", "running", "dead"):
            many = sum(
                n for (_, name, state), n in known.items() if (name, state) == (kind.name, status)
            )
            setattr(one, status, many)
        items.append(one)
    return TypeList(sorted(items, key=lambda one: one.job_type), len(items))


class Line(msgspec.Struct):
    """One line of the clock."""

    name: str
    job_type: str
    spec: str
    time_zone: str
    enabled: bool
    next_run_at: datetime | None
    last_run_at: datetime | None
    skipped: int


class LineList(msgspec.Struct):
    """All lines of the clock."""

    items: list[Line]
    total: int
    next: str | None = None


SCHEDULES = """
SELECT name, job_type, spec, time_zone, enabled, next_run_at, last_run_at, skipped
FROM job_schedules ORDER BY next_run_at NULLS LAST, name
"""


async def schedules(services: Services) -> LineList:
    """The clock's lines, the next one first."""
    rows = await in_time(services.db.fetch(SCHEDULES))
    return LineList([Line(**dict(row)) for row in rows], len(rows))


class Worker(msgspec.Struct):
    """One worker process."""

    id: str
    host: str
    version: str
    slots: dict[str, int]
    busy: dict[str, int]
    created_at: datetime
    seen_at: datetime
    is_live: bool


class WorkerList(msgspec.Struct):
    """The worker processes seen in the last day."""

    items: list[Worker]
    total: int
    next: str | None = None


WORKERS = """
SELECT id, host, version, slots, busy, created_at, seen_at, seen_at > now() - interval '15 seconds' AS is_live
FROM workers ORDER BY seen_at DESC LIMIT 100
"""


async def workers(services: Services) -> WorkerList:
    """The worker processes, the one heard of last first."""
    rows = await in_time(services.db.fetch(WORKERS))
    return WorkerList([Worker(**dict(row)) for row in rows], len(rows))
