"""Is the console as quick at five million jobs as at fifty thousand, and beside a look-up by primary key?"""

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import asyncpg
import httpx2
import uvloop
from starlette.requests import Request
from starlette.responses import Response

from app import config, main
from app.config import Settings
from app.domain.platform.jobs import console, counts
from app.services import Services
from app.web import session
from app.web.platform import jobs as pages
from app.web.render import render
from app.web.routes import ENDPOINTS
from app.web.routing import GET
from bench import _job_ground as job_ground
from jobs.registry import REGISTRY
from tests.people import cookie_of, member

SMALL = 50_000
LARGE = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
ROUNDS, TRIES = 5, 20
CEILING_MS = 150
PRINTED = (
    "SELECT id, job_type, run_at, attempts, last_error FROM delayed_jobs"
    " WHERE failed = true ORDER BY run_at DESC LIMIT 20"
)

# Fifty jobs are about one person, however many jobs there are: the pages compared are of one size.
# Of a hundred jobs 94 are done, 3 dead, 2 wait and 1 was cancelled; they were made over thirty days, one after another.
FILL = """
INSERT INTO delayed_jobs (job_type, queue, payload, subjects, run_at, status, attempts, last_error, idempotency_key,
    locked_by, locked_until, created_at, finished_at)
SELECT kind.name, kind.queue, jsonb_build_object('v', 1, 'item_id', n),
    CASE WHEN n % 10 = 0 THEN ARRAY['member:' || n % ($1 / 50)] ELSE '{}' END,
    made.at, made.status, CASE made.status WHEN 'pending' THEN 0 ELSE 1 END,
    CASE made.status WHEN 'dead' THEN 'RuntimeError: no luck' || E'\\n' || 'and more' END,
    CASE WHEN n % 3 = 0 THEN kind.name || ':' || n END,
    NULL, NULL, made.at, CASE made.status WHEN 'pending' THEN NULL ELSE made.at + interval '3 seconds' END
FROM generate_series(1::bigint, $1::bigint) AS n
JOIN unnest($2::text[], $3::text[]) WITH ORDINALITY AS kind (name, queue, place)
    ON kind.place = 1 + (n * 7919) % cardinality($2::text[])
CROSS JOIN LATERAL (
    SELECT now() - interval '30 days' * (($1 - n)::float8 / $1) AS at,
        CASE WHEN (n * 104729) % 100 < 94 THEN 'done' WHEN (n * 104729) % 100 < 97 THEN 'dead'
             WHEN (n * 104729) % 100 < 99 THEN 'pending' ELSE 'cancelled' END AS status
) AS made
"""
TRIES_OF = """
INSERT INTO job_attempts (job_id, attempt, worker, started_at, ended_at, outcome, wait_ms, run_ms)
SELECT id, 1, 'bench', finished_at, finished_at, CASE status WHEN 'dead' THEN 'dead' ELSE 'ok' END, 20, 30
FROM delayed_jobs WHERE finished_at IS NOT NULL AND id % 5 = 0
"""
COUNTED = """
INSERT INTO job_counts (queue, job_type, status, jobs)
SELECT queue, job_type, status, count(*) FROM delayed_jobs GROUP BY 1, 2, 3
"""
INDEXES = """
SELECT indexname AS name, indexdef AS made FROM pg_indexes
WHERE tablename = 'delayed_jobs' AND indexname <> 'delayed_jobs_pkey'
"""


async def fill(settings: Settings, rows: int) -> float:
    """Fill a database; return the seconds it took. The indexes are made afterwards, two at a time."""
    begun = time.monotonic()
    pool = await asyncpg.create_pool(
        settings.database_url, min_size=1, max_size=2, command_timeout=900
    )
    kinds = list(REGISTRY.values())
    indexes = await pool.fetch(INDEXES)
    for index in indexes:
        await pool.execute(f'DROP INDEX "{index["name"]}"')
    async with pool.acquire() as connection:
        await connection.execute("SET synchronous_commit = off; SET work_mem = '256MB'")
        await connection.execute("ALTER TABLE delayed_jobs DISABLE TRIGGER USER")
        await connection.execute(
            "SELECT make_month_partitions('job_attempts', (now() - interval '31 days')::date, 4)"
        )
        names, queues = [kind.name for kind in kinds], [kind.queue for kind in kinds]
        await connection.execute(FILL, rows, names, queues)
        await connection.execute(TRIES_OF)
        await connection.execute(COUNTED)
        await connection.execute("ALTER TABLE delayed_jobs ENABLE TRIGGER USER")
    await asyncio.gather(*(make_index(pool, index["made"]) for index in indexes))
    await pool.execute("VACUUM ANALYZE delayed_jobs")
    await pool.execute("VACUUM ANALYZE job_attempts")
    await pool.close()
    return time.monotonic() - begun


