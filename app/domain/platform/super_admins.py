"""Super_admins: one change of who they are at a time, and the last one stays (chapter 10 rule 16)."""

from app.errors import Conflict
from app.services import Services

LOCK = 714


async def lock(services: Services) -> None:
    """One change at a time; the second sees what the first did. To be taken before any row of a person."""
    await services.db.execute("SELECT pg_advisory_xact_lock($1)", LOCK)


LEFT = """
SELECT EXISTS (
    SELECT FROM users WHERE role = 'super_admin' AND kind = 'member' AND closed_at IS NULL
      AND (banned_until IS NULL OR banned_until <= now())
)
"""


async def keep_one(services: Services) -> None:
    """Refuse a change that would leave the site without a super_admin. Raises Conflict."""
    if not await services.db.fetchval(LEFT):
        raise Conflict(
            "This is the last super_admin. Give somebody else that role first.",
            code="last_super_admin",
        )
