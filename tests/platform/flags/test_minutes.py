"""Figures over all processes: requests of each minute in one statement, and which metrics are exposed."""

import asyncio

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from app.domain.platform import metrics
from app.domain.platform.metrics import REQUEST_BOUNDS, REQUESTS, Series
from app.services import Services
from app.web import minutes, sight

SERIES = "SELECT labels ->> 'uri' AS uri, labels ->> 'status' AS status, count, sum, buckets FROM metric_minutes WHERE labels ->> 'uri' LIKE '/made-up%' ORDER BY 1, 2"


async def test_what_requests_added_since_the_last_minute_is_written(services: Services) -> None:
    before = await minutes.write(services, minutes.reading())
    await services.db.execute("DELETE FROM metric_minutes")
    for method, status, seconds in (("GET", 200, 0.004), ("GET", 204, 0.4), ("POST", 200, 11), ("GET", 503, 0.4)):  # fmt: skip
        sight.observe(method, "/made-up", status, seconds)
    before = await minutes.write(services, before)
    good, bad = await services.db.fetch(SERIES)
    assert (good["status"], good["count"], bad["status"], bad["count"]) == ("2xx", 3, "5xx", 1)
    assert round(good["sum"], 3) == 11.404
    full = [place for place, many in enumerate(good["buckets"]) if many]
    assert full == [0, REQUEST_BOUNDS.index(0.5), len(REQUEST_BOUNDS)]
    await minutes.write(services, before)
    assert (await services.db.fetch(SERIES))[0]["count"] == 3


async def test_processes_add_up_in_one_row(services: Services) -> None:
    one = Series(REQUESTS, {"uri": "/made-up/x", "status": "2xx"}, 2, 0.5, [1, 1])
    await metrics.flush(services, [one], [])
    await metrics.flush(services, [one], [])
    [row] = await services.db.fetch(SERIES)
    assert (row["count"], row["sum"], row["buckets"]) == (4, 1.0, [2, 2])


async def test_a_minute_is_one_statement(services: Services) -> None:
    sight.observe("GET", "/made-up/y", 200, 0.1)
    asked: list[str] = []
    services.db.connection.add_query_logger(lambda record: asked.append(record.query))
    await minutes.write(services, {})
    await asyncio.sleep(0)  # the connection tells of a statement after it
    assert len([query for query in asked if "metric_" in query]) == 1


class BrokenAtFirst:
    """A figure that cannot be read the first time."""

    looks = 0

    def describe(self) -> list[Metric]:
        """Be registered without a look."""
        return []

    def collect(self) -> list[Metric]:
        """Count the looks."""
        self.looks += 1
        if self.looks == 1:
            raise ValueError("broken")
        return []


async def test_a_process_goes_on_exposing_after_a_fault(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "seconds_to_flush", lambda: 0.01)
    figure = BrokenAtFirst()
    REGISTRY.register(figure)
    exposing = asyncio.create_task(metrics.keep_exposing(services))
    try:
        async with asyncio.timeout(10):
            while figure.looks < 2:
                assert not exposing.done()
                await asyncio.sleep(0.01)
    finally:
        exposing.cancel()
        await asyncio.gather(exposing, return_exceptions=True)
        REGISTRY.unregister(figure)


async def test_a_metric_is_seen_while_a_process_exposes_it(services: Services) -> None:
    names = metrics.exposed()
    assert {"http_requests", "http_requests_total", "village_info"} <= set(names)
    assert len(names) < len(list(REGISTRY.collect())) * 2
    await metrics.flush(services, [], names)
    assert await metrics.unseen(services, ["http_requests_total", "no_such_metric"]) == ["no_such_metric"]  # fmt: skip
    await services.db.execute("UPDATE metric_sightings SET seen_at = now() - interval '5 minutes'")
    assert await metrics.unseen(services, ["http_requests_total"]) == ["http_requests_total"]


async def test_minutes_past_seven_days_go(services: Services) -> None:
    await services.db.execute(
        "INSERT INTO metric_minutes (starts_at, name, count, sum) SELECT now() - n * interval '1 day', 'x', 1, 1 FROM generate_series(6, 9) AS n"
    )
    assert await metrics.purge(services) == 2


def test_p95_is_read_between_the_bounds() -> None:
    assert metrics.quantile([], 0.95) is None
    assert metrics.quantile([0, 100], 0.95) == 9.8  # between 5 and 10 ms
    assert metrics.quantile([50, 0, 0, 0, 0, 0, 0, 50], 0.5) == 5.0
