"""Job types that only the tests run, and what they leave behind."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

from app.domain.platform.jobs.types import Registry
from app.errors import Defer, Invalid, NotFound, ServiceDown
from app.services import Services
from jobs.registry import REGISTRY

TYPES = Registry(REGISTRY)
ROWS = "CREATE TABLE IF NOT EXISTS job_rows (n bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())"
ADD_ROW = "INSERT INTO job_rows (n) VALUES ($1)"
calls: list[int] = []
gate = asyncio.Event()


@TYPES.job(queue="DEFAULT")
async def note_call(services: Services, number: int) -> None:
    """Remember the call in this process."""
    calls.append(number)


@TYPES.job(queue="DEFAULT", atomic=True, lease=6)
async def add_row(services: Services, number: int) -> None:
    """Add a row in the transaction that ends the job."""
    await services.db.execute(ADD_ROW, number)


@TYPES.job(queue="DEFAULT")
async def add_row_and_fail(services: Services, number: int) -> None:
    """Add a row in the transaction that ends the job, then fail before it commits."""
    async with services.tx(ends_job=True) as tx:
        await tx.db.execute(ADD_ROW, number)
        raise RuntimeError("after the effect, before the commit")


@TYPES.job(queue="DEFAULT", attempts=3)
async def fail_always(services: Services, number: int) -> None:
    """Fail."""
    calls.append(number)
    raise RuntimeError("no luck")


@TYPES.job(queue="DEFAULT", attempts=3)
async def fail_unreadably(services: Services, number: int) -> None:
    """Fail with a text that PostgreSQL keeps no copy of."""
    raise RuntimeError("half \ud800 and \0 nothing")


@TYPES.job(queue="DEFAULT")
async def refuse(services: Services, how: str) -> None:
    """End as asked."""
    raise {
        "invalid": Invalid("Not like this."),
        "missing": NotFound("It is gone."),
        "later": Defer(datetime.now(UTC) + timedelta(hours=2), "no budget left"),
        "down": ServiceDown("The provider asks us to wait.", retry_after=7200),
    }[how]


@TYPES.job(queue="DEFAULT", timeout=0.5)
async def sleep_too_long(services: Services) -> None:
    """Run over the time-out."""
    await asyncio.sleep(30)


@TYPES.job(queue="HIGH")
async def sleep_high(services: Services, seconds: float) -> None:
    """Hold a slot of HIGH."""
    await asyncio.sleep(seconds)


@TYPES.job(queue="LOW")
async def sleep_low(services: Services, seconds: float) -> None:
    """Hold a slot of LOW."""
    await asyncio.sleep(seconds)


@TYPES.job(queue="DEFAULT", timeout=0.5, lease=3)
async def block_the_loop(services: Services, seconds: float) -> None:
    """Block the whole event loop, as a wild computation would."""
    time.sleep(seconds)


@TYPES.job(queue="DEFAULT")
async def hold_row(services: Services, number: int, ends_job: bool) -> None:
    """Add a row and commit it; the first attempt only when the gate opens, whatever it is told meanwhile."""
    calls.append(number)
    async with services.tx(ends_job=ends_job) as tx:
        await tx.db.execute(ADD_ROW, number)
        if len(calls) == 1:
            await stay(gate)


@TYPES.job(queue="DEFAULT")
async def write_late(services: Services, number: int) -> None:
    """Add a row without a transaction; the first attempt only when the gate opens, whatever it is told meanwhile."""
    calls.append(number)
    if len(calls) == 1:
        await stay(gate)
    await services.db.execute(ADD_ROW, number)


@TYPES.job(queue="DEFAULT")
async def act_outside(services: Services, number: int) -> None:
    """One step outside, which takes until the gate opens."""
    async with services.job.step("only") as fresh:
        if fresh:
            calls.append(number)
            await stay(gate)
    calls.append(-number)


@TYPES.job(queue="DEFAULT")
async def end_when_told(services: Services, number: int) -> None:
    """Wait to be cancelled, then end well: what was to be done is done."""
    with contextlib.suppress(asyncio.CancelledError):
        calls.append(number)
        await asyncio.sleep(300)
    await services.db.execute(ADD_ROW, number)


async def stay(until: asyncio.Event) -> None:
    """Wait, and let nobody cancel it."""
    while not until.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await until.wait()


SEEN = (
    "SELECT current_setting('application_name') AS name, current_setting('enable_seqscan') AS scans"
)


@TYPES.job(queue="DEFAULT")
async def look_at_connection(services: Services) -> None:
    """Report what this job's statements run on."""
    await services.job.report(dict(await services.db.fetchrow(SEEN)))


@TYPES.job(queue="DEFAULT")
async def take_steps(services: Services) -> None:
    """Two steps outside; the first time the second one fails."""
    for number, name in enumerate(("first", "second")):
        async with services.job.step(name) as fresh:
            if fresh:
                calls.append(number)
            if fresh and name == "second" and services.job.attempt == 1:
                raise RuntimeError("the second step fails once")
