"""A newsroom to measure: half a million items of 150 feeds, and members who read them in different ways."""

import asyncpg

from app.domain.platform.readers import Reader

# Uneven papers: the loudest brings some fifty times what the quietest does.
FEEDS = """
INSERT INTO feeds (url, url_key, visibility, title, default_on, last_ok_at, next_fetch_at)
SELECT 'https://p' || n || '.example/feed', sha256(n::text::bytea), 'listed', 'Paper ' || n, n <= 10, now(), NULL
FROM generate_series(1, $1::int) AS n
"""
STORIES = (
    "INSERT INTO stories (first_at, last_at) SELECT now(), now() FROM generate_series(1, $1::int)"
)
# Spread over 88 days; every fourth tells what the one before it told. One in a hundred was found up to ten days late, the others within half an hour.
ITEMS = """
INSERT INTO feed_items (feed_id, guid_hash, url, title, summary_html, body_text, published_at, fetched_at, content_hash,
                        story_id, words)
SELECT feed_id, int8send(n), 'https://p.example/' || n, told, 'Two sentences stand here. They say what happened in ' || told || '.',
       'harbour goats', at, least(now(), at + CASE WHEN n % 100 = 7 THEN late * interval '10 days' ELSE late * interval '30 minutes' END),
       '\\x00', n - (n % 4 = 3)::int, lower(told)
FROM (
    SELECT n, 1 + floor($2 * power(random(), 2))::int AS feed_id, now() - n * interval '88 days' / $1 AS at, random() AS late,
           'Story word' || floor(400 * random()) || ' term' || floor(400 * random()) || ' of the harbour and its goats number ' || n AS told
    FROM generate_series(1, $1::int) AS n
) AS made
"""
TAGS = "INSERT INTO tags (slug, name, sort) SELECT 'tag' || n, 'Tag ' || n, n FROM generate_series(1, 16) AS n ON CONFLICT DO NOTHING"
# The first tags are on many items, the sixteenth on one in three hundred.
ITEM_TAGS = """
INSERT INTO item_tags (item_id, tag_id, origin)
SELECT i.id, t.id, 'rules' FROM (SELECT id, 1 + floor(16 * power(random(), 2))::int AS place FROM feed_items) AS i
JOIN (SELECT id, row_number() OVER (ORDER BY sort DESC, id DESC) AS place FROM tags) AS t USING (place)
"""
# Indexes that are made faster at the end than row by row.
LATE = {
    "feed_items_search": "CREATE INDEX feed_items_search ON feed_items USING gin (search)",
    "feed_items_typos": "CREATE INDEX feed_items_typos ON feed_items USING gin (title gin_trgm_ops)",
}


async def fill(connection: asyncpg.Connection, items: int, feeds: int) -> None:
    """An empty database becomes a newsroom."""
    await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '256MB'")
    await connection.execute("SELECT setseed(0.42)")
    await connection.execute(FEEDS, feeds)
    await connection.execute(STORIES, items)
    for name in LATE:
        await connection.execute(f"DROP INDEX {name}")
    await connection.execute(ITEMS, items, feeds, timeout=300)
    for statement in (*LATE.values(), TAGS, ITEM_TAGS):
        await connection.execute(statement, timeout=300)
    await connection.execute("VACUUM ANALYZE")


MEMBER = (
    "INSERT INTO users (kind, email, email_verified_at) VALUES ('member', $1, now()) RETURNING id"
)
# Every tenth paper is read for its latest few only, every fiftieth is quiet; folders hold fifteen.
SUBSCRIBE = """
INSERT INTO feed_subscriptions (user_id, feed_id, folder, latest_n, muted_until)
SELECT $1, id, 'Folder ' || id % 10, CASE WHEN id % 10 = 3 THEN 20 END,
       CASE WHEN id % 50 = 25 THEN now() + interval '1 day' END
FROM feeds
"""
# 45 words that are muted everywhere, 3 in one paper, 2 tags: together they leave out about one item in five.
FILTERS = """
INSERT INTO news_filters (user_id, kind, value, pattern, feed_id)
SELECT $1::bigint, 'mute_word', 'word' || n, 'word' || n, NULL::bigint FROM generate_series(1, 45) AS n
UNION ALL SELECT $1, 'mute_word', 'term' || n, 'term' || n, n FROM generate_series(1, 3) AS n
UNION ALL SELECT $1, 'mute_tag', 'tag' || n, 'tag' || n, NULL FROM generate_series(1, 2) AS n
"""
# Read now and then over all of the time, and much of the last days; some hidden, some saved.
MARKS = """
INSERT INTO item_states (user_id, item_id, read_at, hidden_at, saved_at)
SELECT $1, id, CASE WHEN id % 10 > 1 THEN now() END, CASE WHEN id % 10 = 0 THEN now() END, CASE WHEN id % 10 = 1 THEN now() END
FROM (
    SELECT id FROM feed_items WHERE id <= 12000 AND hashint8(id) % 2 = 0
    UNION SELECT id FROM feed_items WHERE hashint8(id) % 30 = 0
    ORDER BY id LIMIT $2
) AS chosen
"""
# Read one by one, all of the newest: nothing but the marks says what is left.
NEWEST = """
INSERT INTO item_states (user_id, item_id, read_at)
SELECT $1, id, now() FROM feed_items ORDER BY published_at DESC, id DESC LIMIT $2
"""
CAUGHT_UP = "INSERT INTO news_watermarks (user_id, feed_id, read_before) VALUES ($1, 0, now() - $2::text::interval)"


async def member(
    connection: asyncpg.Connection, name: str, marks: str, caught_up: str | None = None
) -> Reader:
    """A member who reads all feeds through 50 filters, with 20,000 marks; with `caught_up`, all was read so long ago."""
    user_id: int = await connection.fetchval(MEMBER, f"{name}@example.org")
    await connection.execute(SUBSCRIBE, user_id)
    await connection.execute(FILTERS, user_id)
    await connection.execute(marks, user_id, 20_000)
    if caught_up is not None:
        await connection.execute(CAUGHT_UP, user_id, caught_up)
    return Reader(id=user_id, kind="member", email=f"{name}@example.org")
