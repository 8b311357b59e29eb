"""Replay: after a restore, the journal makes the dump forget whom it brought back."""

from typing import NamedTuple

from app.domain.platform.privacy import erasures, journal
from app.services import Services


class Replayed(NamedTuple):
    """What a replay found: numbers known, people erased again, rows removed or cleared, and keys that are no lines."""

    known: int
    erased: int
    rows: int
    strange: list[str]


# Somebody who got a number after it was erased is somebody else.
RETURNED = """
SELECT j.user_id, j.erased_at FROM erasure_journal j JOIN users u ON u.id = j.user_id AND u.created_at <= j.erased_at
ORDER BY j.user_id
"""
# A number is given once; after a restore the counter stands lower than the numbers that were erased since.
# It is never lowered: the numbers of visitors who are gone are in no table.
RAISE_COUNTER = """
SELECT setval(pg_get_serial_sequence('users', 'id'),
    greatest((SELECT max(user_id) FROM erasure_journal), (SELECT max(id) FROM users),
        (SELECT last_value FROM pg_sequences WHERE schemaname = 'public' AND sequencename = 'users_id_seq'), 1))
"""


async def replay(services: Services) -> Replayed:
    """Erase whom the journal names and this database still has. Raises ServiceDown."""
    strange = await journal.read_bucket(services)
    await journal.store(services)
    await services.db.execute(RAISE_COUNTER)
    known = len(await services.db.fetch(journal.KNOWN))
    found = [
        await erasures.repeat(services, row["user_id"], row["erased_at"])
        for row in await services.db.fetch(RETURNED)
    ]
    return Replayed(known, len(found), sum(found), strange)
