"""The index behind searches: rebuilt on request, while searches go on."""

import structlog

from app.domain.homepage import news_index
from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.services import Services

log = structlog.get_logger("search")

# Each index that a search of this site reads.
INDEXES = ("feed_items_search", "feed_items_typos", "users_words")
LONGEST_SECONDS = 3000


def backend(services: Services) -> str:
    """The engine that searches with words ask first."""
    return "meilisearch" if news_index.is_set_up(services) else "postgresql"


# What an earlier rebuild left behind when it was stopped.
LEFT_BEHIND = """
SELECT found.relname AS name FROM pg_index JOIN pg_class AS found ON found.oid = indexrelid
WHERE NOT indisvalid AND found.relname ~ ('^(' || array_to_string($1::text[], '|') || ')_ccnew[0-9]*$')
"""


async def ask(services: Services, who: Reader, reason: str = "") -> int:
    """Let a job rebuild the index; return its id. One at a time: a second wish is the first job."""
    async with services.tx() as tx:
        job_id = await tx.enqueue("reindex_search", key="reindex", actor_id=who.id)
        target = ("search", backend(services))
        await audit.add(tx, who, "search.reindexed", target, reason, after={"job_id": job_id})
        return job_id


async def rebuild(services: Services) -> None:
    """Rebuild every index of the search without stopping it, and say in the log how far it is."""
    engine = backend(services)
    log.info("reindex started", backend=engine, indexes=len(INDEXES))
    async with services.db.held() as connection:
        # Nobody may have to wait for a rebuild; only inside a transaction, where that cannot be, the plain one is used.
        how = "INDEX" if connection.is_in_transaction() else "INDEX CONCURRENTLY"
        for row in await connection.fetch(LEFT_BEHIND, list(INDEXES)):
            await connection.execute(f'DROP INDEX "{row["name"]}"')
        for place, name in enumerate(INDEXES, 1):
            await connection.execute(f'REINDEX {how} "{name}"', timeout=LONGEST_SECONDS)
            log.info("reindex progress", backend=engine, index=name, done=place, of=len(INDEXES))
            if services.job is not None:
                await services.job.report({"done": place, "of": len(INDEXES), "index": name})
    if news_index.is_set_up(services):
        documents = await news_index.rebuild(services)
        log.info("reindex progress", backend=engine, index=news_index.INDEX, documents=documents)
    log.info("reindex done", backend=engine)
