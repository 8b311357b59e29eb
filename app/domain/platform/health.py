"""Health: every part that exists, looked at together, each with one second; one answer is shared for two seconds."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from app.db import SCHEMA_VERSION, schema_version
from app.errors import Problem
from app.services import Services

SHARED_SECONDS = 2.0
UNHEALTHY = ("database", "schema")


class Report(msgspec.Struct):
    """What a deep look found: `status` healthy, degraded or unhealthy; a dict a part."""

    status: str
    parts: dict[str, dict[str, Any]]
    words: list[str]

    def in_words(self) -> dict[str, Any]:
        """What everybody may know."""
        return {
            "status": self.status,
            "parts": {name: part["status"] for name, part in self.parts.items()},
        }

    def for_admins(self) -> dict[str, Any]:
        """All of it."""
        return {"status": self.status, "troubles": self.words, **self.parts}


_shared: dict[int, tuple[float, Report]] = {}


async def deep(services: Services) -> Report:
    """Look at every part; an answer is shared for two seconds, so that nobody can wear the parts out."""
    key = id(services.db.pool)
    kept = _shared.get(key)
    if kept and time.monotonic() - kept[0] < SHARED_SECONDS:
        return kept[1]
    looks: dict[str, Callable[[Services], Awaitable[dict[str, Any]]]] = {
        "database": database,
        "schema": schema,
        "redis": redis,
        "storage": storage,
        "mail": mail,
        "workers": workers,
        "clock": lambda services: lease(services, "clock"),
        "sweeper": lambda services: lease(services, "sweeper"),
        "disk": disk,
    }
    found = await asyncio.gather(*(looked(services, look) for look in looks.values()))
    parts = {name: part for name, part in zip(looks, found, strict=True) if part}
    report = judged(parts)
    _shared[key] = (time.monotonic(), report)
    return report


async def looked(
    services: Services, look: Callable[[Services], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """One look with a second to answer; what goes wrong is a part that is down."""
    try:
        async with asyncio.timeout(1):
            return await look(services)
    except TimeoutError:
        return {"status": "down", "why": "no answer within 1 s"}
    except (Problem, OSError):
        return {"status": "down", "why": "no answer"}


def judged(parts: dict[str, dict[str, Any]]) -> Report:
    """Unhealthy without database or schema, degraded with any other trouble."""
    troubles = [name for name, part in parts.items() if part["status"] not in ("up", "off")]
    words = [f"{name}: {parts[name].get('why', 'down')}" for name in troubles]
    if any(name in UNHEALTHY for name in troubles):
        return Report("unhealthy", parts, words)
    return Report("degraded" if troubles else "healthy", parts, words)


async def database(services: Services) -> dict[str, Any]:
    """One SELECT 1, and the pool."""
    before = time.perf_counter()
    await services.db.fetchval("SELECT 1")
    took = round((time.perf_counter() - before) * 1000, 1)
    pool = services.db.pool
    size, idle = (pool.get_size(), pool.get_idle_size()) if pool is not None else (1, 0)
    return {"status": "up", "response_time_ms": took, "pool_size": size, "available": idle}


async def schema(services: Services) -> dict[str, Any]:
    """The schema's version beside the program's."""
    version = await schema_version(services.db)
    status = "up" if version == SCHEMA_VERSION else "down"
    return {
        "status": status,
        "version": version,
        "why": f"version {version}, the program needs {SCHEMA_VERSION}",
    }


async def redis(services: Services) -> dict[str, Any]:
    """Redis is only the fast lane: without it jobs run from PostgreSQL."""
    if services.redis is None:
        return {"status": "off"}
    alive = await services.redis.answers()
    return {
        "status": "up" if alive else "down",
        "why": "Redis does not answer; jobs run from PostgreSQL",
    }


async def storage(services: Services) -> dict[str, Any]:
    """The object store answers, or is not set up."""
    store = services.outside.get("s3")
    if store is None:
        return {"status": "off"}
    return {
        "status": "up" if await store.answers() else "down",
        "why": "the object store does not answer",
    }


MAIL = """
SELECT count(*) AS queued, coalesce(extract(epoch FROM now() - min(created_at)), 0)::int AS oldest_s,
    (SELECT coalesce(max(failures), 0) FROM mailboxes) AS inbound_failures
FROM emails WHERE status IN ('queued', 'sending')
"""


async def mail(services: Services) -> dict[str, Any]:
    """Letters that wait, and for how long; polls of the mailbox in a row that failed."""
    row = await services.db.fetchrow(MAIL)
    stuck = row["oldest_s"] > 900 and bool(services.settings.smtp_url)
    deaf = row["inbound_failures"] >= 5
    return {
        "status": "down" if stuck or deaf else "up",
        "why": "letters wait for over 15 minutes" if stuck else "letters do not come in",
        **dict(row),
    }


WORKERS = """
SELECT family, count(*)::int AS live, coalesce(sum((w.slots ->> family)::int), 0)::int AS slots
FROM workers w, unnest(w.families) AS family WHERE w.seen_at > now() - interval '30 seconds' GROUP BY family
"""
WAITING = """
SELECT queue, count(*)::int AS depth, extract(epoch FROM now() - min(run_at))::int AS oldest_s
FROM delayed_jobs WHERE status = 'pending' AND run_at <= now() GROUP BY queue
"""


async def workers(services: Services) -> dict[str, Any]:
    """Workers, slots, depth and the oldest wait of each family; down when due work has no worker."""
    async with services.held() as held:
        live = {row["family"]: dict(row) for row in await held.db.fetch(WORKERS)}
        waiting = {row["queue"]: dict(row) for row in await held.db.fetch(WAITING)}
    families = {
        name: {**live.get(name, {"live": 0}), **waiting.get(name, {"depth": 0})}
        for name in live | waiting
    }
    alone = [name for name, family in families.items() if not family["live"] and family["depth"]]
    return {
        "status": "down" if alone else "up",
        "why": f"no worker for {', '.join(alone)}",
        "families": families,
    }


LEASE = "SELECT extract(epoch FROM now() - until)::int FROM leases WHERE name = $1"


async def lease(services: Services, name: str) -> dict[str, Any]:
    """Whether somebody holds a duty."""
    late = await services.db.fetchval(LEASE, name)
    held = late is not None and late < 30
    return {"status": "up" if held else "down", "why": f"nobody holds the {name}"}


async def disk(services: Services) -> dict[str, Any]:
    """Room on the disk of var/."""
    usage = shutil.disk_usage(services.settings.var_dir if services.settings.var_dir else ".")
    free = round(usage.free / usage.total, 3)
    return {
        "status": "up" if free > 0.1 else "down",
        "free_ratio": free,
        "why": "less than a tenth of the disk is free",
    }
