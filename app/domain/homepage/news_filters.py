"""Filters of news: words and tags one person does not want to read, and the only ones they want."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import versions
from app.domain.homepage.folding import folded
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

CEILING = 100


class NewFilter(msgspec.Struct):
    """One rule to add."""

    value: Annotated[str, Meta(min_length=1, max_length=60)]
    kind: Literal["mute_word", "mute_tag", "only_word"] = "mute_word"
    feed_id: int | None = None
    until: datetime | None = None


class Filter(msgspec.Struct):
    """One rule of one person."""

    id: int
    kind: str
    value: str
    feed_id: int | None
    until: datetime | None = None


class FilterList(msgspec.Struct):
    """All rules of one person."""

    items: list[Filter]
    total: int
    next: str | None = None


MINE = """
SELECT id, kind, value, feed_id, until FROM news_filters
WHERE user_id = $1 AND (until IS NULL OR until > now()) ORDER BY kind, lower(value), id
"""


async def mine(services: Services, who: Reader | None) -> FilterList:
    """The rules that hold now."""
    rows = await services.db.fetch(MINE, who.id) if who else []
    return FilterList([Filter(**dict(row)) for row in rows], len(rows))


# The rules of reader $1 as one value and nothing for none: the end of a statement that reads more than these.
AS_ONE = """
jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'value', value, 'feed_id', feed_id))
FROM news_filters WHERE user_id = $1 AND (until IS NULL OR until > now()) HAVING count(*) > 0
"""
# The same as one row of a statement. Single words are looked up among the words of an item, which costs a third of a
# pattern; `slow` holds phrases, which only a pattern finds, and `mute` all of it for words too long to be looked up.
SIEVE = r"""sieve AS MATERIALIZED (
    SELECT string_agg(quote_literal(replace(pattern, '\w*', '')) || CASE WHEN pattern LIKE '%*' THEN ':*' ELSE '' END, '|')
               FILTER (WHERE kind = 'mute_word' AND feed_id IS NULL AND strpos(pattern, ' ') = 0)::tsquery AS fast,
           '(^| )(' || string_agg(pattern, '|') FILTER (WHERE kind = 'mute_word' AND feed_id IS NULL AND strpos(pattern, ' ') > 0) || ')( |$)' AS slow,
           '(^| )(' || string_agg(pattern, '|') FILTER (WHERE kind = 'mute_word' AND feed_id IS NULL) || ')( |$)' AS mute,
           '(^| )(' || string_agg(pattern, '|') FILTER (WHERE kind = 'only_word') || ')( |$)' AS wished,
           array_agg(feed_id) FILTER (WHERE kind = 'mute_word' AND feed_id IS NOT NULL) AS feeds,
           array_agg(value) FILTER (WHERE kind = 'mute_tag') AS slugs
    FROM news_filters WHERE user_id = $1 AND (until IS NULL OR until > now()) AND (pattern <> '' OR kind = 'mute_tag')
)"""
# Whether item `i` passes the sieve.
PASSES = """CASE WHEN octet_length(i.words) > 2046 THEN coalesce(i.words !~ (SELECT mute FROM sieve), true)
            ELSE coalesce(NOT array_to_tsvector(string_to_array(i.words, ' ')) @@ (SELECT fast FROM sieve), true)
                AND coalesce(i.words !~ (SELECT slow FROM sieve), true) END
        AND coalesce(i.words ~ (SELECT wished FROM sieve), true)
        AND CASE WHEN i.feed_id = ANY((SELECT feeds FROM sieve)::bigint[]) THEN NOT EXISTS (
            SELECT FROM news_filters own_words
            WHERE user_id = $1 AND kind = 'mute_word' AND coalesce(feed_id, 0) = i.feed_id AND (until IS NULL OR until > now())
                AND pattern <> '' AND i.words ~ ('(^| )' || pattern || '( |$)')) ELSE true END
        AND CASE WHEN (SELECT slugs FROM sieve) IS NULL THEN true ELSE NOT EXISTS (
            SELECT FROM item_tags it
            WHERE it.item_id = i.id AND it.tag_id = ANY(ARRAY(SELECT id FROM tags WHERE slug = ANY((SELECT slugs FROM sieve)::text[])))
                AND NOT EXISTS (
                    SELECT FROM tag_verdicts v
                    WHERE v.user_id = $1 AND v.item_id = i.id AND v.tag_id = it.tag_id AND v.verdict = 'wrong')) END"""
ADD = """
INSERT INTO news_filters (user_id, kind, feed_id, value, pattern, until)
SELECT $1, $2, $3, $4, $5, $6
WHERE (SELECT count(*) FROM news_filters WHERE user_id = $1) < $7
ON CONFLICT (user_id, kind, coalesce(feed_id, 0), lower(value)) DO UPDATE SET until = EXCLUDED.until
RETURNING id
"""
# A private feed of somebody else is no feed to this reader.
FEED = """
SELECT EXISTS (
    SELECT FROM feeds f WHERE f.id = $1 AND (
        f.visibility = 'listed' OR EXISTS (SELECT FROM feed_subscriptions s WHERE s.feed_id = f.id AND s.user_id = $2)
    )
)
"""


async def add(services: Services, who: Reader, new: NewFilter) -> FilterList:
    """Add a rule; the same rule twice is one. Raises Invalid, Conflict over 100."""
    value = " ".join(new.value.split())
    if not value.replace("*", "").strip():
        raise Invalid("Please name a word.", errors={"value": "Please name a word."})
    if new.until is not None and new.until.astimezone(UTC) <= datetime.now(UTC):
        sentence = "Please choose a time in the future."
        raise Invalid(sentence, errors={"until": sentence})
    async with services.tx() as tx:
        # First of all: it locks the person's version, so that two requests at once cannot both bring the hundredth.
        await versions.bump(tx, who.id, "news")
        if new.feed_id is not None and not await tx.db.fetchval(FEED, new.feed_id, who.id):
            sentence = "There is no such feed."
            raise Invalid(sentence, errors={"feed_id": sentence})
        rule = (who.id, new.kind, new.feed_id, value, part(value), new.until)
        if await tx.db.fetchval(ADD, *rule, CEILING) is None:
            raise Conflict(f"You have {CEILING} filters. Remove one to add another.")
        return await mine(tx, who)


async def remove(services: Services, who: Reader, filter_id: int) -> FilterList:
    """Remove one rule. Raises NotFound."""
    async with services.tx() as tx:
        gone = await tx.db.fetchval(
            "DELETE FROM news_filters WHERE id = $1 AND user_id = $2 RETURNING id",
            filter_id,
            who.id,
        )
        if gone is None:
            raise NotFound("This filter is gone already.")
        await versions.bump(tx, who.id, "news")
        return await mine(tx, who)


class Sieve(msgspec.Struct):
    """All rules of one person, ready for SQL: one pattern a kind, and the muted tags."""

    mute: str | None = None
    only: str | None = None
    tags: list[str] = []
    by_feed: dict[int, str] = {}


def sieve_of(filters: list[Filter]) -> Sieve:
    """The rules as PostgreSQL patterns over folded words: whole words or phrases, `word*` for beginnings."""
    words = [item for item in filters if item.kind == "mute_word" and item.feed_id is None]
    only = [item for item in filters if item.kind == "only_word"]
    by_feed: dict[int, list[str]] = {}
    for item in filters:
        if item.kind == "mute_word" and item.feed_id is not None:
            by_feed.setdefault(item.feed_id, []).append(item.value)
    return Sieve(
        pattern([item.value for item in words]),
        pattern([item.value for item in only]),
        [item.value for item in filters if item.kind == "mute_tag"],
        {feed_id: found for feed_id, values in by_feed.items() if (found := pattern(values))},
    )


def pattern(values: list[str]) -> str | None:
    """One pattern that finds any of the words; None for no words."""
    parts = [found for value in values if (found := part(value))]
    return rf"(^| )({'|'.join(parts)})( |$)" if parts else None


def part(value: str) -> str:
    """The part of a pattern that finds one word, phrase or beginning; empty where there is no word in it."""
    words = folded(value)
    return words + (r"\w*" if words and value.rstrip().endswith("*") else "")
