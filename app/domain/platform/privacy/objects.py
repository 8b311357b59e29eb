"""Files of an erased person: every version of each, then its row."""

from app.domain.platform import objects
from app.domain.platform.privacy.progress import lock, write
from app.domain.platform.privacy.receipts import key_of
from app.domain.platform.privacy.statements import tables
from app.services import Services

BATCH = 100


async def erase(services: Services, user_id: int, request_id: int | None = None) -> int:
    """Remove the person's files, counting them on the request; answer how many. Raises ServiceDown."""
    gone = 0
    for place in tables("objects"):
        found = (
            f"SELECT id, bucket, key FROM stored_objects WHERE {place.condition()} LIMIT {BATCH}"  # noqa: S608
        )
        while rows := await services.db.fetch(found, user_id):
            for row in rows:
                store = objects.store_of(services)
                await store.delete_versions(objects.BUCKETS[row["bucket"]][0], row["key"])
            gone += await forget(services, [row["id"] for row in rows], key_of(place), request_id)
    return gone


FORGET = "DELETE FROM stored_objects WHERE id = ANY($1::bigint[])"


async def forget(services: Services, ids: list[int], place: str, request_id: int | None) -> int:
    """Delete the rows of files that are gone, and count them in the same transaction."""
    async with services.tx() as tx:
        rows = int((await tx.db.execute(FORGET, ids)).split()[-1])
        if request_id is not None:
            progress = await lock(tx, request_id)
            progress.count("objects", place, rows)
            await write(tx, request_id, progress)
    return rows
