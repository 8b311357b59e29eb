"""Walks through the news: which items of a reader's feeds come next, before their words and marks are looked at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from app.domain.homepage import feeds, news_filters, news_folding, subscriptions
from app.domain.homepage.news_filters import Filter, Sieve
from app.domain.platform.readers import Reader
from app.services import Services


class Step(NamedTuple):
    """What one list wants next: `span` items older than the place (`at`, `item_id`), the newest first."""

    feed: int | None
    folder: str | None
    tag: str | None
    words: str | None
    unread: bool
    span: int
    at: datetime | None
    item_id: int


# Lists as rows.
ASKED = """asked AS (
    SELECT n::int, feed_id, folder, tag, words, unread, span, coalesce(at, 'infinity') AS at, id
    FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::int[], $9::timestamptz[], $10::bigint[])
        WITH ORDINALITY AS list (feed_id, folder, tag, words, unread, span, at, id, n)
    -- All of them; said so that the planner expects few lists and keeps its plan, whose making costs more than the walk.
    LIMIT cardinality($8::int[])
)"""
# The feeds that are not quiet. latest_n becomes the place where a feed's newest n end, so that no list need count.
MINE = f"""
WITH {ASKED}, mine AS MATERIALIZED (
    SELECT r.feed_id, r.folder, cut.at AS cut_at, cut.id AS cut_id,
           greatest(everything.read_before, this.read_before) AS read_before
    FROM ({subscriptions.READING}) AS r
    LEFT JOIN news_watermarks everything ON everything.user_id = $1 AND everything.feed_id = 0
    LEFT JOIN news_watermarks this ON this.user_id = $1 AND this.feed_id = r.feed_id
    LEFT JOIN LATERAL (
        SELECT published_at AS at, id FROM feed_items WHERE feed_id = r.feed_id AND r.latest_n IS NOT NULL
        ORDER BY published_at DESC, id DESC OFFSET r.latest_n - 1 LIMIT 1
    ) AS cut ON true
    WHERE (r.muted_until IS NULL OR r.muted_until < now())
        -- Only what some list asks for: the newest few of the other feeds need not be counted.
        AND EXISTS (SELECT FROM asked
            WHERE (asked.feed_id IS NULL OR r.feed_id = asked.feed_id) AND (asked.folder IS NULL OR r.folder = asked.folder))
)
"""  # noqa: S608 - joined from the literals above
IN_LIST = """
(asked.feed_id IS NULL OR mine.feed_id = asked.feed_id) AND (asked.folder IS NULL OR mine.folder = asked.folder)
"""
NOT_CUT = "(mine.cut_at IS NULL OR (i.published_at, i.id) >= (mine.cut_at, mine.cut_id))"

# Who reads much of what comes finds a span among the newest of all feeds, without a look at each of their own. What was
# published before all was read is left to the other walks. Feeds are looked up item by item, since few items are passed.
NEAREST = f"""nearest AS MATERIALIZED (
    SELECT asked.n, asked.span, item.* FROM asked CROSS JOIN LATERAL (
        SELECT i.id, i.published_at, greatest(everything.read_before, this.read_before) AS read_before
        FROM (
            SELECT i.id, i.feed_id, i.published_at, i.fetched_at FROM feed_items i
            WHERE (i.published_at, i.id) < (asked.at, asked.id) AND i.published_at >= coalesce((
                SELECT w.read_before FROM news_watermarks w WHERE w.user_id = $1 AND w.feed_id = 0 AND asked.unread), '-infinity')
            ORDER BY i.published_at DESC, i.id DESC LIMIT 2 * asked.span
        ) AS i JOIN feeds f ON f.id = i.feed_id
        LEFT JOIN feed_subscriptions mine ON mine.user_id = $1 AND mine.feed_id = i.feed_id
        LEFT JOIN news_watermarks everything ON everything.user_id = $1 AND everything.feed_id = 0
        LEFT JOIN news_watermarks this ON this.user_id = $1 AND this.feed_id = i.feed_id
        WHERE (f.owner_id IS NULL OR f.owner_id = $1) AND {news_folding.IS_MINE.replace("$13", "$2")}
            AND (NOT asked.unread OR i.fetched_at > coalesce(greatest(everything.read_before, this.read_before), '-infinity')
                OR EXISTS (SELECT FROM item_states st WHERE st.user_id = $1 AND st.item_id = i.id AND st.unread_at IS NOT NULL))
        ORDER BY published_at DESC, id DESC LIMIT asked.span
    ) AS item
    -- A wider span would be looked for here half in vain.
    WHERE asked.feed_id IS NULL AND asked.folder IS NULL AND asked.span <= 1000
)"""  # noqa: S608 - joined from the literals above

# The newest of many feeds without a look at each item. First only the `per`-th next item of every feed: of the feeds
# where it is newest, `need` hold a whole span between them, so nothing older than the last of those is wanted.
# Where read news is left out, a feed is walked down to where it was read, and an hour further for what was published
# before that and fetched after.
FAR = f"""{MINE}, {NEAREST}, lists AS MATERIALIZED (
    SELECT asked.n, asked.feed_id, asked.folder, asked.unread, asked.span, asked.at, asked.id, per,
           ceil(1.0 * asked.span / per)::int AS need
    FROM asked CROSS JOIN LATERAL (
        SELECT ceil(2.0 * asked.span / greatest(count(*), 1))::int AS per FROM mine WHERE {IN_LIST}
    ) AS counted
    WHERE (SELECT count(*) FROM nearest WHERE nearest.n = asked.n) < asked.span
), far AS MATERIALIZED (
    SELECT asked.n, asked.span, asked.at, asked.id, asked.per, mine.feed_id, mine.read_before, mine.cut_at, mine.cut_id,
           bound.since, bound.floor, i.published_at AS far_at
    FROM lists asked JOIN mine ON {IN_LIST}
    CROSS JOIN LATERAL (
        SELECT coalesce(CASE WHEN asked.unread THEN mine.read_before END, '-infinity') AS since,
               coalesce(greatest(mine.cut_at, CASE WHEN asked.unread THEN mine.read_before - interval '1 hour' END),
                        '-infinity') AS floor
    ) AS bound
    LEFT JOIN LATERAL (
        SELECT i.published_at FROM feed_items i
        WHERE i.feed_id = mine.feed_id AND i.published_at >= bound.floor AND i.fetched_at > bound.since
            AND (i.published_at, i.id) < (asked.at, asked.id)
        ORDER BY i.published_at DESC, i.id DESC OFFSET asked.per - 1 LIMIT 1
    ) AS i ON true
), edges AS MATERIALIZED (
    SELECT lists.n, lists.span, coalesce(far.edge, '-infinity') AS edge
    FROM lists LEFT JOIN LATERAL (
        SELECT far.far_at AS edge FROM far WHERE far.n = lists.n
        ORDER BY far.far_at DESC NULLS LAST OFFSET lists.need - 1 LIMIT 1
    ) AS far ON true
)
"""  # noqa: S608 - joined from the literals above
NEAR = f"""
    SELECT i.id, i.published_at, mine.read_before
    FROM far mine CROSS JOIN LATERAL (
        SELECT i.id, i.published_at FROM feed_items i
        WHERE i.feed_id = mine.feed_id AND i.published_at >= greatest(mine.floor, asked.edge) AND i.fetched_at > mine.since
            AND (i.published_at, i.id) < (mine.at, mine.id)
        ORDER BY i.published_at DESC, i.id DESC LIMIT mine.span
    ) AS i
    -- A feed whose very next item is older than the edge has nothing to bring.
    WHERE mine.n = asked.n AND (mine.per > 1 OR mine.far_at >= asked.edge) AND {NOT_CUT}
