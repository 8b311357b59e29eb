"""News in Meilisearch, where it is set up: public fields of listed feeds alone; PostgreSQL answers whenever it cannot."""

from datetime import UTC, datetime
from typing import Any

from app.errors import NotFound, ServiceDown
from app.services import Services

INDEX = "news"
FILTERS = ("id", "feed_id", "at")
SORTS = ("at", "id")
NEWEST_FIRST = ("at:desc", "id:desc")
BATCH = 1000
# As many as a feed can bring at one fetch.
RECENT = 500
# The most hits that Meilisearch tells of one search, as it comes.
HITS = 1000


def is_set_up(services: Services) -> bool:
    """Whether there is a Meilisearch."""
    return services.outside.get("meilisearch") is not None


async def ids(services: Services, words: str) -> list[int] | None:
    """Numbers of the listed items with these words, a thousand at most; None when PostgreSQL must look by itself.

    All of them for each page: the engine puts what fits best before what is newer, and several items may be one story,
    so a page's worth of numbers is neither the next page nor a full one.
    """
    engine = services.outside.get("meilisearch")
    if engine is None:
        return None
    try:
        found: list[int] = await engine.found(INDEX, words, order=NEWEST_FIRST, limit=HITS)
        # An index that is still to be filled knows nothing of what there is.
        return None if not found and await is_empty(engine) else found
    except (NotFound, ServiceDown):
        return None


async def is_empty(engine: Any) -> bool:
    """Whether the index is new or was emptied. Raises ServiceDown."""
    try:
        return not await engine.count(INDEX)
    except NotFound:
        return True


async def changed(tx: Services, feed_id: int) -> None:
    """Say in the caller's transaction that the index must learn of a feed; nothing where there is no Meilisearch."""
    if is_set_up(tx):
        await tx.enqueue("index_feed", feed_id, key=f"index:{feed_id}")


COLUMNS = """
SELECT i.id, i.feed_id, i.title, left(i.body_text, 4000) AS text, i.published_at
FROM feed_items i JOIN feeds f ON f.id = i.feed_id AND f.visibility = 'listed'
"""
OF_FEED = f"{COLUMNS} WHERE i.feed_id = $1 ORDER BY i.published_at DESC, i.id DESC LIMIT $2"
IS_LISTED = "SELECT visibility = 'listed' FROM feeds WHERE id = $1"


async def put_feed(services: Services, feed_id: int) -> None:
    """Bring the newest items of a feed into the index; all of a feed leave it that is not listed. Raises ServiceDown.

    An index that is empty is rebuilt instead: then it has all feeds, this one among them.
    """
    engine = services.outside.get("meilisearch")
    if engine is None:
        return
    if not services.memory.get("news_index"):
        # A server that is new, or was emptied, refuses filters until it is told of them; once a process is enough.
        await engine.settle(INDEX, FILTERS, SORTS)
        services.memory["news_index"] = True
    if not await services.db.fetchval(IS_LISTED, feed_id):
        await engine.drop(INDEX, f"feed_id = {feed_id}")
        return
    rows = await services.db.fetch(OF_FEED, feed_id, RECENT)
    if rows and await is_empty(engine):
        async with services.tx() as tx:
            await tx.enqueue("reindex_search", key="reindex")
    elif rows:
        await engine.put(INDEX, [document(row) for row in rows])


NEXT = f"{COLUMNS} WHERE i.id > $1 ORDER BY i.id LIMIT $2"


async def rebuild(services: Services) -> int:
    """Bring every listed item into the index, a thousand at a time; return how many. Raises ServiceDown."""
    engine, last, count = services.outside["meilisearch"], 0, 0
    await engine.settle(INDEX, FILTERS, SORTS)
    while rows := await services.db.fetch(NEXT, last, BATCH):
        await engine.put(INDEX, [document(row) for row in rows])
        last, count = rows[-1]["id"], count + len(rows)
    await forget_old(services)
    return count


async def forget_old(services: Services) -> None:
    """Take out of the index what is too old to be stored. Raises ServiceDown."""
    if engine := services.outside.get("meilisearch"):
        oldest = await services.db.fetchval("SELECT min(published_at) FROM feed_items")
        await engine.drop(INDEX, f"at < {microseconds(oldest or datetime.now(UTC))}")


def document(row: Any) -> dict[str, Any]:
    """One item as the index has it: what everybody may see, and what it is sorted by."""
    shown = {name: row[name] for name in ("id", "feed_id", "title", "text")}
    return shown | {"at": microseconds(row["published_at"])}


def microseconds(at: datetime) -> int:
    """A time as a whole number, exact enough for a cursor."""
    return round(at.timestamp() * 1_000_000)
