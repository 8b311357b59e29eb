"""One story, one row: what else tells the events of some items, as this reader may see it (chapter 20 rules 31 to 36)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from app.domain.homepage import feeds
from app.domain.platform.readers import Reader
from app.services import Services

# One item and what tells its story beside it, as rows, itself first.
Told = list[Any]

# Parts of statements about items `i` of a reader $1; $13 says whether the default feeds are theirs without rows. The
# rows of few items are looked up one by one: all feeds of the reader (subscriptions.READING) would be read for them.
IS_READ = """
mine.unsubscribed_at IS NULL AND (mine.user_id IS NOT NULL
    OR ($13 AND f.default_on AND f.visibility = 'listed' AND f.state <> 'disabled'))
"""
JOINED = f"""
JOIN feeds f ON f.id = i.feed_id
LEFT JOIN feed_subscriptions mine ON mine.user_id = $1 AND mine.feed_id = i.feed_id
LEFT JOIN item_states st ON st.user_id = $1 AND st.item_id = i.id
LEFT JOIN news_watermarks everything ON everything.user_id = $1 AND everything.feed_id = 0
LEFT JOIN news_watermarks this ON this.user_id = $1 AND this.feed_id = i.feed_id
LEFT JOIN story_splits apart ON apart.user_id = $1 AND apart.item_id = i.id AND apart.story_id = i.story_id
WHERE f.visibility = 'listed' OR f.owner_id = $1 OR (f.visibility = 'member' AND {IS_READ})
"""
# Whether an item may stand in a list of the reader: not of a quiet feed, not older than a feed's newest few.
IS_MINE = f"""
{IS_READ} AND (mine.muted_until IS NULL OR mine.muted_until < now())
    AND (mine.latest_n IS NULL OR NOT EXISTS (
        SELECT FROM feed_items newer
        WHERE newer.feed_id = i.feed_id AND (newer.published_at, newer.id) > (i.published_at, i.id)
        ORDER BY newer.published_at DESC, newer.id DESC OFFSET mine.latest_n - 1 LIMIT 1))
"""
# With `tagged` (tag_verdicts.TAGGED) before it. "Mark all read" is said of the reader's own feeds: what another one told
# of an event has not been seen by that.
TOLD = f"""
i.id AS item_id, i.story_id AS id, i.title, i.url, i.feed_id, i.summary_html, i.author, i.published_at, i.fetched_at,
    i.image_key, i.language, coalesce(mine.title, f.title) AS source, f.last_ok_at, mine.folder,
    coalesce(mine.pinned AND mine.unsubscribed_at IS NULL, false) AS pinned, st.hidden_at IS NOT NULL AS is_hidden, apart.item_id IS NOT NULL AS is_apart,
    st.read_at IS NOT NULL OR (st.unread_at IS NULL AND {IS_READ}
        AND i.fetched_at <= coalesce(greatest(everything.read_before, this.read_before), '-infinity')) AS read,
    st.saved_at IS NOT NULL AS saved,
    coalesce((SELECT tagged.tags FROM tagged WHERE tagged.item_id = i.id), '{{}}') AS tags
"""  # noqa: S608 - joined from the literals above


def stories(
    passed: Sequence[Told],
    *,
    unread: bool,
    is_of_list: Callable[[Any], bool],
    most: int | None = None,
) -> list[dict[str, Any]]:
    """The stories of a list, each at the place of its newest item that passes, without those that were put aside."""
    found: list[dict[str, Any]] = []
    for told in passed:
        if len(found) == most:
            break
        row = told[0]
        if len(told) == 1:
            # Most of them: a page is quicker for not making much of these.
            if (
                not (row["is_hidden"] or (unread and row["read"]))
                and row["passes"]
                and is_of_list(row)
            ):
                found.append(alone(row))
            continue
        kin = together(row, told)
        if not is_put_aside(kin, unread=unread):
            shown = [row for row in kin if row["passes"] and is_of_list(row)]
            story = folded(row, kin, shown) if shown else None
            if story is not None:
                found.append(story)
    return found


def together(row: Any, told: Sequence[Any]) -> list[Any]:
    """What tells the same event for this reader; by itself, what they took out of a story."""
    return [row] if row["is_apart"] else [one for one in told if not one["is_apart"]]


def sources(kin: Sequence[Any]) -> int:
    """In how many other feeds an event is told, of those that the reader may see."""
    return max(len({one["feed_id"] for one in kin}) - 1, 0)


def is_put_aside(kin: Sequence[Any], *, unread: bool) -> bool:
    """Whether a story was hidden by one of its items, or is read where read news is left out."""
    return any(one["is_hidden"] or (unread and one["read"]) for one in kin)


def lead(rows: Sequence[Any], pinned: frozenset[int]) -> Any:
    """The item that stands for a story: of a pinned source, else the earliest with a picture, else the earliest."""
    return min(
        rows,
        key=lambda row: (
            row["feed_id"] not in pinned,
            row["image_key"] is None,
            row["published_at"],
            row["item_id"],
        ),
    )


def folded(row: Any, kin: Sequence[Any], shown: Sequence[Any]) -> dict[str, Any] | None:
    """The row of a story at the place of its newest item that is `shown`; None at the place of any other."""
    newest = max(shown, key=lambda one: (one["published_at"], one["item_id"]))
    if newest["item_id"] != row["item_id"]:
        return None
    pinned = frozenset(one["feed_id"] for one in kin if one["pinned"])
    told = dict(lead(shown, pinned))
    told["last_at"], told["last_item"] = row["published_at"], row["item_id"]
    told["also_in"] = sources(kin)
    told["read"] = any(one["read"] for one in kin)
    told["pinned"] = bool(pinned)
    told["told_by"] = [one["item_id"] for one in kin]
    if len(shown) > 1:
        told["tags"] = list(dict.fromkeys(tag for one in (told, *shown) for tag in one["tags"]))
    return told


def alone(row: Any) -> dict[str, Any]:
    """The row of a story that one item tells."""
    told = dict(row)
    told["last_at"], told["last_item"] = row["published_at"], row["item_id"]
    told["also_in"] = 0
    told["told_by"] = [row["item_id"]]
    return told


# Who tells the stories that are told more than once, as far as this reader may see it.
KIN = """
SELECT i.id AS item_id, i.story_id AS id, i.feed_id, apart.item_id IS NOT NULL AS is_apart
FROM feed_items i JOIN feeds f ON f.id = i.feed_id
LEFT JOIN feed_subscriptions s ON s.user_id = $1 AND s.feed_id = f.id AND s.unsubscribed_at IS NULL
LEFT JOIN story_splits apart ON apart.user_id = $1 AND apart.item_id = i.id AND apart.story_id = i.story_id
WHERE i.story_id = ANY($2::bigint[]) AND (f.visibility = 'listed' OR f.owner_id = $1 OR s.user_id IS NOT NULL)
"""


async def kin_of(
    services: Services, who: Reader | None, story_ids: Iterable[int | None]
) -> dict[int, Told]:
    """By story who tells it, of what this reader may see."""
    wished = list({story_id for story_id in story_ids if story_id is not None})
    found: dict[int, Told] = {}
    for row in await services.db.fetch(KIN, feeds.asker(who)[0], wished) if wished else []:
        found.setdefault(row["id"], []).append(row)
    return found
