"""The rows of news lists: whose feeds, what passes, and the two ways to find the newest of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage.news_filters import Sieve
from app.domain.platform.readers import Reader
from app.services import Services

LATERAL_UP_TO = 40


class NewsQuery(msgspec.Struct):
    """What of the news is asked for."""

    order: Literal["latest"] = "latest"
    tag: Annotated[str, Meta(max_length=40)] | None = None
    feed: int | None = None
    folder: Annotated[str, Meta(max_length=80)] | None = None
    q: Annotated[str, Meta(max_length=200)] | None = None
    unread: bool | None = None
    cursor: Annotated[str, Meta(max_length=40)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


# Whose feeds: what they subscribe to, and for a visitor the defaults that they did not remove. latest_n becomes
# the place where a feed's newest n end, so that the list itself need not count.
# $1 reader, $2 whether a member.
MINE = """
WITH mine AS (
    SELECT f.id AS feed_id, s.folder, coalesce(s.title, f.title) AS source, f.last_ok_at, cut.at AS cut_at, cut.id AS cut_id,
           greatest(everything.read_before, this.read_before) AS read_before
    FROM feeds f
    LEFT JOIN feed_subscriptions s ON s.feed_id = f.id AND s.user_id = $1
    LEFT JOIN news_watermarks everything ON everything.user_id = $1 AND everything.feed_id = 0
    LEFT JOIN news_watermarks this ON this.user_id = $1 AND this.feed_id = f.id
    LEFT JOIN LATERAL (
        SELECT published_at AS at, id FROM feed_items WHERE feed_id = f.id AND s.latest_n IS NOT NULL
        ORDER BY published_at DESC, id DESC OFFSET s.latest_n - 1 LIMIT 1
    ) AS cut ON true
    WHERE s.unsubscribed_at IS NULL AND (s.muted_until IS NULL OR s.muted_until < now())
        AND (s.user_id IS NOT NULL OR (NOT $2 AND f.default_on AND f.visibility = 'listed'))
)
"""
# What an item must be to be shown. $3 muted words, $4 only words, $5 muted tags, $6 muted words by feed, $7 search,
# $8 and $9 the cursor; what is asked for stands in `asked`.
PASSES = """
    ($8::timestamptz IS NULL OR (i.published_at, i.id) < ($8, $9))
    AND (mine.cut_at IS NULL OR (i.published_at, i.id) >= (mine.cut_at, mine.cut_id))
    AND ($3::text IS NULL OR i.words !~ $3) AND ($4::text IS NULL OR i.words ~ $4)
    AND ($6::jsonb IS NULL OR NOT $6 ? i.feed_id::text OR i.words !~ ($6 ->> i.feed_id::text))
    AND (cardinality($5::text[]) = 0 OR NOT EXISTS (
        SELECT FROM item_tags it JOIN tags t ON t.id = it.tag_id WHERE it.item_id = i.id AND t.slug = ANY($5)))
    AND (asked.tag::text IS NULL OR EXISTS (
        SELECT FROM item_tags it JOIN tags t ON t.id = it.tag_id WHERE it.item_id = i.id AND t.slug = asked.tag))
    AND ($7::text IS NULL OR i.search @@ websearch_to_tsquery('english', $7))
    AND st.hidden_at IS NULL
    AND (NOT asked.unread OR NOT (st.read_at IS NOT NULL
        OR (st.unread_at IS NULL AND mine.read_before IS NOT NULL AND i.fetched_at <= mine.read_before)))
"""
SHOWN = """
SELECT picked.n, i.id AS item_id, i.story_id AS id, i.title, i.url, i.feed_id, i.summary_html, i.author, i.published_at,
       i.fetched_at, i.image_key, i.language, picked.source, picked.last_ok_at,
       picked.read_at IS NOT NULL OR (picked.unread_at IS NULL AND picked.read_before IS NOT NULL
           AND i.fetched_at <= picked.read_before) AS read,
       picked.saved_at IS NOT NULL AS saved,
       array(SELECT t.slug || '=' || t.name FROM item_tags it JOIN tags t ON t.id = it.tag_id
             WHERE it.item_id = i.id ORDER BY t.sort) AS tags