async def make_index(pool: asyncpg.Pool, definition: str) -> None:
    """Make one index with room to sort."""
    async with pool.acquire() as connection:
        await connection.execute("SET maintenance_work_mem = '512MB'")
        await connection.execute(definition)


BY_IDS = """
SELECT id, job_type, queue, priority, status, attempts, max_attempts, run_at, created_at, finished_at, last_error,
    idempotency_key
FROM delayed_jobs WHERE id = ANY($1::bigint[]) ORDER BY id DESC
"""


async def show_by_ids(request: Request) -> Response:
    """The yardstick: the same page of twenty jobs, looked up by primary key."""
    session.admin(request)
    services = session.services_of(request)
    first = int(request.query_params["first"])
    rows = await services.db.fetch(BY_IDS, list(range(first, first + 20)))
    found = console.JobList([console.JobRow(**dict(row)) for row in rows], None, None)
    return await render(
        request,
        pages.LIST,
        jobs=found,
        _title="Jobs",
        _asked=console.Filter(cursor=1),
        _families=[],
        _states=[],
        _here="/admin/jobs",
        _next=None,
        _errors={},
        _filters={},
        _may_act=False,
    )


def addresses(rows: int) -> dict[str, str]:
    """Each page of the console and each filter, with values from the middle of the data."""
    middle = rows // 2
    key = middle - middle % 3
    kinds = list(REGISTRY)
    kind = kinds[(key * 7919) % len(kinds)]
    return {
        "newest": "/admin/jobs",
        "cursor": f"/admin/jobs?cursor={middle}",
        "queue": "/admin/jobs?queue=LOW",
        "done": "/admin/jobs?status=done",
        "dead": "/admin/jobs?status=dead",
        "running": "/admin/jobs?status=running",
        "queue and status": "/admin/jobs?queue=HIGH&status=dead",
        "rare": "/admin/jobs?queue=SCREENSHOT&status=cancelled",
        "type": f"/admin/jobs?type={kind}",
        "type and status": f"/admin/jobs?type={kind}&status=dead",
        "unknown type": "/admin/jobs?type=no_such_type",
        "type and cursor": f"/admin/jobs?type={kind}&cursor={middle}",
        "subject": "/admin/jobs?subject=member:10",
        "key": f"/admin/jobs?key={kind}:{key}",
        "id": f"/admin/jobs?id={middle}",
        "from": "/admin/jobs?from=2000-01-01T00:00",
        "to": f"/admin/jobs?to={days_ago(15)}",
        "from and to": f"/admin/jobs?from={days_ago(15)}&to={days_ago(14.9)}",
        "time, queue, status": f"/admin/jobs?from={days_ago(16)}&to={days_ago(15)}&queue=LOW&status=dead",
        "one job": f"/admin/jobs/{middle}",
        "queues": "/admin/queues",
        "types": "/admin/jobs/types",
        "schedules": "/admin/jobs/schedules",
        "workers": "/admin/jobs/workers",
    }


def days_ago(days: float) -> str:
    """A time as the form writes it."""
    return time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() - days * 86_400))


