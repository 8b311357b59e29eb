"""The news list: what one person's feeds brought, without what they have put aside (chapter 20 rules 30–36)."""

import base64
import struct
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import news_filters
from app.domain.homepage.news_filters import Sieve
from app.domain.platform.readers import Reader
from app.domain.profiles import clicks
from app.errors import Invalid
from app.services import Services

LATERAL_UP_TO = 40


class Tag(msgspec.Struct):
    """One word of the closed list on an item."""

    slug: str
    name: str


class Story(msgspec.Struct):
    """One event, shown by its lead item as one reader sees it."""

    id: int
    item_id: int
    title: str
    href: str
    host: str
    source: str
    feed_id: int
    summary_html: str
    author: str
    published_at: datetime
    image: str | None
    tags: list[Tag]
    read: bool
    saved: bool
    language: str | None = None
    also_in: int = 0


class NewsPage(msgspec.Struct):
    """One page of the list; `next` leads on."""

    items: list[Story]
    next: str | None
    total: None = None
    as_of: datetime | None = None


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
# $1 reader, $2 whether a member, $3 feed, $4 folder.
MINE = """
WITH mine AS (
    SELECT f.id AS feed_id, coalesce(s.title, f.title) AS source, f.last_ok_at, cut.at AS cut_at, cut.id AS cut_id,
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
        AND ($3::bigint IS NULL OR f.id = $3) AND ($4::text IS NULL OR s.folder = $4)
)
"""
# What an item must be to be shown. $5 muted words, $6 only words, $7 muted tags, $8 hide read, $9 tag,
# $10 search, $11 and $12 the cursor, $13 the limit, $14 muted words by feed.
PASSES = """
    ($11::timestamptz IS NULL OR (i.published_at, i.id) < ($11, $12))
    AND (mine.cut_at IS NULL OR (i.published_at, i.id) >= (mine.cut_at, mine.cut_id))
    AND ($5::text IS NULL OR i.words !~ $5) AND ($6::text IS NULL OR i.words ~ $6)
    AND ($14::jsonb IS NULL OR NOT $14 ? i.feed_id::text OR i.words !~ ($14 ->> i.feed_id::text))
    AND (cardinality($7::text[]) = 0 OR NOT EXISTS (
        SELECT FROM item_tags it JOIN tags t ON t.id = it.tag_id WHERE it.item_id = i.id AND t.slug = ANY($7)))
    AND ($9::text IS NULL OR EXISTS (
        SELECT FROM item_tags it JOIN tags t ON t.id = it.tag_id WHERE it.item_id = i.id AND t.slug = $9))
    AND ($10::text IS NULL OR i.search @@ websearch_to_tsquery('english', $10))
    AND st.hidden_at IS NULL
    AND (NOT $8 OR NOT (st.read_at IS NOT NULL
        OR (st.unread_at IS NULL AND mine.read_before IS NOT NULL AND i.fetched_at <= mine.read_before)))
"""
SHOWN = """
SELECT i.id AS item_id, i.story_id AS id, i.title, i.url, i.feed_id, i.summary_html, i.author, i.published_at,
       i.fetched_at, i.image_key, i.language, picked.source, picked.last_ok_at,
       picked.read_at IS NOT NULL OR (picked.unread_at IS NULL AND picked.read_before IS NOT NULL
           AND i.fetched_at <= picked.read_before) AS read,
       picked.saved_at IS NOT NULL AS saved,
       array(SELECT t.slug || '=' || t.name FROM item_tags it JOIN tags t ON t.id = it.tag_id
             WHERE it.item_id = i.id ORDER BY t.sort) AS tags
FROM picked JOIN feed_items i ON i.id = picked.id
ORDER BY picked.published_at DESC, picked.id DESC
"""
COLUMNS = "i.id, i.published_at, mine.source, mine.last_ok_at, mine.read_before, st.read_at, st.unread_at, st.saved_at"

