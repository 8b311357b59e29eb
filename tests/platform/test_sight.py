"""Sight: health that asks no more than it must, readiness, metrics with the names that documents print."""

import dataclasses
import time

import orjson
import pytest

from app.db import Database, open_pool
from app.domain.platform import health
from app.services import Services
from app.web import sight
from tests.conftest import client_on
from tests.people import Browser, member


async def test_heartbeat_health_and_liveness_touch_nothing(services: Services) -> None:
    blind = dataclasses.replace(services, db=None)  # type: ignore[arg-type]
    async with client_on(blind) as client:
        for path in ("/heartbeat", "/health", "/q/health/live", "/health/live"):
            assert (await client.get(path)).status_code == 200
        assert (await client.get("/heartbeat")).json() == {"status": "ok"}


async def test_readiness_asks_the_database_and_its_schema(
    browser: Browser, services: Services
) -> None:
    for path in ("/q/health/ready", "/health/ready", "/q/health"):
        assert (await browser.get(path)).json()["status"] == "UP"
    await services.db.execute("INSERT INTO schema_versions (version) VALUES (99)")
    answer = await browser.get("/q/health/ready")
    assert (answer.status_code, answer.json()["checks"][2]) == (
        503,
        {"name": "schema", "status": "DOWN"},
    )


async def test_a_draining_process_says_so(browser: Browser) -> None:
    sight.draining = True
    try:
        assert (await browser.get("/heartbeat")).status_code == 503
        assert (await browser.get("/q/health/ready")).status_code == 503
    finally:
        sight.draining = False


async def test_the_deep_look_tells_words_to_all_and_figures_to_admins(services: Services) -> None:
    # One connection, open already: a look that runs out of time must not be cut off while it connects.
    pool = await open_pool(services.settings, size=1)
    await pool.fetchval("SELECT 1")
    report = await health.deep(dataclasses.replace(services, db=Database(pool)))
    pool.terminate()
    # Nobody works here, and the clock stands still: degraded, and said in words.
    assert report.status == "degraded"
    assert "clock: nobody holds the clock" in report.words
    assert set(report.in_words()) == {"status", "parts"}
    assert "response_time_ms" in report.for_admins()["database"]


@pytest.mark.parametrize(
    ("role", "sees_all"),
    [("super_admin", True), ("ops", True), ("read_only", True), ("support", False), (None, False)],
)
async def test_the_deep_look_shows_all_to_whoever_may_see_the_system(
    browser: Browser, services: Services, monkeypatch: pytest.MonkeyPatch, role: str, sees_all: bool
) -> None:
    report = health.Report("healthy", {"disk": {"status": "up", "free_ratio": 0.5}}, [])
    # An answer is shared for two seconds: this one was found just now.
    kept = (time.monotonic(), report)
    monkeypatch.setitem(health._shared, id(services.db.pool), kept)
    await browser.sign_in(await member(services, role=role))
    assert ("free_ratio" in (await browser.get("/health/deep")).text) is sees_all


async def test_the_printed_greps_find_what_they_look_for(browser: Browser) -> None:
    await browser.json("POST", "/api/auth/login", {"email": "a@example.org", "code": "000000"})
    text = (await browser.get("/q/metrics")).text
    assert 'http_server_requests_seconds_count{uri="/api/auth/login",status="401"}' in text
    assert 'http_server_requests_seconds_count{status="401"}' in text
    assert (await browser.get("/metrics")).text.startswith("# HELP")


async def test_counters_with_bare_names_are_printed_bare(browser: Browser) -> None:
    text = (await browser.get("/metrics")).text
    for name in ("weather_cache_hits", "weather_cache_misses", "weather_cache_stale_served"):
        assert f"\n{name} " in text
        assert f"{name}_total" not in text


async def test_metrics_are_for_the_allowed_networks_or_the_token(services: Services) -> None:
    settings = dataclasses.replace(
        services.settings, metrics_allow="10.0.0.0/8", metrics_token="m" * 32
    )
    async with client_on(dataclasses.replace(services, settings=settings)) as client:
        assert (await client.get("/metrics")).status_code == 403
        answer = await client.get("/metrics", headers={"authorization": f"Bearer {'m' * 32}"})
        assert answer.status_code == 200


async def test_every_twin_is_described(browser: Browser) -> None:
    text = orjson.loads((await browser.get("/api/openapi.json")).content)
    assert text["openapi"] == "3.1.0"
    assert text["paths"]["/api/links"]["post"]["requestBody"]
