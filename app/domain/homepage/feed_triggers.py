"""Feeds fetched because an operator says so."""

from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

ONE_DUE = "UPDATE feeds SET next_fetch_at = now() WHERE id = $1 AND state <> 'disabled' RETURNING next_fetch_at"
ALL_DUE = """
UPDATE feeds SET next_fetch_at = now()
WHERE state NOT IN ('gone', 'disabled') AND next_fetch_at > now()
"""


async def refresh(services: Services, who: Reader, feed_id: int | None) -> tuple[int, str]:
    """Make one feed, or all of them, due now; return the job that fetches and its type. Raises NotFound."""
    async with services.tx() as tx:
        if feed_id is None:
            await tx.db.execute(ALL_DUE)
            job_type = "dispatch_feeds"
            job_id = await tx.enqueue(job_type, actor_id=who.id)
        else:
            due = await tx.db.fetchval(ONE_DUE, feed_id)
            if due is None:
                raise NotFound("There is no such feed.")
            job_type = "refresh_feed"
            job_id = await tx.enqueue(
                job_type, feed_id, due.isoformat(), priority=1, actor_id=who.id
            )
        await audit.add(tx, who, "feed.refreshed", ("feed", feed_id or "all"))
        return job_id, job_type
