"""How many jobs there are: exact sums that never read the jobs, and the figures that every process shows alike."""

from prometheus_client import Gauge

from app.domain.platform.jobs.types import FAMILIES
from app.services import Services

# A process shows what PostgreSQL holds, so with several web processes the newest value is as good as any.
DEPTH = Gauge(
    "homepage_jobs_depth", "Due jobs that wait.", ["queue"], multiprocess_mode="mostrecent"
)
OLDEST = Gauge(
    "job_queue_oldest_seconds",
    "How long the oldest due job waits.",
    ["queue"],
    multiprocess_mode="mostrecent",
)
WORKERS = Gauge("job_workers", "Live workers.", ["queue"], multiprocess_mode="mostrecent")
BEATS = Gauge(
    "job_heartbeat_timestamp",
    "When a loop last went round.",
    ["loop"],
    multiprocess_mode="mostrecent",
)
for family in FAMILIES:
    DEPTH.labels(family), OLDEST.labels(family), WORKERS.labels(family)
DEPTH.labels("FEED_REFRESH")
for loop in ("clock", "sweeper", "relay"):
    BEATS.labels(loop)

FOLD = """
WITH taken AS (
    SELECT id FROM job_count_deltas ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM job_count_deltas WHERE id IN (SELECT id FROM taken)
    RETURNING queue, job_type, status, difference
), summed AS (
    SELECT queue, job_type, status, sum(difference) AS difference, count(*) AS deltas FROM gone GROUP BY 1, 2, 3
), kept AS (
    INSERT INTO job_counts AS counts (queue, job_type, status, jobs)
    SELECT queue, job_type, status, difference FROM summed ORDER BY 1, 2, 3
    ON CONFLICT (queue, job_type, status) DO UPDATE SET jobs = counts.jobs + EXCLUDED.jobs
)
SELECT coalesce(sum(deltas), 0)::integer FROM summed
"""
FOLD_BATCH = 10_000


async def fold(services: Services) -> int:
    """Fold the differences that have gathered into the sums; return how many."""
    folded = 0
    while part := await services.db.fetchval(FOLD, FOLD_BATCH):
        folded += part
        if part < FOLD_BATCH:
            break
    return folded


TOTALS = "SELECT queue, job_type, status, jobs FROM job_totals WHERE jobs <> 0"


async def totals(services: Services) -> dict[tuple[str, str, str], int]:
    """Return how many jobs there are by family, type and status."""
    return {
        (row["queue"], row["job_type"], row["status"]): row["jobs"]
        for row in await services.db.fetch(TOTALS)
    }


# One family after the other by the index on (queue, run_at); feeds due belong to the homepage, their label is ours.
READ = """
INSERT INTO job_figures (queue, depth, oldest_seconds, workers, slots, busy, read_at)
SELECT family.name, due.depth, due.oldest, live.workers, live.slots, live.busy, now()
FROM unnest($1::text[]) AS family (name)
CROSS JOIN LATERAL (
    SELECT count(*) AS depth, coalesce(extract(epoch FROM now() - min(run_at)), 0) AS oldest
    FROM delayed_jobs WHERE queue = family.name AND status = 'pending' AND run_at <= now()
) AS due
CROSS JOIN LATERAL (
    SELECT count(*) AS workers, coalesce(sum((slots ->> family.name)::integer), 0) AS slots,
        coalesce(sum((busy ->> family.name)::integer), 0) AS busy
    FROM workers WHERE family.name = ANY(families) AND seen_at > now() - interval '15 seconds'
) AS live
UNION ALL
SELECT 'FEED_REFRESH', count(*), coalesce(extract(epoch FROM now() - min(next_fetch_at)), 0), 0, 0, 0, now()
FROM feeds WHERE next_fetch_at <= now()
ON CONFLICT (queue) DO UPDATE
SET depth = EXCLUDED.depth, oldest_seconds = EXCLUDED.oldest_seconds, workers = EXCLUDED.workers,
    slots = EXCLUDED.slots, busy = EXCLUDED.busy, read_at = EXCLUDED.read_at
"""


async def read_figures(services: Services) -> None:
    """Read depth, oldest wait and workers once for all processes, and keep them in PostgreSQL."""
    await services.db.execute(READ, list(FAMILIES))


SHOW = """
SELECT 'figure' AS kind, queue AS name, depth::float8 AS depth, oldest_seconds AS oldest, workers::float8 AS workers
FROM job_figures
UNION ALL
SELECT 'beat', loop, extract(epoch FROM at)::float8, 0, 0 FROM job_beats
"""


async def show_figures(services: Services) -> None:
    """Set this process's gauges to the figures that are kept."""
    for row in await services.db.fetch(SHOW):
        if row["kind"] == "beat":
            BEATS.labels(row["name"]).set(row["depth"])
            continue
        DEPTH.labels(row["name"]).set(row["depth"])
        if row["name"] in FAMILIES:
            OLDEST.labels(row["name"]).set(row["oldest"])
            WORKERS.labels(row["name"]).set(row["workers"])


BEAT = """
INSERT INTO job_beats (loop, at) VALUES ($1, now())
ON CONFLICT (loop) DO UPDATE SET at = EXCLUDED.at
"""


async def beat(services: Services, loop: str) -> None:
    """Say that a loop has gone round. Raises ServiceDown."""
    await services.db.execute(BEAT, loop)
