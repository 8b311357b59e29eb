"""What is forgotten of people who did not come back: visitors' rows, spent letters, ended sessions."""

from app.services import Services

# A visitor's row takes everything with it that hangs on it; 5,000 at a time keep the locks short.
PURGE = """
DELETE FROM users WHERE id IN (
    SELECT id FROM users WHERE kind = 'visitor' AND last_seen_on < current_date - 30 LIMIT 5000
)
"""


async def purge(services: Services) -> None:
    """Delete visitors whose last visit is over 30 days ago."""
    while await services.db.execute(PURGE) == "DELETE 5000":
        pass


SPENT = "DELETE FROM sign_in_requests WHERE expires_at < now() - interval '1 day'"
ENDED = "DELETE FROM sessions WHERE ended_at < now() - interval '30 days' OR ends_at < now() - interval '30 days'"
TRIPS = "DELETE FROM oauth_states WHERE expires_at < now() - interval '1 day'"


async def purge_sign_ins(services: Services) -> None:
    """Delete letters and trips to providers that expired yesterday, and sessions that ended 30 days ago."""
    await services.db.execute(SPENT)
    await services.db.execute(TRIPS)
    await services.db.execute(ENDED)
