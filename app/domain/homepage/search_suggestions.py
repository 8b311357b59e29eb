"""Suggestions while one types: own searches, tags, feeds and headlines that this reader may see (chapter 20 rule 58)."""

from typing import Literal

import msgspec

from app.domain.homepage import news_filters, recent_searches
from app.domain.homepage.folding import folded
from app.domain.platform.readers import Reader
from app.services import Services

MOST = 8


class Suggestion(msgspec.Struct, frozen=True):
    """One way to go on: words to search for, and where they come from."""

    words: str
    kind: Literal["recent", "tag", "feed", "story"]


class Suggestions(msgspec.Struct):
    """At most eight, the nearest to the reader first."""

    items: list[Suggestion]
    total: None = None
    next: None = None


# What the reader put aside is not held out to them: hidden stories, muted words and tags, feeds that are quiet.
WELCOME = """
($4::text IS NULL OR new.words !~ $4) AND ($5::text IS NULL OR new.words ~ $5)
    AND ($7::jsonb IS NULL OR NOT $7 ? new.feed_id::text OR new.words !~ ($7 ->> new.feed_id::text))
    AND NOT EXISTS (
        SELECT FROM item_states st JOIN feed_items kin ON kin.id = st.item_id
        WHERE st.user_id = $1 AND st.hidden_at IS NOT NULL AND (kin.id = new.id OR kin.story_id = new.story_id))
    AND NOT EXISTS (
        SELECT FROM feed_subscriptions s WHERE s.user_id = $1 AND s.feed_id = new.feed_id AND s.muted_until > now())
    AND NOT EXISTS (
        SELECT FROM item_tags it JOIN tags t ON t.id = it.tag_id
        WHERE it.item_id = new.id AND t.slug = ANY($6::text[]) AND NOT EXISTS (
            SELECT FROM tag_verdicts v
            WHERE v.user_id = $1 AND v.item_id = new.id AND v.tag_id = t.id AND v.verdict = 'wrong'))
"""
# What begins with the folded words, at its start or at the start of a word of it. Headlines are looked for among the
# newest alone, so that one letter costs as little as ten. $1 reader, $2 folded words, $3 how many; from $4 on what the
# reader muted: words, only words, tags, words by feed.
FOUND = f"""
SELECT name, kind FROM (
    SELECT t.name, 'tag' AS kind, 1 AS place, t.sort AS rank FROM tags t
    WHERE t.state = 'active' AND lower(t.name) LIKE $2 || '%' AND t.slug <> ALL($6)
    UNION ALL
    (SELECT f.title, 'feed', 2, row_number() OVER (ORDER BY f.title) FROM feeds f
     WHERE f.visibility = 'listed' AND f.state <> 'disabled' AND ' ' || lower(f.title) LIKE '% ' || $2 || '%' LIMIT $3)
    UNION ALL
    (SELECT coalesce(s.title, f.title), 'feed', 2, 0 FROM feed_subscriptions s JOIN feeds f ON f.id = s.feed_id
     WHERE s.user_id = $1 AND s.unsubscribed_at IS NULL AND f.visibility <> 'listed'
         AND ' ' || lower(coalesce(s.title, f.title)) LIKE '% ' || $2 || '%' LIMIT $3)
    UNION ALL
    (SELECT new.title, 'story', 3, row_number() OVER (ORDER BY new.published_at DESC) FROM (
         SELECT i.id, i.story_id, i.feed_id, i.title, i.words, i.published_at FROM feed_items i JOIN feeds f ON f.id = i.feed_id
         WHERE f.visibility = 'listed' OR EXISTS (
             SELECT FROM feed_subscriptions s
             WHERE s.user_id = $1 AND s.feed_id = f.id AND s.unsubscribed_at IS NULL)
         ORDER BY i.published_at DESC, i.id DESC LIMIT 1000
     ) AS new WHERE strpos(' ' || left(new.words, length(new.title)), ' ' || $2) > 0 AND {WELCOME} LIMIT $3)
) AS found ORDER BY place, rank LIMIT $3
"""  # noqa: S608 - joined from the literals above


async def suggestions(services: Services, who: Reader | None, typed: str) -> Suggestions:
    """How the typed words may go on; the reader's own searches come first. None for fewer than two letters."""
    start = folded(typed[:200])
    if len(start) < 2:
        return Suggestions([])
    async with services.held() as held:
        own = [words for words in await recent_searches.mine(held, who) if start in folded(words)]
        sieve = news_filters.sieve_of((await news_filters.mine(held, who)).items)
        by_feed = {str(feed_id): words for feed_id, words in sieve.by_feed.items()} or None
        rows = await held.db.fetch(
            FOUND, who.id if who else 0, start, MOST, sieve.mute, sieve.only, sieve.tags, by_feed
        )
    found = [Suggestion(words, "recent") for words in own]
    found += [Suggestion(row["name"], row["kind"]) for row in rows]
    once = {folded(suggestion.words): suggestion for suggestion in reversed(found)}
    kept = [suggestion for suggestion in found if once[folded(suggestion.words)] is suggestion]
    return Suggestions(kept[:MOST])