"""  # noqa: S608 - joined from the literals above
# What came later than that hour has an index of its own; what was lifted over a watermark is little.
LATE = f"""
    SELECT i.id, i.published_at, mine.read_before
    FROM far mine CROSS JOIN LATERAL (
        SELECT i.id, i.published_at FROM feed_items i
        WHERE i.feed_id = mine.feed_id AND i.fetched_at > mine.since AND i.fetched_at - i.published_at > interval '1 hour'
            -- Asked of the list alone, so that no index is opened before the walk has come as far as that.
            AND asked.edge < mine.floor
        OFFSET 0
    ) AS i
    WHERE mine.n = asked.n AND mine.since > '-infinity' AND i.published_at < mine.floor
        AND i.published_at >= asked.edge AND (i.published_at, i.id) < (mine.at, mine.id) AND {NOT_CUT}
    UNION ALL
    SELECT i.id, i.published_at, mine.read_before
    FROM item_states st JOIN feed_items i ON i.id = st.item_id JOIN far mine ON mine.feed_id = i.feed_id
    WHERE st.user_id = $1 AND st.unread_at IS NOT NULL AND mine.n = asked.n AND i.fetched_at <= mine.since
        AND i.published_at >= asked.edge AND (i.published_at, i.id) < (mine.at, mine.id) AND {NOT_CUT}
