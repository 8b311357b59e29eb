"""The front of one list in one statement: items stream past marks and filters until a page is full (rules 30 to 36).

What a walk (news_walks) and a sift (news_rows) do for many lists in many rounds, done for one list and its next page: for
that the making ready of two large plans and the way there and back would cost more than the look itself.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

from app.domain.homepage import feeds, news_filters, news_folding, tag_verdicts
from app.domain.homepage.news_folding import Told
from app.domain.platform.readers import Reader
from app.services import Services

# Where a stream flows: the newest of all feeds, of a folder, of one feed; what came late to what is read otherwise.
Source = Literal["all", "folder", "feed", "late"]

# So many items are looked at, and where one tag or some words are wanted so many. Plain numbers: the planner takes a
# parameter for very many, and would then sort what it has looked at instead of stopping when there is enough.
FEW, MANY = 600, 1_000
# How many more are let through than there is room for, since some tell what another tells: none of one feed, few of a
# folder. What is short is looked for once more.
SHARES: dict[Source, float] = {"all": 1.5, "late": 1.5, "folder": 1.25, "feed": 1.125}


class Look(NamedTuple):
    """What one list asks for: the place behind which it goes on, and for how many stories it has room."""

    at: Any
    item_id: int
    room: int
    feed: int | None
    folder: str | None
    tag: str | None
    words: str | None
    unread: bool


class Front(NamedTuple):
    """What was let through, each item with what tells its story; how tags are called; whether it was enough, or all."""

    passed: list[Told]
    names: dict[int, str]
    was_enough: bool
    has_more: bool


def sources(look: Look) -> tuple[list[Source], bool]:
    """What to look through for a list, one after the other, and whether nothing is left out by that."""
    if look.feed and look.folder:
        return [], False
    if look.feed or look.folder:
        # By a mark on one feed there may be something unread among what is read.
        return ["feed" if look.feed else "folder"], not look.unread
    return (["all", "late"] if look.unread else ["all"]), True


COLUMNS = """i.id, i.story_id, i.title, i.url, i.feed_id, i.summary_html, i.author, i.fetched_at, i.image_key, i.language, i.words"""
# What is asked for stands in selects of its own: the planner shall not see it, or it would make each plan anew, which
# costs more than the look.
BEHIND = (
    "(i.published_at, i.id) < ((SELECT coalesce($3::timestamptz, 'infinity')), (SELECT $4::bigint))"
)
NEWEST = "ORDER BY i.published_at DESC, i.id DESC"
ALL_READ = "(SELECT w.read_before FROM news_watermarks w WHERE w.user_id = $1 AND w.feed_id = 0)"
IS_READ = """(mine.unsubscribed_at IS NULL AND (mine.user_id IS NOT NULL
            OR ($2 AND f.default_on AND f.visibility = 'listed' AND f.state <> 'disabled')))"""
# A feed as its reader has it, looked up by the item: few are met, and each is kept for its next item.
OWN = f"""LATERAL (
        SELECT f.id AS feed_id, coalesce(mine.title, f.title) AS source, f.last_ok_at, mine.folder, mine.latest_n,
               coalesce(mine.pinned AND mine.unsubscribed_at IS NULL, false) AS pinned, {IS_READ} AS is_read_by,
               {IS_READ} AND (mine.muted_until IS NULL OR mine.muted_until < now())
                   AND (f.owner_id IS NULL OR f.owner_id = $1) AS is_mine,
               f.visibility = 'listed' OR f.owner_id = $1 OR (f.visibility = 'member' AND {IS_READ}) AS is_visible,
               (SELECT max(w.read_before) FROM news_watermarks w WHERE w.user_id = $1 AND w.feed_id IN (0, f.id)) AS read_before
        FROM feeds f LEFT JOIN feed_subscriptions mine ON mine.user_id = $1 AND mine.feed_id = f.id
        WHERE f.id = i.feed_id
        OFFSET 0
    ) AS own"""  # noqa: S608 - joined from the literals above
STATE = """LATERAL (
        SELECT st.read_at, st.unread_at, st.saved_at, st.hidden_at FROM item_states st
        -- Of a feed, said so that it is looked up after that.
        WHERE st.user_id = $1 AND st.item_id = i.id AND own.feed_id IS NOT NULL
    ) AS st ON true"""
IS_OLD = """own.latest_n IS NOT NULL AND EXISTS (
            SELECT FROM feed_items newer
            WHERE newer.feed_id = i.feed_id AND (newer.published_at, newer.id) > (i.published_at, i.id)
            ORDER BY newer.published_at DESC, newer.id DESC OFFSET own.latest_n - 1 LIMIT 1)"""
IS_SEEN = "i.fetched_at <= own.read_before"
TOLD = f"""i.id AS item_id, i.story_id AS id, i.title, i.url, i.feed_id, i.summary_html, i.author, i.published_at, i.image_key,
           i.language, own.source, own.last_ok_at, own.folder, own.pinned, st.saved_at IS NOT NULL AS saved,
           st.read_at IS NOT NULL OR (st.unread_at IS NULL AND own.is_read_by AND coalesce({IS_SEEN}, false)) AS read,
           st.hidden_at IS NOT NULL AS is_hidden"""
# Whether an item tells what this reader read in another listed feed: the plain cases of it, as in a sift.
IS_KNOWN = """EXISTS (
            SELECT FROM feed_items k JOIN item_states known ON known.user_id = $1 AND known.item_id = k.id JOIN feeds ON feeds.id = k.feed_id
            WHERE k.story_id = i.story_id AND known.read_at IS NOT NULL AND feeds.visibility = 'listed'
                AND NOT EXISTS (SELECT FROM story_splits apart WHERE apart.user_id = $1 AND apart.story_id = i.story_id))"""

# Whether an item that came late tells what was read with all the rest: the plain cases, most of what comes late.
IS_CAUGHT_UP = f"""EXISTS (
            SELECT FROM feed_items k JOIN feeds ON feeds.id = k.feed_id
            JOIN feed_subscriptions whose ON whose.user_id = $1 AND whose.feed_id = k.feed_id AND whose.unsubscribed_at IS NULL
            WHERE k.story_id = i.story_id AND k.id <> i.id AND k.fetched_at <= {ALL_READ} AND feeds.visibility = 'listed'
                AND NOT EXISTS (SELECT FROM item_states u WHERE u.user_id = $1 AND u.item_id = k.id AND u.unread_at IS NOT NULL)
                AND NOT EXISTS (SELECT FROM story_splits apart WHERE apart.user_id = $1 AND apart.story_id = i.story_id))"""  # noqa: S608 - joined from the literals above


class Stream(NamedTuple):
    """A source in SQL: what stands before, its next items in their order, and whether there are more than those."""

    items: str
    more: str
    before: str = ""


def stream(source: Source, asked: str, columns: str, few: int, *, unread: bool) -> Stream:
    """Where the items come from; `asked` is the feed or folder."""
    # What was published before all was read is left to the stream of what came late.
    since = f"AND i.published_at >= coalesce({ALL_READ}, '-infinity')" if unread else ""
    if source == "late":
        return Stream(
            f"""SELECT near.published_at, {columns} FROM (
                SELECT late.published_at, late.id FROM late ORDER BY late.published_at DESC, late.id DESC LIMIT {few}
            ) AS near JOIN feed_items i ON i.id = near.id ORDER BY near.published_at DESC, i.id DESC""",  # noqa: S608 - joined from the literals above
            f"(SELECT count(*) >= {few} FROM late)",  # noqa: S608 - joined from the literals above
            late(few),
        )
    if source == "folder":
        return folder(asked, columns, few, since)
    of = f"i.feed_id = (SELECT {asked}::bigint) AND" if source == "feed" else ""
    found = f"FROM feed_items i WHERE {of} {BEHIND} {since} {NEWEST}"
    items = f"SELECT i.published_at, {columns} {found} LIMIT {few}"
    return Stream(items, f"EXISTS (SELECT {found} OFFSET {few})")


def folder(asked: str, columns: str, few: int, since: str) -> Stream:
    """The newest few of each feed of a folder, as far back as the feed goes whose few are used up first."""
    before = f""", mine AS MATERIALIZED (
    SELECT feed_id, greatest({few} / 4 / count(*) OVER (), 3) AS most FROM feed_subscriptions
    WHERE user_id = $1 AND folder = {asked}::text AND unsubscribed_at IS NULL
), near AS MATERIALIZED (
    SELECT mine.feed_id, mine.most, i.published_at, i.id FROM mine CROSS JOIN LATERAL (
        SELECT i.published_at, i.id FROM feed_items i
        WHERE i.feed_id = mine.feed_id AND {BEHIND} {since} {NEWEST} LIMIT mine.most
    ) AS i
), edge AS MATERIALIZED (
    SELECT coalesce(max(at), '-infinity') AS at
    FROM (SELECT min(published_at) AS at FROM near GROUP BY feed_id, most HAVING count(*) = most) AS used_up
)"""  # noqa: S608 - joined from the literals above
    items = f"""SELECT near.published_at, {columns} FROM (
            SELECT near.published_at, near.id FROM near WHERE near.published_at > (SELECT at FROM edge)
            ORDER BY near.published_at DESC, near.id DESC LIMIT {few}
        ) AS near JOIN feed_items i ON i.id = near.id ORDER BY near.published_at DESC, i.id DESC"""  # noqa: S608 - joined from the literals above
    return Stream(items, "(SELECT at > '-infinity' FROM edge)", before)


def late(few: int) -> str:
    """What was published before all was read and is unread: fetched after that, or lifted over it."""
    return f""", place AS MATERIALIZED (
    SELECT mark, least(at, mark) AS at, CASE WHEN at < mark THEN id ELSE 0 END AS id
    FROM (SELECT coalesce($3::timestamptz, 'infinity') AS at, $4::bigint AS id, {ALL_READ} AS mark) AS asked
    WHERE mark IS NOT NULL
), late AS MATERIALIZED (
    SELECT i.id, i.published_at FROM place CROSS JOIN LATERAL (
        (SELECT i.id, i.published_at FROM feed_items i
        WHERE (i.published_at, i.id) < (place.at, place.id) AND i.published_at >= place.mark - interval '1 hour'
            AND i.fetched_at > place.mark {NEWEST} LIMIT {few})
        UNION ALL
        SELECT i.id, i.published_at FROM feed_items i
        WHERE i.fetched_at > place.mark AND i.fetched_at - i.published_at > interval '1 hour'
            AND (i.published_at, i.id) < (place.at, place.id) AND i.published_at < place.mark - interval '1 hour'
        UNION ALL
        SELECT i.id, i.published_at FROM item_states st JOIN feed_items i ON i.id = st.item_id
        WHERE st.user_id = $1 AND st.unread_at IS NOT NULL
            AND (i.published_at, i.id) < (place.at, place.id) AND i.fetched_at <= place.mark
    ) AS i {NEWEST} LIMIT {few}
)"""  # noqa: S608 - joined from the literals above


def narrow(tag: str, words: str) -> str:
    """Whether an item has a tag as its reader sees it, and some words, where these are asked for."""
    number = f"(SELECT id FROM tags WHERE slug = {tag} AND slug <> ALL(coalesce((SELECT slugs FROM sieve), '{{}}')))"  # noqa: S608
    verdict = f"""SELECT FROM tag_verdicts v
                WHERE v.user_id = $1 AND v.item_id = i.id AND v.tag_id = {number} AND v.verdict ="""
    return f"""({tag} IS NULL OR CASE
            WHEN EXISTS (SELECT FROM item_tags it WHERE it.item_id = i.id AND it.tag_id = {number})
                THEN NOT EXISTS ({verdict} 'wrong')
            ELSE EXISTS ({verdict} 'missing') END)
        AND ({words} IS NULL OR i.search @@ websearch_to_tsquery('english', {words}))"""


# What tells a story beside what was let through is not looked at closely where it cannot stand in the list.
OTHERS: dict[Source, str] = {
    "all": "",
    "late": "",
    "folder": "OR own.folder IS DISTINCT FROM (SELECT $6::text)",
    "feed": "OR i.feed_id <> (SELECT $6::bigint)",
}


@cache
def statement(source: Source, *, unread: bool, is_narrow: bool) -> str:
    """The statement of one kind of list.

    $1 reader, $2 whether the defaults are theirs without rows, $3 and $4 the place, $5 how many; then the feed or the
    folder, and then tag and words, where there are such.
    """
    first = 7 if source in ("feed", "folder") else 6
    wished = narrow(f"${first}::text", f"${first + 1}::text") if is_narrow else ""
    columns, few = (f"{COLUMNS}, i.search", MANY) if is_narrow else (COLUMNS, FEW)
    flow = stream(source, "$6", columns, few, unread=unread)
    passes = news_filters.PASSES + (f" AND {wished}" if is_narrow else "")
    return f"""
