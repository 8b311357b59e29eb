"""The one clock: code declares schedules, the database holds where each stands, the lease's holder ticks."""

import dataclasses
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from cronsim import CronSim

from app.errors import NotFound
from app.services import Services

log = structlog.get_logger("jobs")

CLOCK_LEASE = 15.0
CLOCK_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Schedule:
    """One line of the clock. `spec` is a cron line or `every 30s`; `misfire`: how late a missed tick still counts."""

    job_type: str
    spec: str
    time_zone: str = "UTC"
    misfire: timedelta = timedelta(minutes=10)
    name: str = ""

    @property
    def line(self) -> str:
        """The name of the line; the type's own unless it has several."""
        return self.name or self.job_type


def next_tick(spec: str, time_zone: str, after: datetime) -> datetime:
    """Return the first tick after a moment. Raises ValueError for a spec that is neither cron nor `every`."""
    every = re.fullmatch(r"every (\d+)s", spec)
    if every:
        step = int(every[1])
        # Ticks stand on multiples of the step since 1970, so that all clocks agree on them.
        return datetime.fromtimestamp((after.timestamp() // step + 1) * step, tz=after.tzinfo)
    return next(CronSim(spec, after.astimezone(ZoneInfo(time_zone))))


DECLARE = """
INSERT INTO job_schedules AS kept (name, job_type, spec, time_zone, misfire)
SELECT name, job_type, spec, time_zone, misfire
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::interval[])
    AS line (name, job_type, spec, time_zone, misfire)
ON CONFLICT (name) DO UPDATE
SET job_type = EXCLUDED.job_type, spec = EXCLUDED.spec, time_zone = EXCLUDED.time_zone, misfire = EXCLUDED.misfire,
    next_run_at = CASE WHEN (kept.spec, kept.time_zone) = (EXCLUDED.spec, EXCLUDED.time_zone) THEN kept.next_run_at END
"""
DROPPED = "DELETE FROM job_schedules WHERE name <> ALL($1::text[])"


async def declare(services: Services, schedules: Sequence[Schedule]) -> None:
    """Bring the database's lines to those of the code; where each stands is kept."""
    async with services.tx() as tx:
        columns = zip(
            *(
                (line.line, line.job_type, line.spec, line.time_zone, line.misfire)
                for line in schedules
            ),
            strict=True,
        )
        await tx.db.execute(DECLARE, *(list(column) for column in columns))
        await tx.db.execute(DROPPED, [line.line for line in schedules])


# Locked while it ticks: a second leader waits, and then sees the next tick.
DUE = """
SELECT name, job_type, spec, time_zone, misfire, next_run_at, coalesce($1::timestamptz, now()) AS now
FROM job_schedules
WHERE enabled AND (next_run_at IS NULL OR next_run_at <= coalesce($1::timestamptz, now()))
ORDER BY name
FOR UPDATE
"""
ADVANCE = """
UPDATE job_schedules
SET next_run_at = $2, last_run_at = coalesce($3, last_run_at), skipped = skipped + $4
WHERE name = $1
"""


async def tick(services: Services, at: datetime | None = None) -> int:
    """Enqueue what is due now, or was `at` a moment, one job a tick; return how many. Raises ServiceDown.

    Ticks that were missed are made up for once, by the last of them, within `misfire`; else they are
    skipped and counted.
    """
    enqueued = 0
    async with services.tx() as tx:
        for line in await tx.db.fetch(DUE, at):
            reached, missed, coming = ticks_until(line)
            late = reached is not None and line["now"] - reached > line["misfire"]
            run = None if late else reached
            await tx.db.execute(ADVANCE, line["name"], coming, run, missed + late)
            if missed + late:
                log.warning("ticks skipped", schedule=line["name"], ticks=missed + late)
            if line["job_type"] not in tx.ledger.registry:
                log.error(
                    "schedule of an unknown job type",
                    schedule=line["name"],
                    job_type=line["job_type"],
                )
            elif run is not None:
                key = f"schedule:{line['name']}:{run.timestamp():.0f}"
                await tx.enqueue(line["job_type"], key=key, once=True)
                enqueued += 1
    return enqueued


def ticks_until(line: Any) -> tuple[datetime | None, int, datetime]:
    """Return the last tick reached, how many before it were missed, and the coming one."""
    now = line["now"]
    coming = line["next_run_at"]
    if coming is None:
        return None, 0, next_tick(line["spec"], line["time_zone"], now)
    reached, missed = coming, -1
    while coming <= now:
        reached, missed = coming, missed + 1
        coming = next_tick(line["spec"], line["time_zone"], coming)
        if missed > 1000:
            # After weeks of silence nobody needs the exact number.
            coming = next_tick(line["spec"], line["time_zone"], now)
    return reached, missed, coming


UNTIL_NEXT = """
SELECT extract(epoch FROM min(next_run_at) - now())::float8 FROM job_schedules WHERE enabled
"""


async def seconds_to_next(services: Services) -> float:
    """Return how long until the next tick, at most the clock's own pace. Raises ServiceDown."""
    seconds = await services.db.fetchval(UNTIL_NEXT)
    return CLOCK_SECONDS if seconds is None else max(0.05, min(CLOCK_SECONDS, seconds))


RUN_NOW = "SELECT job_type, now() AS now FROM job_schedules WHERE name = $1"


async def run_now(services: Services, name: str, actor_id: int) -> int:
    """Enqueue one schedule's job beside its ticks; return its id. Raises NotFound."""
    async with services.tx() as tx:
        line = await tx.db.fetchrow(RUN_NOW, name)
        if line is None:
            raise NotFound("There is no schedule of that name.")
        return await tx.enqueue(line["job_type"], actor_id=actor_id)
