"""What can be seen from outside: metrics of requests, health, readiness."""

import asyncio
import functools
import ipaddress
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from app import VERSION
from app.db import SCHEMA_VERSION, schema_version
from app.domain.platform import health
from app.domain.platform.metrics import REQUEST_BOUNDS
from app.errors import Forbidden, Problem
from app.web.session import may, reader, services_of

REQUESTS = Histogram(
    "http_server_requests_seconds",
    "Requests by route template as called.",
    ("method", "uri", "status", "outcome"),
    buckets=REQUEST_BOUNDS,
)
TOTAL = Counter(
    "http_requests_total", "Requests by method, path and status.", ("method", "path", "status")
)
INFO = Gauge("village_info", "The version that runs.", ("version",))
READY = Gauge("village_ready", "Whether this process takes requests.")
LAG = Gauge("event_loop_lag_seconds", "How late the event loop woke last.")
INFO.labels(VERSION).set(1)

draining = False


def template_of(scope: Scope) -> str:
    """The route's template as it was called, /api in front where it was; unknown addresses are 'other'."""
    route = scope.get("route")
    if route is None:
        return "other"
    path: str = route.path
    if not scope.get("twin"):
        return path
    return f"/admin/api{path[6:]}" if path.startswith("/admin") else f"/api{path}"


@functools.lru_cache(maxsize=4096)
def meters(method: str, uri: str, status: int) -> tuple[Any, Any]:
    """The two meters of one kind of request, looked up once."""
    outcome = ("", "INFORMATIONAL", "SUCCESS", "REDIRECTION", "CLIENT_ERROR", "SERVER_ERROR")[
        status // 100
    ]
    return REQUESTS.labels(method, uri, str(status), outcome), TOTAL.labels(
        method, uri, str(status)
    )


def observe(method: str, uri: str, status: int, seconds: float) -> None:
    """Count one request."""
    histogram, total = meters(method if method in METHODS else "OTHER", uri, status)
    histogram.observe(seconds)
    total.inc()


METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


async def heartbeat(request: Request) -> Response:
    """Alive, without touching anything; 503 while draining."""
    return JSONResponse({"status": "draining" if draining else "ok"}, 503 if draining else 200)


async def show_health(request: Request) -> Response:
    """Who runs here; touches nothing."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return JSONResponse(
        {"status": "healthy", "service": "village-homepage", "version": VERSION, "timestamp": now}
    )


async def live(request: Request) -> Response:
    """Liveness: the process answers. Knows no other service."""
    return JSONResponse({"status": "UP", "checks": []})


async def ready(request: Request) -> Response:
    """Readiness: one look at the database within a second, the schema's version, not draining."""
    services = services_of(request)
    checks = [{"name": "draining", "status": "DOWN" if draining else "UP"}]
    try:
        async with asyncio.timeout(1):
            version = await schema_version(services.db)
        checks.append({"name": "database", "status": "UP"})
        checks.append({"name": "schema", "status": "UP" if version == SCHEMA_VERSION else "DOWN"})
    except (Problem, TimeoutError):
        checks.append({"name": "database", "status": "DOWN"})
    up = all(check["status"] == "UP" for check in checks)
    READY.set(up)
    return JSONResponse({"status": "UP" if up else "DOWN", "checks": checks}, 200 if up else 503)


async def deep(request: Request) -> Response:
    """Every part that exists, looked at together; everybody reads words, who may see the system all."""
    report = await health.deep(services_of(request))
    sees_all = may(reader(request), "view_system")
    body = report.for_admins() if sees_all else report.in_words()
    return JSONResponse(body, 503 if report.status == "unhealthy" else 200)


async def metrics(request: Request) -> Response:
    """All figures in Prometheus' text format 0.0.4, for METRICS_ALLOW or the bearer of METRICS_TOKEN. Raises Forbidden."""
    settings = services_of(request).settings
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    by_token = bool(settings.metrics_token) and secrets.compare_digest(
        sent.encode(), settings.metrics_token.encode()
    )
    if not by_token and not within(request.scope["caller"], settings.metrics_allow):
        raise Forbidden("The figures of this site are not open to this address.")
    return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def within(address: str, networks: str) -> bool:
    """Whether an address lies in one of the networks; a caller without address is this process itself."""
    try:
        return any(
            ipaddress.ip_address(address) in ipaddress.ip_network(part.strip())
            for part in networks.split(",")
        )
    except ValueError:
        return False


# Chapter 90 rule 5: the library adds _total to every counter; these names are printed without it.
BARE = frozenset(
    [
        "storage_bytes_uploaded",
        "storage_bytes_downloaded",
        "weather_cache_hits",
        "weather_cache_misses",
        "weather_cache_stale_served",
        "stock_rate_limit_exceeded",
        "stock_cache_hits",
        "stock_cache_misses",
        "ai_cache_hits",
        "ai_cache_misses",
        "ai_tagging_budget_throttles",
        "social_feed_requests",
        "social_api_failures",
    ]
)


def exposition() -> bytes:
    """The text of /metrics, with bare names where documents print them, and the sums that greps look for."""
    lines: list[str] = []
    for line in generate_latest(REGISTRY).decode().splitlines():
        lines.extend(mended(line))
    return ("\n".join([*lines, *sums_as_comments()]) + "\n").encode()


def mended(line: str) -> list[str]:
    name = line.split("{")[0].split(" ")[0] if not line.startswith("#") else line.split(" ")[2]
    base = name.removesuffix("_total").removesuffix("_created")
    if base not in BARE:
        return [line]
    if name.endswith("_created"):
        return []
    line = line.replace(name, base, 1)
    return [line.replace(" counter", " untyped")] if line.startswith("# TYPE") else [line]


def sums_as_comments() -> list[str]:
    """Chapter 90 rule 6: sums over all other labels, as comments, so that the printed greps find exact label sets."""
    by_status: dict[str, float] = {}
    by_uri: dict[tuple[str, str], float] = {}
    for sample in next(iter(REQUESTS.collect())).samples:
        if sample.name.endswith("_count"):
            status, uri = sample.labels["status"], sample.labels["uri"]
            by_status[status] = by_status.get(status, 0) + sample.value
            by_uri[uri, status] = by_uri.get((uri, status), 0) + sample.value
    name = "http_server_requests_seconds_count"
    lines = [
        f'# {name}{{status="{status}"}} {value:g}' for status, value in sorted(by_status.items())
    ]
    lines += [
        f'# {name}{{uri="{uri}",status="{status}"}} {value:g}'
        for (uri, status), value in sorted(by_uri.items())
    ]
    uris: dict[str, float] = {}
    for (uri, _), value in by_uri.items():
        uris[uri] = uris.get(uri, 0) + value
    return lines + [f'# {name}{{uri="{uri}"}} {value:g}' for uri, value in sorted(uris.items())]


async def measure_lag() -> None:
    """Once a second, note how late the loop wakes."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(1)
        LAG.set(max(0.0, time.perf_counter() - before - 1))