FROM picked JOIN feed_items i ON i.id = picked.id
ORDER BY picked.n, picked.published_at DESC, picked.id DESC
"""
COLUMNS = "i.id, i.published_at, mine.source, mine.last_ok_at, mine.read_before, st.read_at, st.unread_at, st.saved_at"

# What is asked for, one row a list. $10 feeds, $11 folders, $12 tags, $13 hide read, $14 how many.
ASKED = """
asked AS (
    SELECT * FROM unnest($10::bigint[], $11::text[], $12::text[], $13::boolean[], $14::integer[])
        WITH ORDINALITY AS list (feed_id, folder, tag, unread, most, n)
)
"""

# With many feeds the newest items of all are nearly all the reader's: walk them. For one list that is not narrowed.
ACROSS = f"""{MINE}, {ASKED}, picked AS (
    SELECT asked.n, item.* FROM asked CROSS JOIN LATERAL (
        SELECT {COLUMNS}
        FROM feed_items i JOIN mine ON mine.feed_id = i.feed_id
        LEFT JOIN item_states st ON st.user_id = $1 AND st.item_id = i.id
        WHERE {PASSES} ORDER BY i.published_at DESC, i.id DESC LIMIT asked.most
    ) AS item
)
{SHOWN}"""  # noqa: S608 - joined from the literals above
# With few, take the newest of each feed and put them in order.
EACH = f"""{MINE}, {ASKED}, picked AS (
    SELECT asked.n, newest.* FROM asked CROSS JOIN LATERAL (
        SELECT item.* FROM mine CROSS JOIN LATERAL (
            SELECT {COLUMNS}
            FROM feed_items i LEFT JOIN item_states st ON st.user_id = $1 AND st.item_id = i.id
            WHERE i.feed_id = mine.feed_id AND {PASSES} ORDER BY i.published_at DESC, i.id DESC LIMIT asked.most
        ) AS item
        WHERE (asked.feed_id IS NULL OR mine.feed_id = asked.feed_id)
            AND (asked.folder IS NULL OR mine.folder = asked.folder)
        ORDER BY item.published_at DESC, item.id DESC LIMIT asked.most
    ) AS newest
)
{SHOWN}"""  # noqa: S608 - joined from the literals above

MANY = """
SELECT count(*) > $2 FROM (
    SELECT FROM feed_subscriptions WHERE user_id = $1 AND unsubscribed_at IS NULL LIMIT $2 + 1
) AS mine
"""


async def of_page(
    services: Services,
    who: Reader | None,
    asked: NewsQuery,
    sieve: Sieve,
    after: tuple[datetime | None, int],
) -> list[Any]:
    """The rows of one page and one more, by the way that suits the number of feeds."""
    is_member = who is not None and who.is_member
    many = (
        is_wide(asked)
        and is_member
        and await services.db.fetchval(MANY, who.id if who else 0, LATERAL_UP_TO)
    )
    return await rows(services, who, [asked], sieve, ACROSS if many else EACH, asked.q, after)


async def of_lists(
    services: Services, who: Reader | None, asked: Sequence[NewsQuery], sieve: Sieve, feeds: int
) -> list[list[Any]]:
    """The rows of several lists of a reader who has so many feeds: at most one statement a way."""
    found: list[list[Any]] = [[] for _ in asked]
    wide = [n for n, query in enumerate(asked) if is_wide(query) and feeds > LATERAL_UP_TO]
    narrow = [n for n in range(len(asked)) if n not in wide]
    for places, statement in ((wide, ACROSS), (narrow, EACH)):
        if places:
            for row in await rows(services, who, [asked[n] for n in places], sieve, statement):
                found[places[row["n"] - 1]].append(row)
    return [list_rows[: query.limit] for list_rows, query in zip(found, asked, strict=True)]


def is_wide(asked: NewsQuery) -> bool:
    """Whether a list is of all the reader's feeds."""
    return asked.feed is None and asked.folder is None


async def rows(
    services: Services,
    who: Reader | None,
    asked: Sequence[NewsQuery],
    sieve: Sieve,
    statement: str,
    words: str | None = None,
    after: tuple[datetime | None, int] = (None, 0),
) -> list[Any]:
    """The rows of some lists, each with the number `n` of its list."""
    return await services.db.fetch(
        statement,
        who.id if who else 0,
        who is not None and who.is_member,
        sieve.mute,
        sieve.only,
        sieve.tags,
        {str(feed_id): found for feed_id, found in sieve.by_feed.items()} or None,
        words,
        *after,
        [query.feed for query in asked],
        [query.folder for query in asked],
        [query.tag for query in asked],
        [hides_read(who) if query.unread is None else query.unread for query in asked],
        [query.limit + 1 for query in asked],
    )


def hides_read(who: Reader | None) -> bool:
    """Whether the reader's preferences leave read news out."""
    return bool(who and who.preferences.get("news", {}).get("hide_read"))
