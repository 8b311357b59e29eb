"""Figures over all processes: the requests of each minute, and which metrics are exposed by a live process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog
from prometheus_client import REGISTRY

from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("metrics")

# What sets a gauge of a chapter from the database, in every process each few seconds; nouns add their own.
SHOWN: list[Callable[[Services], Awaitable[None]]] = []

# Upper bounds in seconds of the histogram of requests; one more bucket holds what is longer.
REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2.5, 5, 10)
REQUESTS = "http_server_requests_seconds"
# A live process says once a minute what it exposes.
LIVE_SECONDS = 180
KEPT_DAYS = 7


class Series(msgspec.Struct, frozen=True):
    """What one series grew by: labels, how many, their sum, and how many in each bucket."""

    name: str
    labels: dict[str, str]
    count: int
    sum: float
    buckets: list[int]


# Rows in one order everywhere, so that two processes never wait for each other's.
FLUSH = """
WITH minutes AS (
    INSERT INTO metric_minutes AS kept (starts_at, name, labels, count, sum, buckets)
    SELECT date_trunc('minute', now() - interval '30 seconds'), name, labels, count, sum, buckets
    FROM jsonb_to_recordset($1::jsonb) AS grown (name text, labels jsonb, count bigint, sum double precision, buckets bigint[])
    ORDER BY name, labels
    ON CONFLICT (span, starts_at, name, labels) DO UPDATE
    SET count = kept.count + EXCLUDED.count, sum = kept.sum + EXCLUDED.sum,
        buckets = add_buckets(kept.buckets, EXCLUDED.buckets)
)
INSERT INTO metric_sightings AS kept (name)
SELECT name FROM unnest($2::text[]) AS exposed (name) ORDER BY name
ON CONFLICT (name) DO UPDATE SET seen_at = now() WHERE kept.seen_at < now() - interval '40 seconds'
"""


def seconds_to_flush() -> float:
    """Return how long it is to the fifth second of the next minute: the one before is over on every clock then."""
    return 65 - time.time() % 60


async def keep_exposing(services: Services) -> None:
    """Say each minute what this process exposes, for processes that answer no requests; ends when cancelled."""
    while True:
        try:
            await flush(services, [], await asyncio.to_thread(exposed))
        except ServiceDown:
            log.debug("sightings wait", why="database away")
        # What is shown at /metrics may not end with one fault of the minutes.
        except Exception:
            log.exception("sightings not written")
        await asyncio.sleep(seconds_to_flush())


async def flush(services: Services, grown: Sequence[Series], exposed: Sequence[str]) -> None:
    """Add what a process counted in the minute that has just ended, and what it exposes. Raises ServiceDown."""
    await services.db.execute(FLUSH, [msgspec.structs.asdict(one) for one in grown], list(exposed))


def exposed() -> list[str]:
    """Return the metric families of this process that have a value, counters with and without `_total`."""
    names: set[str] = set()
    for family in REGISTRY.collect():
        if family.samples:
            names.add(family.name)
            if family.type == "counter":
                names.add(f"{family.name}_total")
    return sorted(names)


SEEN = """
SELECT name FROM metric_sightings WHERE name = ANY($1::text[]) AND seen_at > now() - make_interval(secs => $2)
"""


async def unseen(services: Services, names: Sequence[str]) -> list[str]:
    """Return those of the metrics that no live process exposes."""
    if not names:
        return []
    rows = await services.db.fetch(SEEN, list(names), LIVE_SECONDS)
    seen = {row["name"] for row in rows}
    return [name for name in names if name not in seen]


class Figures(msgspec.Struct, frozen=True):
    """Requests of a stretch of time: how many, the share of 5xx (0 to 1), and p95 in milliseconds."""

    requests: int
    errors: float
    p95_ms: float | None


# Probes, streams and files say nothing of a feature; a twin counts as its page.
FIGURES = """
SELECT coalesce(sum(count), 0)::bigint AS requests,
    coalesce(sum(count) FILTER (WHERE labels ->> 'status' = '5xx'), 0)::bigint AS errors,
    sum_buckets(buckets) AS buckets
FROM (
    SELECT count, labels, buckets, regexp_replace(labels ->> 'uri', '^(/admin)?/api(?=/)', '\\1') AS uri
    FROM metric_minutes
    WHERE span = 'minute' AND starts_at >= $2 AND starts_at < $3 AND name = $4
) AS called
WHERE uri !~ '^/(live|heartbeat|health|q|metrics|public)(/|$)'
  AND ($1::text[] = '{}' OR EXISTS (
      SELECT FROM unnest($1::text[]) AS wanted (place) WHERE uri = place OR starts_with(uri, place || '/')))
"""


async def of_requests(
    services: Services, places: Sequence[str], since: datetime, until: datetime
) -> Figures:
    """Return the figures of requests at or below these addresses (all without any) in a stretch of time."""
    row = await services.db.fetchrow(FIGURES, list(places), since, until, REQUESTS)
    many = row["requests"]
    return Figures(many, row["errors"] / many if many else 0.0, quantile(row["buckets"], 0.95))


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """Return the milliseconds that this share stayed within, read between bounds; None when nothing was counted."""
    wanted = sum(buckets) * share
    seen, low = 0, 0.0
    for count, bound in zip(buckets, (*REQUEST_BOUNDS, REQUEST_BOUNDS[-1]), strict=False):
        if count and seen + count >= wanted:
            return round(1000 * (low + (bound - low) * (wanted - seen) / count), 1)
        seen, low = seen + count, bound
    return None


PURGE = """
DELETE FROM metric_minutes WHERE span = 'minute' AND starts_at < now() - make_interval(days => $1)
"""
PURGE_SIGHTINGS = "DELETE FROM metric_sightings WHERE seen_at < now() - interval '90 days'"


async def purge(services: Services) -> int:
    """Forget minutes past 7 days and metrics unseen for 90; return how many minutes."""
    await services.db.execute(PURGE_SIGHTINGS)
    return int((await services.db.execute(PURGE, KEPT_DAYS)).split()[-1])


def grown(name: str, now: dict[Any, list[float]], before: dict[Any, list[float]]) -> list[Series]:
    """Return what series grew by between two readings: {labels: [count, sum, *buckets]}, labels as pairs."""
    found = []
    for labels, values in now.items():
        past = before.get(labels) or [0.0] * len(values)
        count = int(values[0] - past[0])
        if count > 0:
            buckets = [int(one - other) for one, other in zip(values[2:], past[2:], strict=True)]
            found.append(Series(name, dict(labels), count, values[1] - past[1], buckets))
    return found
