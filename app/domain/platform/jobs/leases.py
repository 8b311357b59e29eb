"""Leases: duties that one process at a time holds, by the database's clock."""

from app.services import Services

TAKE = """
INSERT INTO leases (name, holder, until) VALUES ($1, $2, now() + $3::float8 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
WHERE leases.holder = EXCLUDED.holder OR leases.until < now()
RETURNING true
"""


async def take(services: Services, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a lease; return whether it is ours now. Raises ServiceDown."""
    return bool(await services.db.fetchval(TAKE, name, holder, seconds))


async def release(services: Services, holder: str) -> None:
    """Give up every lease of a holder that ends."""
    await services.db.execute("DELETE FROM leases WHERE holder = $1", holder)
