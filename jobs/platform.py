"""Jobs of the ground: the ledger's own upkeep, and letters."""

from app.domain.platform import (
    audit_seals,
    digests,
    emails,
    impersonations,
    mail,
    mailboxes,
    merges,
    metrics,
    notifications,
    oauth_tokens,
    object_sweeps,
    sign_ins,
    visitors,
)
from app.domain.platform.flags import exposures, plans, reviews
from app.domain.platform.jobs import bulk_runs, retention
from app.domain.platform.privacy import erasures, exports, requests
from app.domain.platform.privacy import retention as ages
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
    await exposures.purge(services)
    await metrics.purge(services)


@job(attempts=3)
async def advance_flag_plans(services: Services) -> None:
    """Take the steps of flags whose plans are due, and stop those that fail."""
    await plans.advance(services)


@job(queue="LOW", attempts=3)
async def review_flags(services: Services) -> None:
    """Write to the owners of stale flags."""
    await reviews.send(services)


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


@job(queue="DEFAULT", attempts=3)
async def purge_merge_audit(services: Services) -> None:
    """Take unanswered questions of 30 days as a no, and forget answers past their day."""
    await merges.purge(services)


@job(queue="LOW", attempts=3)
async def purge_sign_ins(services: Services) -> None:
    """Forget letters that cannot open a door any more, and sessions that ended 30 days ago."""
    await visitors.purge_sign_ins(services)


@job(queue="LOW", attempts=5, timeout=3600)
async def sweep_objects(services: Services) -> None:
    """Remove files that were never finished, those past their day, and what has no partner."""
    await object_sweeps.sweep(services)


@job(queue="LOW", attempts=1, timeout=120)
async def poll_mailbox(services: Services) -> None:
    """Take in the letters that have come, and stay for more until shortly before the next run."""
    await mailboxes.poll(services)


@job(queue="LOW", attempts=3)
async def send_notification_digest(services: Services) -> None:
    """Send today's digest to everybody whose 07:00 has passed."""
    await digests.send_due(services)


@job(queue="LOW", attempts=5)
async def purge_letters(services: Services) -> None:
    """Forget letters' texts after 30 days, their rows and notices after 400."""
    await emails.purge(services)
    await notifications.purge(services)


@job(queue="DEFAULT", attempts=3)
async def refresh_oauth_tokens(services: Services) -> None:
    """Renew the tokens of outside accounts that end within 7 days."""
    await oauth_tokens.refresh(services)


@job(queue="LOW", attempts=10)
async def revoke_oauth_token(services: Services, revocation_id: int) -> None:
    """Let a provider revoke the token of an account that was unlinked or erased."""
    await oauth_tokens.revoke(services, revocation_id)


@job(queue="DEFAULT", priority=2, attempts=5)
async def run_bulk_action(services: Services, action_id: int) -> None:
    """Do one thing to many jobs."""
    await bulk_runs.run(services, action_id)


@job(queue="DEFAULT", priority=2, attempts=5)
async def restore_deleted_jobs(services: Services, action_id: int) -> None:
    """Put back the jobs that one action deleted."""
    await bulk_runs.restore(services, action_id)


@job(queue="LOW", attempts=10)
async def seal_audit_log(services: Services) -> None:
    """Seal the days of the audit log that have ended."""
    await audit_seals.seal(services)


@job(queue="DEFAULT", attempts=5, timeout=3600, by_hand="handle_privacy")
async def export_person(services: Services, request_id: int) -> None:
    """Put together the copy that a person asked for."""
    await exports.export(services, request_id)


@job(queue="HIGH", attempts=10, timeout=1800, by_hand="handle_privacy")
async def erase_person(services: Services, request_id: int) -> None:
    """Erase a person who asked for it, once the wait is over."""
    await erasures.erase(services, request_id)


@job(queue="LOW", attempts=5, timeout=3600)
async def sweep_retention(services: Services) -> None:
    """Delete or clear what is past the ages of the registry of personal data; go on with wishes that were left lying."""
    await requests.take_up_again(services)
    await ages.sweep(services)


@job(queue="DEFAULT", attempts=5)
async def end_impersonation(services: Services, impersonation_id: int) -> None:
    """Write down the end of a stretch that nobody stopped; it is over at its minute without this."""
    await impersonations.end_at_its_minute(services, impersonation_id)


@job(queue="HIGH", attempts=5)
async def tell_seen_as_you(services: Services, impersonation_id: int) -> None:
    """Write to a member that an admin saw the site as them yesterday."""
    await impersonations.tell(services, impersonation_id)
