"""Are items of one event told as one story, how sure is that, and what does one assignment cost? (chapter 20 §9 line 7)

Precision and recall of the pairs of tests/homepage/story_pairs.tsv that are held out; then one assignment among 100,000
items next to one `title % $1` query with its trigram index; then eight workers against one. The ratio printed is the cost.
"""

import asyncio
import hashlib
import json
import os
import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from app import config
from app.db import migrate
from app.domain.homepage import feed_items, story_assignment
from app.domain.homepage.feed_documents import FeedEntry
from app.domain.homepage.story_desks import Source
from app.domain.homepage.story_matching import Candidate, belongs
from app.domain.homepage.story_numbers import Numbers
from app.domain.homepage.story_words import Telling, keys, stem, title_key
from app.services import Services
from app.start import open_services
from bench import _site
from tests.homepage.story_pairs import pairs, tellings

ITEMS, FEEDS, DAYS, ASKED, WORKERS = 100_000, 150, 10, 60, 8
NOW = datetime.now(UTC).replace(microsecond=0)
ADD_FEED = """
INSERT INTO feeds (url, url_key, visibility, title, next_fetch_at)
SELECT 'https://p' || n || '.example/feed', sha256(n::text::bytea), 'listed', 'Paper ' || n, NULL
FROM generate_series(1, $1::int) AS n
"""
LIKE_TITLE = "SELECT id FROM feed_items WHERE title % $1"
LETTERS = "bcdfghklmnprstvw" + "aeiou" * 3
USUAL = [
    "the",
    "of",
    "in",
    "to",
    "after",
    "as",
    "over",
    "says",
    "new",
    "year",
    "police",
    "people",
    "minister",
]
INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS text FROM pg_index
WHERE indrelid = 'feed_items'::regclass AND NOT indisunique
"""
COUNT_WORDS = """
INSERT INTO story_words (key, span, items)
SELECT key, 0, count(*) FROM feed_items, unnest(story_keys) AS key GROUP BY key
"""
GROUPS = """
SELECT array_agg(encode(guid_hash, 'hex') ORDER BY guid_hash) AS told FROM feed_items GROUP BY story_id ORDER BY 1
"""


async def main() -> None:
    """Judge the pairs, fill, measure in turns, let eight workers do what one did."""
    precision, recall = quality()
    given = {name.lower(): value for name, value in _site.SECRETS.items()}
    settings = config.load(
        {**os.environ, "ENVIRONMENT": "test", "VAR_DIR": str(_site.FOLDER)}, **given
    )
    await migrate(settings)
    async with open_services(settings) as services:
        await services.db.execute(ADD_FEED, FEEDS)
        agree, stories = await workers_agree(services)
        begin = time.perf_counter()
        await fill(services)
        print(f"{ITEMS:,} items of {DAYS} days in {_site.since(begin)}")
        ratio = await cost(services)
    detail = {"precision": precision, "recall": recall, "agree": agree, "stories": stories}
    print(json.dumps({"bench": "stories", "ratio": ratio, "detail": detail}))


def quality() -> tuple[float, float]:
    """Precision and recall on the pairs that are held out."""
    right = wrong = missed = looks = 0
    for pair in pairs():
        if pair.held_out:
            joined = belongs(pair.other, Candidate(1, [pair.one])) > 0
            right += joined and pair.same
            wrong += joined and not pair.same
            missed += pair.same and not joined
            looks += not pair.same
    precision, recall = right / (right + wrong), right / (right + missed)
    print(
        f"held out: {right + missed} pairs of one event, {looks} look-alikes; "
        f"precision {precision:.3f}, recall {recall:.3f}"
    )
    return round(precision, 3), round(recall, 3)


async def workers_agree(services: Services) -> tuple[bool, int]:
    """Whether eight workers make the same stories of the hand-written items as one does; and how many."""
    found = []
    for workers in (1, WORKERS):
        await services.db.execute("TRUNCATE stories, feed_items, story_words CASCADE")
        batches = [batch for number in range(1, 25) for batch in documents(number, workers)]
        random.Random(workers).shuffle(batches)
        queue = asyncio.Queue[tuple[Source, list[FeedEntry]]]()
        for batch in batches:
            queue.put_nowait(batch)
        await asyncio.gather(*(work(services, queue) for _ in range(workers)))
        rows = await services.db.fetch(GROUPS)
        found.append([row["told"] for row in rows])
    one, many = found
    print(f"one worker: {len(one)} stories, {WORKERS} workers: {len(many)}; equal: {one == many}")
    return one == many, len(one)


def documents(feed_id: int, seed: int) -> list[tuple[Source, list[FeedEntry]]]:
    """What one feed brings, a few items at a time: each telling is in one feed, some in another as well."""
    mine = [
        entry_of(title, summary, at, f"{feed_id}:{place}", language)
        for place, (title, summary, at, language) in enumerate(tellings(NOW - timedelta(hours=180)))
        if place % 24 == feed_id - 1 or (place % 3 == 0 and (place * 7 + 5) % 24 == feed_id - 1)
    ]
    random.Random(seed).shuffle(mine)
    return [
        (Source(feed_id, "listed"), mine[start : start + 5]) for start in range(0, len(mine), 5)
    ]


async def work(services: Services, queue: "asyncio.Queue[tuple[Source, list[FeedEntry]]]") -> None:
    """Store documents until there are no more, each in a transaction of its own."""
    while not queue.empty():
        source, entries = queue.get_nowait()
        async with services.tx() as tx:
            await tx.db.execute("SELECT FROM feeds WHERE id = $1 FOR UPDATE", source.feed_id)
            await feed_items.store(tx, source, entries, tag_id=None, most=500, now=NOW)


def entry_of(title: str, summary: str, at: datetime, key: str, language: str = "en") -> FeedEntry:
    """One entry as the reading of a feed hands it over."""
    digest = hashlib.sha256(key.encode()).digest()
    return FeedEntry(
        guid_hash=digest, url=f"https://p.example/{key}", url_key=digest, title=title, summary_html=f"<p>{summary}</p>",
        body_text=summary, author="", image_url=None, language=language, published_at=at, content_hash=digest,
    )  # fmt: skip


async def fill(services: Services) -> None:
    """Put so many items with their keys into the database, straight."""
    chance = random.Random(5)
    vocabulary = ["".join(chance.choices(LETTERS, k=chance.randint(5, 9))) for _ in range(30_000)]
    weights = [1 / (rank + 60) for rank in range(len(vocabulary))]
    await services.db.execute("TRUNCATE stories, feed_items, story_words CASCADE")
    await services.db.execute(
        "INSERT INTO stories (id, first_at, last_at) OVERRIDING SYSTEM VALUE SELECT n, now(), now() FROM generate_series(1, $1::int) AS n",
        ITEMS,
    )
    rows = []
    for number in range(1, ITEMS + 1):
        words = chance.choices(vocabulary, weights, k=22)
        title = " ".join(words[:7] + chance.choices(USUAL, k=3)).title()
        summary = " ".join(words[4:] + chance.choices(USUAL, k=10))
        at = NOW - timedelta(days=DAYS) * (number / ITEMS)
        digest, feed_id = hashlib.sha256(str(number).encode()).digest(), 1 + number % FEEDS
        rows.append((feed_id, digest, f"https://p.example/{number}", digest, title, summary, at, digest, number,
                     [*keys(telling_of(words), at), title_key(feed_id, title)]))  # fmt: skip
    columns = [
        "feed_id",
        "guid_hash",
        "url",
        "url_key",
        "title",
        "summary_html",
        "published_at",
        "content_hash",
        "story_id",
        "story_keys",
    ]
    async with services.db.held() as connection:
        # Each is made at once from all rows, which is quicker than row by row.
        indexes = await connection.fetch(INDEXES)
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        await connection.copy_records_to_table(
            "feed_items", records=rows, columns=columns, timeout=200
        )
        for index in indexes:
            await connection.execute(index["text"], timeout=200)
        await connection.execute(COUNT_WORDS, timeout=120)
        await connection.execute("ANALYZE", timeout=120)


def telling_of(words: list[str]) -> Telling:
    """What the reading of a headline and its summary comes to, for words that are all rare."""
    headline, text = frozenset(map(stem, words[:7])), frozenset(map(stem, words))
    return Telling(headline, text, text, frozenset(), "", Numbers(), Numbers(), "en", "")


async def cost(services: Services) -> float:
    """The time of one assignment over that of one trigram query for the same headline, medians of turns."""
    async with services.db.held() as connection:
        rows = await connection.fetch(
            "SELECT title, summary_html FROM feed_items TABLESAMPLE SYSTEM (5) LIMIT $1", ASKED + 5
        )
    ours, raw = [], []
    for place, row in enumerate(rows):
        entry = entry_of(
            shuffled(row["title"]), row["summary_html"], NOW - timedelta(hours=30), f"new:{place}"
        )
        ours.append(await assigning(services, entry))
        raw.append(await asking(services, entry.title))
    one, other = statistics.median(ours[5:]), statistics.median(raw[5:])
    print(
        f"one assignment {one * 1e3:.2f} ms, one `title % $1` {other * 1e3:.2f} ms: {one / other:.3f}"
    )
    return round(one / other, 3)


def shuffled(title: str) -> str:
    """A headline that tells the same in another order."""
    words: Sequence[str] = title.split()
    return " ".join(random.Random(len(title)).sample(words, len(words)))


async def assigning(services: Services, entry: FeedEntry) -> float:
    """Seconds of one assignment, the lock and all candidates included."""
    async with services.tx() as tx:
        begin = time.perf_counter()
        await story_assignment.assigned(tx, Source(FEEDS, "listed"), [entry])
        return time.perf_counter() - begin


async def asking(services: Services, title: str) -> float:
    """Seconds of one query for titles that are alike."""
    connection: Any
    async with services.db.held() as connection:
        assert isinstance(connection, asyncpg.Connection)
        begin = time.perf_counter()
        await connection.fetch(LIKE_TITLE, title)
        return time.perf_counter() - begin


if __name__ == "__main__":
    asyncio.run(main())
