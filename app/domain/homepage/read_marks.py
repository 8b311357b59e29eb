"""Read marks: "all of this is read" for a whole view — all feeds, one, a folder, a tag, a search — and the way back."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from app.domain.homepage import feeds, news_rows, subscriptions, versions
from app.domain.homepage.news_rows import NewsQuery
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

# A mark on a tag or a search is written item by item; more than these wait for the next press.
MOST_ITEMS = 1_000


class ReadMark(msgspec.Struct, forbid_unknown_fields=True):
    """Everything that had arrived by `before` is read: of all feeds, or of the view that is named."""

    before: Annotated[datetime, Meta(tz=True)]
    feed: Annotated[int, Meta(ge=1)] | None = None
    folder: Annotated[str, Meta(max_length=80)] | None = None
    tag: Annotated[str, Meta(max_length=40)] | None = None
    q: Annotated[str, Meta(max_length=200)] | None = None


class Marked(msgspec.Struct):
    """What a mark wrote. `before` names it: said twice it is one mark, and an undo takes back what it wrote."""

    before: datetime
    previous: datetime | None
    items: int


WHEN = "SELECT least($1::timestamptz, now())"


async def mark(services: Services, who: Reader, new: ReadMark) -> Marked:
    """Mark a view as read. Raises NotFound for a feed or folder that the person does not read."""
    async with services.tx() as tx:
        before: datetime = await tx.db.fetchval(WHEN, new.before)
        if new.tag or new.q:
            marked = Marked(before, None, await mark_items(tx, who, new, before))
        else:
            marked = await mark_feeds(tx, who, await feeds_of(tx, who, new), before)
        await versions.bump(tx, who.id, "news")
        return marked


FEEDS = f"""
SELECT array_agg(feed_id) FROM ({subscriptions.READING}) AS mine
WHERE ($3::bigint IS NULL OR feed_id = $3) AND ($4::text IS NULL OR folder = $4)
"""  # noqa: S608 - joined from the literals above


async def feeds_of(tx: Services, who: Reader, new: ReadMark) -> list[int]:
    """The feeds whose watermarks a mark moves: 0 for all of them. Raises NotFound."""
    if new.feed is None and new.folder is None:
        return [0]
    found: list[int] | None = await tx.db.fetchval(FEEDS, *feeds.asker(who), new.feed, new.folder)
    if not found:
        raise NotFound("You do not read this feed." if new.feed else "You have no such folder.")
    return found


# A mark never goes back, and one that is said again changes nothing: what an undo returns to stays known.
WATERMARKS = """
INSERT INTO news_watermarks (user_id, feed_id, read_before)
SELECT $1, feed_id, $3 FROM unnest($2::bigint[]) AS feed_id ORDER BY feed_id
ON CONFLICT (user_id, feed_id) DO UPDATE
SET previous = news_watermarks.read_before, read_before = greatest(news_watermarks.read_before, EXCLUDED.read_before)
WHERE news_watermarks.read_before < EXCLUDED.read_before
"""
# What was lifted over an earlier mark is part of the view too.
LIFTED = """
UPDATE item_states st SET read_at = $3, unread_at = NULL FROM feed_items i
WHERE st.user_id = $1 AND st.unread_at IS NOT NULL AND i.id = st.item_id AND i.fetched_at <= $3
    AND (0 = ANY($2::bigint[]) OR i.feed_id = ANY($2))
"""
PREVIOUS = """
SELECT max(previous) FROM news_watermarks WHERE user_id = $1 AND feed_id = ANY($2::bigint[]) AND read_before = $3
"""


async def mark_feeds(tx: Services, who: Reader, ids: list[int], before: datetime) -> Marked:
    """Move the watermarks of some feeds."""
    await tx.db.execute(WATERMARKS, who.id, ids, before)
    lifted = await tx.db.execute(LIFTED, who.id, ids, before)
    previous = await tx.db.fetchval(PREVIOUS, who.id, ids, before)
    return Marked(before, previous, int(lifted.rpartition(" ")[2]))


ITEMS = """
INSERT INTO item_states (user_id, item_id, read_at) SELECT $1, item_id, $3 FROM unnest($2::bigint[]) AS item_id ORDER BY item_id
ON CONFLICT (user_id, item_id) DO UPDATE SET read_at = EXCLUDED.read_at, unread_at = NULL
WHERE item_states.read_at IS NULL
"""


async def mark_items(tx: Services, who: Reader, new: ReadMark, before: datetime) -> int:
    """Mark the newest unread items that a narrowed view shows, one by one; answer how many."""
    asked = NewsQuery(tag=new.tag, feed=new.feed, folder=new.folder, q=new.q, unread=True)
    found = news_rows.begun(who, asked, MOST_ITEMS, (None, 0))
    await news_rows.fill(tx, who, [found])
    ids = [row["item_id"] for row in found.rows if row["fetched_at"] <= before]
    written = await tx.db.execute(ITEMS, who.id, ids, before)
    return int(written.rpartition(" ")[2])


# By its time alone a mark is known: all that it wrote bears it. Without a previous watermark there was none. What an
# undo returned to keeps itself as its previous: what was before that is not known any more, so no second undo goes there.
FIRST = "DELETE FROM news_watermarks WHERE user_id = $1 AND read_before = $2 AND previous IS NULL"
BACK = """
UPDATE news_watermarks SET read_before = previous
WHERE user_id = $1 AND read_before = $2 AND previous IS NOT NULL
"""
UNREAD = (
    "UPDATE item_states SET read_at = NULL, unread_at = now() WHERE user_id = $1 AND read_at = $2"
)


async def undo(services: Services, who: Reader, before: datetime) -> None:
    """Take a mark back, as far as nothing was marked since; said twice it is the same wish."""
    async with services.tx() as tx:
        await tx.db.execute(FIRST, who.id, before)
        await tx.db.execute(BACK, who.id, before)
        await tx.db.execute(UNREAD, who.id, before)
        await versions.bump(tx, who.id, "news")
