"""Suggestions while one types: own searches, tags, feeds and headlines that this reader may see (chapter 20 rule 58)."""

from typing import Literal

import msgspec

from app.domain.homepage import recent_searches
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


# What begins with the folded words, at its start or at the start of a word of it. Headlines are looked for among the
# newest alone, so that one letter costs as little as ten. $1 reader, $2 folded words, $3 how many.
FOUND = """
SELECT name, kind FROM (
    SELECT t.name, 'tag' AS kind, 1 AS place, t.sort AS rank FROM tags t
    WHERE t.state = 'active' AND lower(t.name) LIKE $2 || '%'
    UNION ALL
    (SELECT f.title, 'feed', 2, row_number() OVER (ORDER BY f.title) FROM feeds f
     WHERE f.visibility = 'listed' AND f.state <> 'disabled' AND ' ' || lower(f.title) LIKE '% ' || $2 || '%' LIMIT $3)
    UNION ALL
    (SELECT coalesce(s.title, f.title), 'feed', 2, 0 FROM feed_subscriptions s JOIN feeds f ON f.id = s.feed_id
     WHERE s.user_id = $1 AND s.unsubscribed_at IS NULL AND f.visibility <> 'listed'
         AND ' ' || lower(coalesce(s.title, f.title)) LIKE '% ' || $2 || '%' LIMIT $3)
    UNION ALL
    (SELECT new.title, 'story', 3, row_number() OVER (ORDER BY new.published_at DESC) FROM (
         SELECT i.title, i.words, i.published_at FROM feed_items i JOIN feeds f ON f.id = i.feed_id
         WHERE f.visibility = 'listed' OR EXISTS (
             SELECT FROM feed_subscriptions s
             WHERE s.user_id = $1 AND s.feed_id = f.id AND s.unsubscribed_at IS NULL)
         ORDER BY i.published_at DESC, i.id DESC LIMIT 1000
     ) AS new WHERE strpos(' ' || left(new.words, length(new.title)), ' ' || $2) > 0 LIMIT $3)
) AS found ORDER BY place, rank LIMIT $3
"""


async def suggestions(services: Services, who: Reader | None, typed: str) -> Suggestions:
    """How the typed words may go on; the reader's own searches come first. None for fewer than two letters."""
    start = folded(typed[:200])
    if len(start) < 2:
        return Suggestions([])
    async with services.held() as held:
        own = [words for words in await recent_searches.mine(held, who) if start in folded(words)]
        rows = await held.db.fetch(FOUND, who.id if who else 0, start, MOST)
    found = [Suggestion(words, "recent") for words in own]
    found += [Suggestion(row["name"], row["kind"]) for row in rows]
    once = {folded(suggestion.words): suggestion for suggestion in reversed(found)}
    kept = [suggestion for suggestion in found if once[folded(suggestion.words)] is suggestion]
    return Suggestions(kept[:MOST])
