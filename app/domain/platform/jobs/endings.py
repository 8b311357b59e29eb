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
    """Log each dead job (id, type, queue, error), count it, and write to the operators. Raises ServiceDown."""
    kinds: dict[str, set[str]] = {}
    for job_id, job_type, queue, error in dead:
        DEAD.labels(job_type).inc()
        log.error("job dead", job_id=job_id, job_type=job_type, queue=queue, error=error)
        kinds.setdefault(queue, set()).add(job_type)
    for queue, names in sorted(kinds.items()):
        await send_alert(services, queue, sorted(names))


async def send_alert(services: Services, queue: str, names: list[str]) -> None:
    """Tell the operators by mail that jobs of a family died.

    LOW and BULK share one letter a day, DEFAULT and SCREENSHOT have one each; of HIGH there is one a type, so that no
    failure is silenced by a lesser one.
    """
    # Imported late: sending a letter may itself be a job that dies.
    from app.domain.platform import mail

    sentence = f"Jobs of {queue} used up their attempts today, first of all {', '.join(names)}."
    keys = {
        "HIGH": [f"jobs_dead:HIGH:{name}" for name in names],
        "LOW": ["jobs_dead:LOW"],
        "BULK": ["jobs_dead:LOW"],
    }
    async with services.tx() as tx:
        for key in keys.get(queue, [f"jobs_dead:{queue}"]):
            await mail.send_ops_alert(
                tx,
                f"Jobs of {queue} have died",
                sentence,
                key,
                f"/admin/jobs?status=dead&queue={queue}",
            )
