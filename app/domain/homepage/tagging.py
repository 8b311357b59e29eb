"""Tagging of news by a model: asked for by hand; while no model is set up it says so and does nothing."""

import structlog

from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.services import Services

log = structlog.get_logger("tagging")

NOT_SET_UP = "Tagging by a model is not set up; feeds' own tags and our rules go on."


async def ask(services: Services, who: Reader, batch_size: int, reason: str = "") -> int:
    """Let a job tag up to so many items; return its id."""
    async with services.tx() as tx:
        job_id = await tx.enqueue("tag_items", batch_size, actor_id=who.id)
        after = {"job_type": "tag_items", "batch_size": batch_size}
        await audit.add(tx, who, "job.run", ("job", job_id), reason, after=after)
        return job_id


async def tag(services: Services, batch_size: int) -> None:
    """Say that no model is set up, in the log and on the job."""
    log.info("tagging is off", batch_size=batch_size, why=NOT_SET_UP)
    if services.job is not None:
        await services.job.report({"tagged": 0, "why": NOT_SET_UP})
