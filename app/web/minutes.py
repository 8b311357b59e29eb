"""Once a minute a web process adds the requests it answered to metric_minutes, in one statement."""

import asyncio
from typing import Any

import structlog

from app.domain.platform import metrics
from app.errors import ServiceDown
from app.services import Services
from app.web import sight

log = structlog.get_logger("metrics")

Reading = dict[Any, list[float]]
PLACES = {bound: place for place, bound in enumerate((*metrics.REQUEST_BOUNDS, float("inf")))}
WIDTH = 2 + len(PLACES)


def reading() -> Reading:
    """What was counted so far by address and class of status: how many, seconds, and how many in each bucket."""
    found: Reading = {}
    last: tuple[Any, float] = (None, 0.0)
    for sample in next(iter(sight.REQUESTS.collect())).samples:
        labels = sample.labels
        key = ("status", f"{labels['status'][:1]}xx"), ("uri", labels["uri"])
        row = found.setdefault(key, [0.0] * WIDTH)
        if sample.name.endswith("_bucket"):
            # Prometheus counts what is at most the bound; here each counts but once.
            series = (labels["method"], labels["uri"], labels["status"])
            below = last[1] if last[0] == series else 0.0
            row[2 + PLACES[float(labels["le"])]] += sample.value - below
            last = series, sample.value
        elif sample.name.endswith("_count"):
            row[0] += sample.value
        elif sample.name.endswith("_sum"):
            row[1] += sample.value
    return found


async def keep_writing(services: Services) -> None:
    """Write the growth of each minute when it has ended; what cannot be written comes with the next."""
    before: Reading = {}
    while True:
        await asyncio.sleep(metrics.seconds_to_flush())
        try:
            before = await write(services, before)
        except ServiceDown:
            log.debug("figures wait", why="database away")
        except Exception:
            log.exception("figures not written")


async def write(services: Services, before: Reading) -> Reading:
    """Write what was counted since a reading; answer the new one. Raises ServiceDown."""
    now = reading()
    # Gathering every metric takes milliseconds in which requests shall not wait.
    exposed = await asyncio.to_thread(metrics.exposed)
    await metrics.flush(services, metrics.grown(metrics.REQUESTS, now, before), exposed)
    return now