class Site:
    """The console over one database, with an admin's browser."""

    def __init__(self, services: Services, client: httpx2.AsyncClient, rows: int) -> None:
        self.services = services
        self.client = client
        self.rows = rows
        self.rounds: list[dict[str, list[float]]] = []

    async def ask(self, name: str, address: str) -> None:
        """One request, timed."""
        begun = time.perf_counter()
        answer = await self.client.get(address)
        took = (time.perf_counter() - begun) * 1000
        assert answer.status_code == 200, (name, address, answer.status_code, answer.text[:500])
        self.rounds[-1].setdefault(name, []).append(took)

    async def look_up(self) -> None:
        """The yardstick, timed."""
        await self.ask("by primary key", f"/admin/jobs/by-ids?first={self.rows // 2}")

    async def print_dead(self) -> None:
        """The printed SQL, timed."""
        begun = time.perf_counter()
        await self.services.db.fetch(PRINTED)
        self.rounds[-1].setdefault("printed SQL", []).append((time.perf_counter() - begun) * 1000)

    def p95(self, name: str) -> float:
        """The 95th percentile of one page in milliseconds, median of the rounds."""
        return median(job_ground.percentile(times[name], 0.95) for times in self.rounds)

    def median(self, name: str) -> float:
        """The median of one page in milliseconds."""
        return median(time for times in self.rounds for time in times[name])


async def opened(stack: AsyncExitStack, settings: Settings, rows: int) -> Site:
    """A site over a filled database."""
    took = await fill(settings, rows)
    print(f"{rows:,} jobs made in {took:.0f} s", flush=True)
    services = await stack.enter_async_context(job_ground.services_on(settings, REGISTRY))
    await counts.read_figures(services)
    admin = await member(services, "bench@example.org", role="super_admin")
    transport = httpx2.ASGITransport(main.application(settings, services), client=("127.0.0.1", 1))
    client = await stack.enter_async_context(
        httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", headers={"accept": "text/html"}
        )
    )
    client.cookies.set(session.SESSION, await cookie_of(services, admin))
    return Site(services, client, rows)


async def measure() -> None:
    """Each page at both sizes in turn, beside the yardstick."""
    job_ground.log_to_nowhere()
    main.ENDPOINTS = [GET("/admin/jobs/by-ids", show_by_ids), *ENDPOINTS]
    secrets = {
        name.lower(): "k1:" * name.endswith("_KEYS") + "5e" * 32 for name in config.DEV_SECRETS
    }
    with job_ground.servers() as box:
        async with AsyncExitStack() as stack:
            sites = []
            for name, rows in (("bench_console_small", SMALL), ("bench_console", LARGE)):
                settings = await job_ground.fresh(
                    box, name, public_url="http://localhost", **secrets
                )
                sites.append(await opened(stack, settings, rows))
            small, large = sites
            for number in range(ROUNDS * TRIES):
                for site in sites:
                    await go_round(site, number % TRIES == 0)
            begun = time.perf_counter()
            await large.services.db.fetchval("SELECT count(*) FROM delayed_jobs")
            counted = (time.perf_counter() - begun) * 1000
        await dropped(settings)
    tell(small, large, counted)


async def go_round(site: Site, is_new: bool) -> None:
    """Ask for every page once, and for the yardstick between them."""
    if is_new:
        site.rounds.append({})
    for number, (name, address) in enumerate(addresses(site.rows).items()):
        await site.ask(name, address)
        if number % 6 == 0:
            await site.look_up()
    await site.print_dead()


async def dropped(settings: Settings) -> None:
    """Give the disk back."""
    server = settings.database_url.rsplit("/", 1)[0]
    connection = await asyncpg.connect(f"{server}/postgres")
    for name in ("bench_console_small", "bench_console"):
        if name not in os.environ.get("DATABASE_URL", ""):
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()


def tell(small: Site, large: Site, counted: float) -> None:
    """Print each page, and the worst of them as the result."""
    rows: dict[str, Any] = {}
    for name in large.rounds[0]:
        rows[name] = {
            "p95_ms": round(large.p95(name), 1),
            "to_small": round(large.p95(name) / small.p95(name), 2),
            "to_primary_key": round(large.median(name) / large.median("by primary key"), 2),
        }
        print(f"{name:22}", rows[name])
    print(f"count(*) of {large.rows:,} rows: {counted:.0f} ms")
    compared = [row for name, row in rows.items() if name not in ("by primary key", "printed SQL")]
    detail = {
        "rows": large.rows,
        "worst_p95_ms": max(row["p95_ms"] for row in compared),
        "worst_to_small": max(row["to_small"] for row in rows.values()),
        "printed_sql_p95_ms": rows["printed SQL"]["p95_ms"],
        "count_ms": round(counted),
        "pages": rows,
    }
    job_ground.report("console", max(row["to_primary_key"] for row in compared), detail)


if __name__ == "__main__":
    uvloop.run(measure())
