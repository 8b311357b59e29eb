"""Candidates: the stories that a new item may belong to, found by index (chapter 20 rule 31)."""

from collections.abc import Sequence
from typing import Any

from app.domain.homepage.feed_documents import plain
from app.domain.homepage.story_matching import SAME_PAGE, SHARED_RARE, Candidate, Member, belongs
from app.domain.homepage.story_words import Telling, keys, searched, span_of, text_key, told
from app.services import Services

LONGEST = 2_000
MOST_CANDIDATES, MOST_LOOKED_AT, MOST_SHARING = 8, 250, 1_000

HOW_MANY = "SELECT key, items FROM story_words WHERE key = ANY($1)"
COUNT = """
INSERT INTO story_words (key, span, items) SELECT key, span, count(*)::int
FROM unnest($1::integer[], $2::integer[]) AS word (key, span) GROUP BY key, span ORDER BY key
ON CONFLICT (key) DO UPDATE SET items = story_words.items + EXCLUDED.items
"""


async def rarest(services: Services, words: Sequence[Sequence[int]]) -> list[int]:
    """The keys of the rarest words, as many as lead to a bounded number of items; two words at least, if there are."""
    rows = await services.db.fetch(HOW_MANY, [key for word in words for key in word])
    items = {row["key"]: row["items"] for row in rows}
    counted = sorted(
        (sum(items.get(key, 0) for key in word), place) for place, word in enumerate(words)
    )
    found: list[int] = []
    total = taken = 0
    for count, place in counted:
        total += count
        if taken >= SHARED_RARE and total > MOST_LOOKED_AT:
            break
        if count:
            taken += 1
            found += words[place]
    return found


async def count_words(services: Services, members: Sequence[Member]) -> None:
    """Count the words of new items and new texts, for those that come after them."""
    pairs = [(key, span_of(one.at)) for one in members for key in keys(one.telling, one.at)]
    if pairs:
        await services.db.execute(COUNT, [key for key, _ in pairs], [span for _, span in pairs])


# Stories with an item that shares two keys, or the page, or the whole text; the likeliest first. Only what listed feeds
# tell is there to be joined, and for an item of such a feed also guests that stand alone.
FOUND = """
WITH asked AS MATERIALIZED (SELECT key FROM unnest($1::integer[]) AS key),
sharing AS MATERIALIZED (
    SELECT i.id, i.story_id, i.story_keys, i.published_at FROM feed_items i WHERE i.story_keys && $9::integer[] AND i.feed_id <> $2
), near AS (
    -- Where thousands tell nearly the same, the newest of them will do: others wait for their turn meanwhile.
    SELECT id, story_id, story_keys FROM sharing ORDER BY published_at DESC, id DESC LIMIT $10
)
SELECT story_id FROM (
    SELECT i.story_id, count(*) AS shared, false AS same
    FROM near i CROSS JOIN LATERAL unnest(i.story_keys) AS own (key) JOIN asked ON asked.key = own.key
    GROUP BY i.id, i.story_id
    UNION ALL
    SELECT i.story_id, 0, true FROM feed_items i
    WHERE i.story_keys @> ARRAY[$3::integer] AND i.feed_id <> $2 AND i.published_at BETWEEN $5 AND $6
    UNION ALL
    SELECT i.story_id, 0, true FROM feed_items i
    WHERE i.url_key = $4 AND i.feed_id <> $2 AND i.story_keys IS NOT NULL AND i.published_at BETWEEN $5 AND $6
) AS found
WHERE story_id IS NOT NULL
GROUP BY story_id HAVING bool_or(same) OR max(shared) >= $7
ORDER BY bool_or(same) DESC, max(shared) DESC, story_id LIMIT $8
"""
MEMBERS = """
SELECT i.story_id, i.id, i.feed_id, i.published_at, i.title, i.summary_html, coalesce(i.language, f.language) AS language,
       i.url_key, f.visibility
FROM feed_items i JOIN feeds f ON f.id = i.feed_id
WHERE i.story_id = ANY($1) AND f.visibility <> 'private'
ORDER BY i.published_at, i.id
"""


async def of_item(services: Services, member: Member) -> list[Any]:
    """The items of the stories that may be this item's."""
    words = searched(member.telling, member.at)
    found = await services.db.fetch(
        FOUND,
        [key for word in words for key in word],
        member.feed_id,
        text_key(member.telling),
        member.url_key,
        member.at - SAME_PAGE,
        member.at + SAME_PAGE,
        SHARED_RARE,
        MOST_CANDIDATES,
        await rarest(services, words),
        MOST_SHARING,
    )
    if not found:
        return []
    rows: list[Any] = await services.db.fetch(MEMBERS, [row["story_id"] for row in found])
    return rows


def grouped(rows: Sequence[Any], feed_id: int) -> list[Candidate]:
    """The stories that listed feeds tell; items of others count only where they are of the same feed."""
    public = {row["story_id"] for row in rows if row["visibility"] == "listed"}
    found: dict[int, Candidate] = {}
    for row in rows:
        if row["story_id"] in public and (
            row["visibility"] == "listed" or row["feed_id"] == feed_id
        ):
            story = found.setdefault(row["story_id"], Candidate(row["story_id"], []))
            story.members.append(as_member(row))
    return list(found.values())


def guests_of(member: Member, rows: Sequence[Any], there: set[int]) -> list[int]:
    """Items of members' feeds that stand alone so far and tell the same; one of a feed."""
    public = {row["story_id"] for row in rows if row["visibility"] == "listed"}
    found: dict[int, int] = {}
    for row in rows:
        if row["story_id"] in public or row["feed_id"] in there or row["feed_id"] in found:
            continue
        if belongs(member, Candidate(row["story_id"], [as_member(row)])):
            found[row["feed_id"]] = row["id"]
    return list(found.values())


def as_member(row: Any) -> Member:
    """A stored item as one of a story."""
    return Member(row["feed_id"], row["published_at"], telling_of(row), row["url_key"], row["id"])


def telling_of(row: Any) -> Telling:
    """What a stored item tells."""
    return told(row["title"], plain(row["summary_html"], LONGEST), row["language"])
