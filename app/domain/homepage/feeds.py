"""Feeds: one source of news, as a reader who may see it sees it — by id, its health, the catalogue."""

from datetime import datetime
from typing import Any

import msgspec

from app.domain.homepage import feed_errors
from app.domain.homepage.feed_addresses import host, shown
from app.domain.platform import secrets
from app.domain.platform.readers import Reader
from app.errors import NotFound, ServiceDown
from app.services import Services

DUE = "SELECT count(*) FROM feeds WHERE next_fetch_at <= now()"


class Health(msgspec.Struct):
    """How a feed is: `state` as on every card, one sentence, since when, and the next try where it matters."""

    state: str
    sentence: str
    code: str | None = None
    since: datetime | None = None
    next_try_at: datetime | None = None


class Feed(msgspec.Struct):
    """One feed as this reader may see it. Of a private one the address shows its host alone."""

    id: int
    title: str
    url: str
    site_url: str | None
    description: str
    language: str | None
    tag: str | None
    tag_name: str | None
    visibility: str
    subscribed: bool
    health: Health
    last_ok_at: datetime | None
    repairs: list[str]
    suggested: bool = False


class Feeds(msgspec.Struct):
    """One page of feeds; `next` is the cursor of the following one."""

    items: list[Feed]
    total: int | None = None
    next: str | None = None


COLUMNS = """
SELECT f.id, f.title, f.url, f.url_enc, f.site_url, f.description, f.language, t.slug AS tag, t.name AS tag_name,
       f.visibility, f.state, f.failures, f.failing_since, f.error_code, f.last_ok_at, f.last_try_at, f.next_fetch_at,
       f.repairs, f.suggested_at,
       CASE WHEN s.user_id IS NULL THEN f.default_on AND f.visibility = 'listed' AND $2
            ELSE s.unsubscribed_at IS NULL END AS subscribed
FROM feeds f
LEFT JOIN tags t ON t.id = f.tag_id
LEFT JOIN feed_subscriptions s ON s.feed_id = f.id AND s.user_id = $1
"""
# What is listed is everybody's; the rest is seen by those who read it.
MAY_SEE = """
(f.visibility = 'listed' OR (s.user_id IS NOT NULL AND s.unsubscribed_at IS NULL
                             AND (f.owner_id IS NULL OR f.owner_id = $1)))
"""
BY_ID = COLUMNS + "WHERE f.id = $3 AND " + MAY_SEE


async def by_id(services: Services, who: Reader | None, feed_id: int) -> Feed:
    """One feed that this reader may see. Raises NotFound."""
    row = await services.db.fetchrow(BY_ID, *asker(who), feed_id)
    if row is None:
        raise NotFound("There is no such feed.")
    return as_feed(services, row)


IN_CATALOGUE = """
WHERE f.visibility = 'listed' AND f.state <> 'disabled'
  AND ($3::text IS NULL OR t.slug = $3)
  AND ($4::text IS NULL OR f.title ILIKE $4 OR f.description ILIKE $4 OR f.site_url ILIKE $4)
  AND ($5::bigint IS NULL OR (lower(f.title), f.id) > (SELECT lower(c.title), c.id FROM feeds c
                                                       WHERE c.id = $5 AND c.visibility = 'listed'))
ORDER BY lower(f.title), f.id LIMIT $6
"""
CATALOGUE = COLUMNS + IN_CATALOGUE


async def catalogue(
    services: Services,
    who: Reader | None,
    *,
    tag: str | None = None,
    words: str | None = None,
    after: int | None = None,
    limit: int = 20,
) -> Feeds:
    """The feeds that everybody may add, by title; `after` is the last id of the page before."""
    pattern = f"%{escaped(words)}%" if words else None
    rows = await services.db.fetch(CATALOGUE, *asker(who), tag, pattern, after, limit + 1)
    items = [as_feed(services, row) for row in rows[:limit]]
    return Feeds(items, next=str(items[-1].id) if len(rows) > limit else None)