"""  # noqa: S608 - joined from the literals above
COLUMNS = """
SELECT asked.n, item.id, item.published_at, item.read_before, NULL::jsonb AS filters
"""
NEXT = """
    ORDER BY published_at DESC, id DESC LIMIT asked.span
) AS item
"""
# The reader's filters come along as list 0: asked for by themselves they would cost as much as a walk.
IN_ORDER = f"""UNION ALL SELECT 0, NULL, NULL, NULL, {news_filters.AS_ONE}
ORDER BY n, published_at DESC, id DESC
"""
FOUND = f"""{NEXT}UNION ALL
SELECT n, id, published_at, read_before, NULL FROM nearest WHERE n NOT IN (SELECT n FROM lists)
{IN_ORDER}"""  # noqa: S608 - joined from the literals above
NEWEST = f"{FAR}{COLUMNS} FROM edges asked CROSS JOIN LATERAL ({NEAR}{FOUND}"
# With the two ways to be unread among what is read; only lists that leave read news out have to look there.
UNREAD = f"{FAR}{COLUMNS} FROM edges asked CROSS JOIN LATERAL ({NEAR} UNION ALL {LATE}{FOUND}"

# What is rare among the newest is looked for by itself: all items with a tag, all with some words.
RARE = f"""{MINE}{COLUMNS} FROM asked CROSS JOIN LATERAL (
    SELECT i.id, i.published_at, mine.read_before
    FROM (
        SELECT i.id, i.feed_id, i.published_at FROM item_tags it JOIN feed_items i ON i.id = it.item_id
        WHERE it.tag_id = (SELECT id FROM tags WHERE slug = asked.tag) AND asked.words IS NULL
        UNION ALL
        -- What the reader says has the tag, and nobody else did.
        SELECT i.id, i.feed_id, i.published_at FROM tag_verdicts v JOIN feed_items i ON i.id = v.item_id
        WHERE v.user_id = $1 AND v.verdict = 'missing' AND asked.words IS NULL
            AND v.tag_id = (SELECT id FROM tags WHERE slug = asked.tag)
            AND NOT EXISTS (SELECT FROM item_tags it WHERE it.item_id = v.item_id AND it.tag_id = v.tag_id)
        UNION ALL
        SELECT i.id, i.feed_id, i.published_at FROM feed_items i
        WHERE i.search @@ websearch_to_tsquery('english', asked.words)
    ) AS i JOIN mine ON mine.feed_id = i.feed_id
    WHERE {IN_LIST} AND (i.published_at, i.id) < (asked.at, asked.id) AND {NOT_CUT}
{NEXT}{IN_ORDER}"""  # noqa: S608 - joined from the literals above


async def next_items(
    services: Services, who: Reader | None, steps: Sequence[Step], *, rare: bool
) -> tuple[list[list[Any]], Sieve]:
    """The next items of some lists, each in its order; fewer than its span mean that a list ends there. And the filters."""
    columns = [list(column) for column in zip(*steps, strict=True)]
    statement = RARE if rare else UNREAD if any(step.unread for step in steps) else NEWEST
    filters: list[Filter] = []
    found: list[list[Any]] = [[] for _ in steps]
    for row in await services.db.fetch(statement, *feeds.asker(who), *columns):
        if row["n"]:
            found[row["n"] - 1].append(row)
        else:
            filters = [Filter(**one) for one in row["filters"]]
    return found, news_filters.sieve_of(filters)
