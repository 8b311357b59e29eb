"""Jobs of the ground: the ledger's own upkeep, and letters."""

from app.domain.platform import mail, objects, sign_ins, visitors
from app.domain.platform.jobs import retention
from app.services import Services
from jobs.registry import job


@job(queue="LOW", attempts=1)
async def purge_jobs(services: Services) -> None:
    """Forget jobs that ended long ago."""
    await retention.purge(services)


@job(queue="LOW", attempts=5)
async def maintain_partitions(services: Services) -> None:
    """Make the months ahead, drop those past their age."""
    await retention.maintain_partitions(services)


@job(queue="HIGH", attempts=6)
async def send_email(services: Services, email_id: int) -> None:
    """Hand over one letter."""
    await mail.deliver(services, email_id)


@job(queue="HIGH", attempts=5)
async def tell_session_ended(services: Services, user_id: int, session_id: int) -> None:
    """Write to a member whose session was ended because an old value of it came back."""
    await sign_ins.tell_session_ended(services, user_id, session_id)


@job(queue="LOW", attempts=3)
async def purge_visitors(services: Services) -> None:
    """Forget visitors who have not been here for 30 days."""
    await visitors.purge(services)


@job(queue="LOW", attempts=3)
async def purge_sign_ins(services: Services) -> None:
    """Forget letters that cannot open a door any more, and sessions that ended 30 days ago."""
    await visitors.purge_sign_ins(services)


@job(queue="LOW", attempts=5)
async def sweep_objects(services: Services) -> None:
    """Remove files that were never finished, and those past their day."""
    await objects.sweep(services)
