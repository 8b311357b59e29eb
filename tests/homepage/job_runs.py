"""Jobs of the ledger, run one after the other in the test's own transaction."""

from app.services import Services
from jobs.registry import REGISTRY

TAKE = """
UPDATE delayed_jobs SET status = 'done', finished_at = now() WHERE id = (
    SELECT id FROM delayed_jobs WHERE status = 'pending' AND job_type = ANY($1) ORDER BY id LIMIT 1)
RETURNING job_type, payload
"""


async def run_jobs(services: Services, *types: str) -> int:
    """Run the waiting jobs of some types, those that they enqueue too; answer how many."""
    count = 0
    while row := await services.db.fetchrow(TAKE, list(types)):
        kind = REGISTRY.of(row["job_type"])
        await kind.run(services, **kind.values(row["payload"]))
        count += 1
    return count
