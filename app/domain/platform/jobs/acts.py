"""What an admin does to jobs, each act with its reason in the audit log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.domain.platform import audit
from app.domain.platform.jobs import clock, controls, ledger
from app.domain.platform.readers import Reader
from app.errors import Forbidden, NotFound
from app.services import Services


async def note_reading(services: Services, who: Reader, job_id: int) -> None:
    """Write down that somebody read a job's arguments."""
    await audit.add(services, who, "job.read", ("job", job_id))


async def retry(services: Services, who: Reader, job_id: int, reason: str) -> None:
    """Let a dead, cancelled or waiting job run now. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        await controls.retry(tx, job_id)
        await audit.add(tx, who, "job.retried", ("job", job_id), reason)


async def cancel(services: Services, who: Reader, job_id: int, reason: str) -> None:
    """End a job that waits or runs. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        await controls.cancel(tx, job_id)
        await audit.add(tx, who, "job.cancelled", ("job", job_id), reason)


async def delete(services: Services, who: Reader, job_id: int, reason: str) -> None:
    """Forget a job that has ended. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        await controls.delete(tx, job_id)
        await audit.add(tx, who, "job.deleted", ("job", job_id), reason)


async def pause(
    services: Services,
    who: Reader,
    scope: str,
    name: str,
    reason: str,
    until: datetime | None = None,
) -> None:
    """Let nothing of a family or type start; running jobs finish. Raises Invalid, NotFound."""
    async with services.tx() as tx:
        await controls.pause(tx, scope, name, reason=reason, actor_id=who.id, until=until)
        after = {"until": until.isoformat() if until else None}
        await audit.add(tx, who, f"{scope}.paused", (scope, name), reason, after=after)


async def resume(services: Services, who: Reader, scope: str, name: str, reason: str = "") -> None:
    """Take a pause away. Raises NotFound."""
    async with services.tx() as tx:
        await controls.resume(tx, scope, name)
        await audit.add(tx, who, f"{scope}.resumed", (scope, name), reason)


async def limit(
    services: Services,
    who: Reader,
    scope: str,
    name: str,
    reason: str,
    *,
    slots: int | None,
    per_minute: int | None,
) -> None:
    """Hold a family or type to so many at once or a minute over all processes; None lifts it. Raises NotFound."""
    async with services.tx() as tx:
        await controls.limit(
            tx, scope, name, slots=slots, per_minute=per_minute, reason=reason, actor_id=who.id
        )
        after = {"slots": slots, "per_minute": per_minute}
        await audit.add(tx, who, f"{scope}.limited", (scope, name), reason, after=after)


async def run(
    services: Services, who: Reader, job_type: str, payload: Mapping[str, Any], reason: str = ""
) -> int:
    """Write one job by hand; return its id. Raises NotFound for an unknown type, Forbidden, Invalid for its arguments."""
    kind = services.ledger.registry.get(job_type)
    if kind is None:
        raise NotFound("There is no job type of that name.")
    if kind.by_hand not in who.permissions:
        raise Forbidden("Your role does not let you run jobs of this type by hand.")
    async with services.tx() as tx:
        job_id = await ledger.add_by_hand(tx, kind, payload, who.id)
        await audit.add(tx, who, "job.run", ("job", job_id), reason, after={"job_type": job_type})
        return job_id


async def run_schedule(services: Services, who: Reader, name: str, reason: str = "") -> int:
    """Run one line of the clock now, beside its ticks; return the job's id. Raises NotFound."""
    async with services.tx() as tx:
        job_id = await clock.run_now(tx, name, who.id)
        await audit.add(tx, who, "schedule.run", ("schedule", name), reason)
        return job_id