TAGS = """
SELECT t.slug, t.name, count(f.id)::int AS feeds
FROM tags t LEFT JOIN feeds f ON f.tag_id = t.id AND f.visibility = 'listed' AND f.state <> 'disabled'
WHERE t.state = 'active' GROUP BY t.id ORDER BY t.sort, t.slug
"""


class Tag(msgspec.Struct):
    """One word of the closed list, with how many feeds of the catalogue have it."""

    slug: str
    name: str
    feeds: int


async def tags(services: Services) -> list[Tag]:
    """The tags in their order."""
    return [Tag(**dict(row)) for row in await services.db.fetch(TAGS)]


SUGGEST = """
UPDATE feeds f SET suggested_by = coalesce(f.suggested_by, $1), suggested_at = coalesce(f.suggested_at, now())
FROM feed_subscriptions s
WHERE f.id = $2 AND f.visibility = 'member' AND f.rejected_for IS NULL AND s.feed_id = f.id AND s.user_id = $1 AND s.unsubscribed_at IS NULL
RETURNING f.id
"""


async def suggest(services: Services, who: Reader, feed_id: int) -> Feed:
    """Propose a feed that the member reads for everybody's catalogue. Raises NotFound: private ones stay private."""
    if await services.db.fetchval(SUGGEST, who.id, feed_id) is None:
        raise NotFound(
            "Only a feed that you read, not private nor rejected before, can be suggested."
        )
    return await by_id(services, who, feed_id)


def asker(who: Reader | None) -> tuple[int, bool]:
    """The first two values of COLUMNS: whose rows count, and whether the defaults are theirs without rows."""
    return (who.id if who else 0), who is None or not who.is_member


def as_feed(services: Services, row: Any) -> Feed:
    """One row of COLUMNS as its reader sees it."""
    url = shown_url(services, row)
    return Feed(
        id=row["id"],
        title=row["title"] or host(url),
        url=url,
        site_url=row["site_url"],
        description=row["description"],
        language=row["language"],
        tag=row["tag"],
        tag_name=row["tag_name"],
        visibility=row["visibility"],
        subscribed=row["subscribed"],
        health=health(row),
        last_ok_at=row["last_ok_at"],
        repairs=row["repairs"],
        suggested=row["suggested_at"] is not None,
    )


def shown_url(services: Services, row: Any) -> str:
    """The address as it may be shown to a reader of the feed."""
    if row["url"] is not None:
        return str(row["url"])
    try:
        return shown(address(services, row), private=True)
    except ServiceDown:
        # A lost key makes one feed fail, never the page that lists it.
        return "https://…/"


def address(services: Services, row: Any) -> str:
    """The whole address of a feed, for the fetcher alone. Raises ServiceDown."""
    if row["url"] is not None:
        return str(row["url"])
    return secrets.unseal(services.settings, "feeds", "url_enc", row["id"], row["url_enc"])


def health(row: Any) -> Health:
    """How a feed is, in words (chapter 20 rule 17)."""
    code, reason = row["error_code"], feed_errors.sentence(row["error_code"])
    since, next_try = row["failing_since"], row["next_fetch_at"]
    match row["state"]:
        case "disabled":
            return Health("off", "The operators of this site have switched this feed off.", code)
        case "gone":
            return Health("off", reason or feed_errors.sentence("http_410"), code, since)
        case "suspended":
            sentence = f"{reason} It has been so for two weeks; we look once a week."
            return Health("failing", sentence, code, since, next_try)
        case "failing":
            return Health("failing", reason, code, since, next_try)
    if row["failures"] or code:
        return Health("ageing" if row["last_ok_at"] else "failing", reason, code, since, next_try)
    if row["last_ok_at"] is None:
        return Health("waiting", "First look under way.")
    if next_try is None:
        return Health("paused", "It rests, because nobody has read it for 30 days.")
    return Health("fresh", "Up to date.")


def escaped(words: str) -> str:
    """A text that LIKE takes by the letter."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
