"""Feeds that members suggest for everybody: listed, accepted, or rejected with a reason (chapter 20 rule 28)."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import listed_feeds, news_index
from app.domain.platform import audit, notifications
from app.domain.platform.readers import Reader
from app.errors import Invalid, NotFound
from app.services import Services

REASONS = {
    "adult": "It is for adults only.",
    "hate": "It spreads hate.",
    "malware": "It leads to malware.",
    "piracy": "It offers what is not its own.",
    "spam": "It is advertising.",
}


class FeedSuggestion(msgspec.Struct):
    """One feed that a member would have everybody read, with its newest headlines."""

    id: int
    title: str
    url: str
    description: str
    language: str | None
    subscribers: int
    headlines: list[str]
    suggested_at: datetime


class FeedSuggestions(msgspec.Struct):
    """What waits for a decision, the oldest first."""

    items: list[FeedSuggestion]
    total: None = None
    next: None = None


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """What becomes of a suggestion: accepted under a tag, or rejected for one of five reasons."""

    decision: Literal["accept", "reject"]
    tag: Annotated[str, Meta(max_length=40)] | None = None
    reason: Annotated[str, Meta(max_length=20)] | None = None


# What is on the way out, or was decided, does not wait.
WAITING = """
SELECT f.id, f.title, f.url, f.description, f.language, f.suggested_at,
       (SELECT count(*) FROM feed_subscriptions s WHERE s.feed_id = f.id AND s.unsubscribed_at IS NULL) AS subscribers,
       array(SELECT i.title FROM feed_items i WHERE i.feed_id = f.id ORDER BY i.published_at DESC, i.id DESC LIMIT 5) AS headlines
FROM feeds f
WHERE f.suggested_at IS NOT NULL AND f.decided_at IS NULL AND f.visibility = 'member' AND f.state <> 'disabled'
ORDER BY f.suggested_at, f.id LIMIT 100
"""


async def waiting(services: Services) -> FeedSuggestions:
    """At most a hundred suggestions that wait."""
    rows = await services.db.fetch(WAITING)
    return FeedSuggestions([FeedSuggestion(**dict(row)) for row in rows])


ACCEPT = """
UPDATE feeds SET visibility = 'listed', tag_id = (SELECT id FROM tags WHERE slug = $2), decided_by = $3, decided_at = now(),
    next_fetch_at = now(), version = version + 1
WHERE id = $1 AND suggested_at IS NOT NULL AND decided_at IS NULL AND visibility = 'member' AND state <> 'disabled'
RETURNING title, suggested_by
"""
# Who reads it goes on reading it: only everybody does not.
REJECT = """
UPDATE feeds SET rejected_for = $2, decided_by = $3, decided_at = now()
WHERE id = $1 AND suggested_at IS NOT NULL AND decided_at IS NULL AND visibility = 'member'
RETURNING title, suggested_by
"""


async def decide(services: Services, who: Reader, feed_id: int, wish: Decision) -> FeedSuggestions:
    """Accept or reject a suggestion and tell who made it; return what waits still. Raises Invalid, NotFound."""
    accepted = wish.decision == "accept"
    if accepted:
        await listed_feeds.check_tag(services, wish.tag)
    elif wish.reason not in REASONS:
        sentence = "Please choose a reason."
        raise Invalid(sentence, errors={"reason": sentence})
    async with services.tx() as tx:
        statement, value = (ACCEPT, wish.tag) if accepted else (REJECT, wish.reason)
        row = await tx.db.fetchrow(statement, feed_id, value, who.id)
        if row is None:
            raise NotFound("This suggestion does not wait any more.")
        await news_index.changed(tx, feed_id)
        action = "feed.accepted" if accepted else "feed.rejected"
        await audit.add(
            tx, who, action, ("feed", feed_id), wish.reason or "", after={"tag": wish.tag}
        )
        if row["suggested_by"]:
            title, body = told(row["title"], wish)
            await notifications.add(
                tx, row["suggested_by"], "feeds", title, body, url=f"/feeds/{feed_id}"
            )
        return await waiting(tx)


def told(name: str, wish: Decision) -> tuple[str, str]:
    """What the member who suggested it hears: a title and a text."""
    if wish.decision == "accept":
        return f"{name} is in the catalogue now", "Thank you for suggesting it."
    reason = REASONS[wish.reason or "spam"]
    return f"{name} was not taken into the catalogue", f"{reason} You can go on reading it."
