"""What the jobs of each minute did: how many, how long they waited, how long they ran."""

import bisect
from collections.abc import Sequence
from typing import Any

from app.services import Services

# Upper bounds in milliseconds; one more bucket holds what is longer.
BOUNDS = (
    10,
    25,
    50,
    100,
    250,
    500,
    1000,
    2500,
    5000,
    10_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    1_800_000,
)


class Tally:
    """Sums of one process that are not yet written; a killed process loses at most the last second of them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], list[Any]] = {}

    def add(self, queue: str, job_type: str, outcome: str, wait_ms: int, run_ms: int) -> None:
        """Count one attempt that ended."""
        row = self.rows.get((queue, job_type))
        if row is None:
            empty = [0] * (len(BOUNDS) + 1)
            row = self.rows[queue, job_type] = [0, 0, 0, 0, empty, list(empty)]
        place = {"ok": 0, "retry": 1, "dead": 2}.get(outcome)
        if place is not None:
            row[place] += 1
        row[3] = max(row[3], wait_ms)
        row[4][bisect.bisect_left(BOUNDS, wait_ms)] += 1
        row[5][bisect.bisect_left(BOUNDS, run_ms)] += 1

    async def write(self, services: Services) -> None:
        """Add the sums to the running minute. Raises ServiceDown, and then keeps them."""
        if not self.rows:
            return
        rows = [(queue, job_type, *row) for (queue, job_type), row in self.rows.items()]
        async with services.tx() as tx:
            # In one order everywhere, so that two processes never wait for each other's rows.
            await tx.db.executemany(ADD, sorted(rows))
        self.rows.clear()


ADD = """
INSERT INTO job_stats AS kept
    (span, starts_at, queue, job_type, ok, retry, dead, wait_max_ms, wait_buckets, run_buckets)
VALUES ('minute', date_trunc('minute', now()), $1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (span, starts_at, queue, job_type) DO UPDATE
SET ok = kept.ok + EXCLUDED.ok, retry = kept.retry + EXCLUDED.retry, dead = kept.dead + EXCLUDED.dead,
    wait_max_ms = greatest(kept.wait_max_ms, EXCLUDED.wait_max_ms),
    wait_buckets = add_buckets(kept.wait_buckets, EXCLUDED.wait_buckets),
    run_buckets = add_buckets(kept.run_buckets, EXCLUDED.run_buckets)
"""
# Minutes past two days become hours.
FOLD = """
WITH gone AS (
    DELETE FROM job_stats WHERE span = 'minute' AND starts_at < date_trunc('hour', now()) - interval '48 hours'
    RETURNING starts_at, queue, job_type, ok, retry, dead, wait_max_ms, wait_buckets, run_buckets
)
INSERT INTO job_stats AS kept
    (span, starts_at, queue, job_type, ok, retry, dead, wait_max_ms, wait_buckets, run_buckets)
SELECT 'hour', date_trunc('hour', starts_at), queue, job_type, sum(ok), sum(retry), sum(dead), max(wait_max_ms),
    sum_buckets(wait_buckets), sum_buckets(run_buckets)
FROM gone
GROUP BY 2, 3, 4
ON CONFLICT (span, starts_at, queue, job_type) DO UPDATE
SET ok = kept.ok + EXCLUDED.ok, retry = kept.retry + EXCLUDED.retry, dead = kept.dead + EXCLUDED.dead,
    wait_max_ms = greatest(kept.wait_max_ms, EXCLUDED.wait_max_ms),
    wait_buckets = add_buckets(kept.wait_buckets, EXCLUDED.wait_buckets),
    run_buckets = add_buckets(kept.run_buckets, EXCLUDED.run_buckets)
"""


async def fold(services: Services) -> None:
    """Sum up minutes older than 48 hours as hours."""
    await services.db.execute(FOLD)


def quantile(buckets: Sequence[int], share: float, longest: int | None = None) -> int | None:
    """Milliseconds that this share stayed within: the upper bound of its bucket, or the longest if that is less.

    None when nothing ran.
    """
    wanted = sum(buckets) * share
    seen = 0
    for count, bound in zip(buckets, (*BOUNDS, BOUNDS[-1] * 2), strict=False):
        seen += count
        if seen and seen >= wanted:
            return bound if longest is None else min(bound, longest)
    return None
