"""What becomes known when attempts end: counters, one line of log, and an alert for the dead."""

from collections.abc import Iterable

import structlog
from prometheus_client import Counter, Histogram

from app.services import Services

log = structlog.get_logger("jobs")

WAIT = Histogram(
    "job_wait_seconds",
    "From when a job was due to its start.",
    ["queue"],
    buckets=(0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 900, 1800, 3600),
)
DURATION = Histogram(
    "job_execution_duration_seconds",
    "How long an attempt ran.",
    ["job_type", "queue", "status"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600),
)
RETRIES = Counter("job_retry_total", "Attempts that will be made again.", ["job_type", "queue"])
DEAD = Counter("jobs_dead_total", "Jobs that used up their attempts.", ["job_type"])
LOST = Counter("jobs_lost_total", "Attempts whose lease ran out.")
DONE = Counter("background_jobs_total", "Attempts by how they ended.", ["job_type", "status"])

# Looking a label up costs more than counting: each attempt uses its children from here.
_children: dict[tuple[str, str, str], tuple[Histogram, Histogram, Counter]] = {}


def count(job_type: str, queue: str, outcome: str, wait_ms: int, run_ms: int) -> None:
    """Count one attempt that ended."""
    children = _children.get((job_type, queue, outcome))
    if children is None:
        children = (
            WAIT.labels(queue),
            DURATION.labels(job_type, queue, outcome),
            DONE.labels(job_type, outcome),
        )
        _children[job_type, queue, outcome] = children
    wait, duration, done = children
    wait.observe(wait_ms / 1000)
    duration.observe(run_ms / 1000)
    done.inc()
    if outcome == "retry":
        RETRIES.labels(job_type, queue).inc()


async def tell_of_dead(
    services: Services, dead: Iterable[tuple[int, str, str, str | None]]
) -> None:
    """Log each dead job (id, type, queue, error), count it, and send at most one letter a day. Raises ServiceDown."""
    names = []
    for job_id, job_type, queue, error in dead:
        DEAD.labels(job_type).inc()
        log.error("job dead", job_id=job_id, job_type=job_type, queue=queue, error=error)
        names.append(job_type)
    if names:
        await send_alert(services, names)


async def send_alert(services: Services, names: list[str]) -> None:
    """Tell the operators by mail that jobs died, once a day."""
    # Imported late: sending a letter may itself be a job that dies.
    from app.domain.platform import mail

    kinds = ", ".join(sorted(set(names)))
    sentence = (
        f"Jobs used up their attempts today, first of all {kinds}. See /admin/jobs?status=dead."
    )
    async with services.tx() as tx:
        await mail.send_ops_alert(tx, "Jobs have died", sentence, "jobs_dead")