WITH {news_filters.SIEVE}{flow.before}, picked AS MATERIALIZED (
    SELECT {TOLD}
    FROM ({flow.items}) AS i CROSS JOIN {OWN} LEFT JOIN {STATE}
    WHERE CASE WHEN {is_out(unread=unread, wished=wished)} OR ({IS_OLD}) {f"OR {IS_CAUGHT_UP}" if source == "late" else ""} THEN false
        ELSE {news_filters.PASSES} {f"AND NOT {IS_KNOWN}" if unread else ""} END
    {NEWEST} LIMIT (SELECT $5::int)
)
SELECT i.*, (i.item_id, i.id) IN (SELECT item_id, story_id FROM story_splits WHERE user_id = $1) IS TRUE AS is_apart,
       {tag_verdicts.NUMBERS} AS tags, NULL::text[] AS names, NULL::boolean AS has_more
FROM (
    SELECT item_id AS place, picked.*, true AS passes FROM picked
    UNION ALL
    SELECT p.item_id, {TOLD}, CASE WHEN NOT own.is_mine {OTHERS[source]} OR ({IS_OLD}) THEN false ELSE {passes} END
    FROM picked p JOIN feed_items i ON i.story_id = p.id AND i.id <> p.item_id CROSS JOIN {OWN} LEFT JOIN {STATE}
    -- What was let through itself stands above.
    WHERE own.is_visible AND i.id NOT IN (SELECT item_id FROM picked)
) AS i
UNION ALL
-- Last of all how tags are called, and whether there is more.
SELECT {", ".join(["NULL"] * 21)}, (SELECT array_agg(id || ' ' || slug || '=' || name ORDER BY sort, id) FROM tags),
       CASE WHEN (SELECT count(*) FROM picked) < $5 THEN {flow.more} ELSE true END
