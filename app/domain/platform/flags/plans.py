"""Plans: a flag reaches more people step by step while its requests are well (chapter 10 rule 25)."""

from datetime import datetime, timedelta
from typing import Any

import structlog

from app.domain.platform import mail, metrics
from app.domain.platform.flags import changes
from app.domain.platform.flags.changes import Author
from app.domain.platform.metrics import Figures
from app.errors import Conflict
from app.services import Services

log = structlog.get_logger("flags")

STEPS = (5, 10, 25, 50, 100)
ERRORS_TO_GO_ON, P95_TO_GO_ON_MS = 0.01, 500
ERRORS_TO_STOP = 0.05
# Fewer requests than these tell nothing: one error among three is 33 %.
ENOUGH_TO_GO_ON, ENOUGH_TO_STOP = 100, 20
STOP_MINUTES = 10

PLANNED = """
SELECT key, version, rollout_percentage, plan, step_since, now() AS now FROM feature_flags
WHERE plan IS NOT NULL AND enabled AND (rollout_percentage < 100 OR step_since > now() - interval '48 hours')
ORDER BY key
"""


async def advance(services: Services) -> None:
    """Go one step on with each plan whose time has come and whose figures are good; stop those that fail."""
    for row in await services.db.fetch(PLANNED):
        failing = await failures(services, row)
        if failing is not None:
            await stop(services, row["key"], failing)
            continue
        why = None
        if row["rollout_percentage"] < STEPS[-1]:
            why = await why_it_waits(services, row) or await go_on(services, row)
        await services.db.execute(WAIT, row["key"], why)


WAIT = """
UPDATE feature_flags SET plan_waits = $2 WHERE key = $1 AND plan IS NOT NULL AND plan_waits IS DISTINCT FROM $2
"""


def length_of(percentage: int) -> timedelta:
    """Return how long a step lasts: a day, two from 50 %."""
    return timedelta(hours=48 if percentage >= 50 else 24)


async def failures(services: Services, row: Any) -> Figures | None:
    """Return the last ten minutes' figures when both halves of them had over 5 % errors, else None."""
    now: datetime = row["now"]
    # The running minute is not written yet.
    end = now.replace(second=0, microsecond=0)
    middle, start = (end - timedelta(minutes=STOP_MINUTES // part) for part in (2, 1))
    for since, until in ((start, middle), (middle, end)):
        half = await metrics.of_requests(services, row["plan"]["uris"], since, until)
        if half.requests < ENOUGH_TO_STOP or half.errors <= ERRORS_TO_STOP:
            return None
    return await metrics.of_requests(services, row["plan"]["uris"], start, end)


async def stop(services: Services, key: str, figures: Figures) -> None:
    """Switch a flag off because its requests fail, and tell the operator."""
    reason = f"{100 * figures.errors:.1f} % of its requests failed for {STOP_MINUTES} minutes"
    async with services.tx() as tx:
        await changes.change(tx, Author(None, reason), key, {"enabled": False})
        await mail.send_ops_alert(
            tx, f"Flag {key} is off", f"The plan switched it off: {reason}.", f"flag:{key}"
        )
    log.warning("flag stopped", flag=key, errors=round(figures.errors, 4))


async def why_it_waits(services: Services, row: Any) -> str | None:
    """Return what keeps a plan on its step, in words; None when nothing does."""
    percentage, since, now = row["rollout_percentage"], row["step_since"], row["now"]
    if percentage < STEPS[0]:
        return None
    length = length_of(percentage)
    if now < since + length:
        return f"This step lasts until {since + length:%-d %b, %H:%M} UTC."
    # What went wrong early in a step that has to wait is forgotten in time.
    begin = max(since, now - length)
    figures = await metrics.of_requests(services, row["plan"]["uris"], begin, now)
    if figures.requests < ENOUGH_TO_GO_ON:
        return f"It waits for figures: {figures.requests} requests in {length.days * 24} h, {ENOUGH_TO_GO_ON} are needed."
    if figures.errors >= ERRORS_TO_GO_ON:
        return (
            f"It waits: {100 * figures.errors:.1f} % of the requests failed; less than 1 % has to."
        )
    if figures.p95_ms is not None and figures.p95_ms >= P95_TO_GO_ON_MS:
        return (
            f"It waits: p95 is {figures.p95_ms:.0f} ms; less than {P95_TO_GO_ON_MS} ms is needed."
        )
    return None


async def go_on(services: Services, row: Any) -> str | None:
    """Take the next step; return why it cannot be taken, None when it was."""
    percentage, key = row["rollout_percentage"], row["key"]
    step = next(step for step in STEPS if step > percentage)
    by = Author(None, f"Planned step from {percentage} % to {step} %")
    fields = {"rollout_percentage": step}
    try:
        await changes.change(services, by, key, fields, seen_version=row["version"])
    except Conflict as problem:
        return f"It waits: {problem.sentence}"
    log.info("flag advanced", flag=key, percentage=step)
    return None
