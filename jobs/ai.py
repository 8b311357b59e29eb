"""Jobs of the AI budget, and the line to the team's chat."""

from app.domain.homepage import tag_backfills, tagging
from app.domain.platform import chat
from app.domain.platform.ai import batches, ledger, watch
from app.services import Services
from jobs.registry import job

# Who takes the answers of a batch, by the feature that sent it.
TAKERS: dict[str, batches.Taker] = {tagging.FEATURE: tag_backfills.take}


@job(queue="DEFAULT", attempts=3)
async def sweep_ai_calls(services: Services) -> None:
    """Count in full the calls whose end nobody knows, and forget what is old."""
    await ledger.sweep(services)


@job(queue="DEFAULT", attempts=3)
async def check_ai_budget(services: Services) -> None:
    """Make this month's row, compare the books, and tell of levels that nobody was told of."""
    await watch.check(services)


@job(queue="BULK", attempts=3, timeout=1800)
async def collect_ai_batch(services: Services) -> None:
    """Take in the answers of batches that have ended."""
    await batches.collect(services, TAKERS)


@job(queue="DEFAULT", attempts=5)
async def post_to_chat(services: Services, channel: str, text: str) -> None:
    """Post one line to the team's chat."""
    await chat.post(services, channel, text)