# With many feeds the newest items of all are nearly all the reader's: walk them.
ACROSS = f"""{MINE}, picked AS (
    SELECT {COLUMNS}
    FROM feed_items i JOIN mine ON mine.feed_id = i.feed_id
    LEFT JOIN item_states st ON st.user_id = $1 AND st.item_id = i.id
    WHERE {PASSES} ORDER BY i.published_at DESC, i.id DESC LIMIT $13
)
{SHOWN}"""  # noqa: S608 - joined from the literals above
# With few, take the newest of each feed and put them in order.
EACH = f"""{MINE}, picked AS (
    SELECT item.* FROM mine CROSS JOIN LATERAL (
        SELECT {COLUMNS}
        FROM feed_items i LEFT JOIN item_states st ON st.user_id = $1 AND st.item_id = i.id
        WHERE i.feed_id = mine.feed_id AND {PASSES} ORDER BY i.published_at DESC, i.id DESC LIMIT $13
    ) AS item ORDER BY item.published_at DESC, item.id DESC LIMIT $13
)
{SHOWN}"""  # noqa: S608 - joined from the literals above

MANY = """
SELECT count(*) > $2 FROM (
    SELECT FROM feed_subscriptions WHERE user_id = $1 AND unsubscribed_at IS NULL LIMIT $2 + 1
) AS mine
"""


async def latest(
    services: Services, who: Reader | None, asked: NewsQuery, container: str = "page"
) -> NewsPage:
    """One page of the reader's news, newest first. Raises Invalid for a cursor that is not ours."""
    async with services.held() as held:
        sieve = news_filters.sieve_of((await news_filters.mine(held, who)).items)
        rows = await rows_of(held, who, asked, sieve)
    more = len(rows) > asked.limit
    shown = rows[: asked.limit]
    return NewsPage(
        [story(services, row, container, place) for place, row in enumerate(shown)],
        cursor_of(shown[-1]) if more else None,
        as_of=max((row["last_ok_at"] for row in shown if row["last_ok_at"]), default=None),
    )


async def rows_of(
    services: Services, who: Reader | None, asked: NewsQuery, sieve: Sieve
) -> list[Any]:
    """The rows of one page and one more, by the way that suits the number of feeds. Raises Invalid."""
    is_member = who is not None and who.is_member
    narrow = asked.feed is not None or asked.folder is not None
    many = (
        not narrow
        and is_member
        and await services.db.fetchval(MANY, who.id if who else 0, LATERAL_UP_TO)
    )
    at, item_id = cursor(asked.cursor)
    return await services.db.fetch(
        ACROSS if many else EACH,
        who.id if who else 0,
        is_member,
        asked.feed,
        asked.folder,
        sieve.mute,
        sieve.only,
        sieve.tags,
        hides_read(who) if asked.unread is None else asked.unread,
        asked.tag,
        asked.q,
        at,
        item_id,
        asked.limit + 1,
        {str(feed_id): found for feed_id, found in sieve.by_feed.items()} or None,
    )


def hides_read(who: Reader | None) -> bool:
    """Whether the reader's preferences leave read news out."""
    return bool(who and who.preferences.get("news", {}).get("hide_read"))


def story(services: Services, row: Any, container: str, place: int) -> Story:
    """One row as the reader sees it; the way out is a signed token, beside it stands the host."""
    token = clicks.token(services.settings, "item", row["item_id"], container, place)
    return Story(
        id=row["id"],
        item_id=row["item_id"],
        title=row["title"],
        href=f"/track/click?t={token}" if row["url"] else f"/news/stories/{row['id']}",
        host=host_of(row["url"]),
        source=row["source"],
        feed_id=row["feed_id"],
        summary_html=row["summary_html"],
        author=row["author"],
        published_at=row["published_at"],
        image=f"/media/news/{row['image_key']}?v=1" if row["image_key"] else None,
        tags=[Tag(*text.split("=", 1)) for text in row["tags"]],
        read=row["read"],
        saved=row["saved"],
        language=row["language"],
    )


def host_of(url: str | None) -> str:
    """The host a link leads to, without www."""
    if not url:
        return ""
    return url.split("//", 1)[-1].split("/", 1)[0].split("@")[-1].split(":")[0].removeprefix("www.")


CURSOR = struct.Struct(">qq")
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_of(row: Any) -> str:
    """Where a page ended: the time in microseconds and the item."""
    micros = (row["published_at"] - BEGINNING) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(CURSOR.pack(micros, row["item_id"])).rstrip(b"=").decode()


def cursor(text: str | None) -> tuple[datetime | None, int]:
    """The place a cursor names. Raises Invalid."""
    if not text:
        return None, 0
    try:
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
        micros, item_id = CURSOR.unpack(raw)
        return BEGINNING + timedelta(microseconds=micros), item_id
    except (ValueError, struct.error, OverflowError):
        raise Invalid(
            "This page of the list is not known. Start again from the top.", code="bad_cursor"
        ) from None