"""  # noqa: S608 - joined from the literals above


def is_out(*, unread: bool, wished: str) -> str:
    """What leaves an item out, the quickest to see first; what reads its words comes after all of these."""
    found = ["NOT own.is_mine", "st.hidden_at IS NOT NULL"]
    if unread:
        found += ["st.read_at IS NOT NULL", f"(st.unread_at IS NULL AND {IS_SEEN})"]
    if wished:
        found.append(f"NOT coalesce({wished}, false)")
    return " OR ".join(found)


async def of_list(
    services: Services, who: Reader | None, look: Look, source: Source, times: int = 1
) -> Front:
    """What the next part of a stream brings to a list; `times` as much as it has room for."""
    is_narrow = bool(look.tag or look.words)
    wanted = min(times * (int(look.room * SHARES[source]) + 1), MANY)
    values = [look.at, look.item_id, wanted]
    if source in ("feed", "folder"):
        values.append(look.feed or look.folder)
    if is_narrow:
        values += [look.tag, look.words]
    text = statement(source, unread=look.unread, is_narrow=is_narrow)
    *rows, last = await services.db.fetch(text, *feeds.asker(who), *values)
    passed = put_together(rows)
    pairs = (text.split(" ", 1) for text in last["names"] or ())
    names = {int(number): name for number, name in pairs}
    return Front(passed, names, len(passed) >= wanted, last["has_more"])


def put_together(rows: Sequence[Any]) -> list[Told]:
    """Each item that was let through with what else tells its story, whether that was let through too or not."""
    by_place: dict[int, Told] = {}
    by_story: dict[int | None, list[Told]] = {}
    for row in rows:
        if row["place"] != row["item_id"]:
            by_place[row["place"]].append(row)
            continue
        told = by_place[row["place"]] = [row]
        for other in by_story.setdefault(row["id"], []) if row["id"] is not None else ():
            other.append(row)
            told.append(other[0])
        by_story.setdefault(row["id"], []).append(told)
    return list(by_place.values())


def stories(
    front: Front, *, unread: bool, is_of_list: Callable[[Any], bool], most: int
) -> list[dict[str, Any]]:
    """The first stories of a front, each with its tags by name, in the order of the list of tags."""
    found = news_folding.stories(front.passed, unread=unread, is_of_list=is_of_list, most=most)
    for row in found:
        row["tags"] = [name for number, name in front.names.items() if number in row["tags"]]
    return found
