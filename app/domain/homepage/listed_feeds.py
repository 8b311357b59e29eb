"""The listed feeds as the operators keep them: found, added, changed, cleared of failures, removed (chapter 20 §3)."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.domain.homepage import news_index
from app.domain.homepage.feed_addresses import completed, looks_private
from app.domain.homepage.feed_documents import url_key
from app.domain.homepage.feeds import Health, escaped, health
from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

Pace = Literal["breaking", "normal", "slow"]
State = Literal["active", "failing", "suspended", "gone", "disabled"]
Slug = Annotated[str, Meta(max_length=40)]
Minutes = Annotated[int, Meta(ge=5, le=1440)]
Title = Annotated[str, Meta(max_length=300)]
# Id and title of the last feed of a page, as they were: it may have another name by now, or have left the lists.
CURSOR = r"\A[0-9]{1,18}\."


class FeedQuery(msgspec.Struct):
    """Which listed feeds to show."""

    state: State | None = None
    tag: Slug | None = None
    q: Annotated[str, Meta(max_length=200)] | None = None
    cursor: Annotated[str, Meta(pattern=CURSOR, max_length=320)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class ListedFeed(msgspec.Struct):
    """One listed feed with what the operators decide about it and how it does."""

    id: int
    title: str
    url: str
    site_url: str | None
    tag: str | None
    pace: str
    refresh_minutes: int | None
    default_on: bool
    ai_critical: bool
    state: str
    health: Health
    failures: int
    subscribers: int
    items: int
    last_ok_at: datetime | None
    next_fetch_at: datetime | None


class ListedFeeds(msgspec.Struct):
    """One page of listed feeds, by title."""

    items: list[ListedFeed]
    total: int | None = None
    next: str | None = None


class NewFeed(msgspec.Struct, forbid_unknown_fields=True):
    """A feed that everybody may add from now on."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    title: Title = ""
    tag: Slug | None = None
    pace: Pace = "normal"
    refresh_minutes: Minutes | None = None
    default_on: bool = False
    ai_critical: bool = False
    reason: Annotated[str, Meta(max_length=500)] = ""


class FeedChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be different; what is not given stays. `state` switches a feed off and on again."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)] | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    tag: Slug | None | UnsetType = UNSET
    pace: Pace | UnsetType = UNSET
    refresh_minutes: Minutes | None | UnsetType = UNSET
    default_on: bool | UnsetType = UNSET
    ai_critical: bool | UnsetType = UNSET
    state: Literal["active", "disabled"] | UnsetType = UNSET
    reason: Annotated[str, Meta(max_length=500)] = ""


COLUMNS = """
SELECT f.id, f.title, f.url, f.site_url, t.slug AS tag, f.pace, f.refresh_minutes, f.default_on, f.ai_critical, f.state,
       f.failures, f.failing_since, f.error_code, f.last_ok_at, f.last_try_at, f.next_fetch_at,
       (SELECT count(*) FROM feed_subscriptions s WHERE s.feed_id = f.id AND s.unsubscribed_at IS NULL) AS subscribers,
       (SELECT count(*) FROM feed_items i WHERE i.feed_id = f.id) AS items
FROM feeds f LEFT JOIN tags t ON t.id = f.tag_id
WHERE f.visibility = 'listed'
"""
PAGE = f"""{COLUMNS} AND ($1::text IS NULL OR f.state = $1) AND ($2::text IS NULL OR t.slug = $2)
    AND ($3::text IS NULL OR f.title ILIKE $3 OR f.url ILIKE $3)
    AND ($4::bigint IS NULL OR (lower(f.title), f.id) > (lower($5::text), $4))
ORDER BY lower(f.title), f.id LIMIT $6"""
BY_ID = f"{COLUMNS} AND f.id = $1"


async def page(services: Services, asked: FeedQuery) -> ListedFeeds:
    """The listed feeds that fit, by title."""
    pattern = f"%{escaped(asked.q)}%" if asked.q else None
    last_id, _, title = (asked.cursor or "").partition(".")
    after = (int(last_id), title) if last_id else (None, None)
    rows = await services.db.fetch(PAGE, asked.state, asked.tag, pattern, *after, asked.limit + 1)
    items = [listed(row) for row in rows[: asked.limit]]
    following = f"{items[-1].id}.{items[-1].title}" if len(rows) > asked.limit else None
    return ListedFeeds(items, next=following)


async def by_id(services: Services, feed_id: int) -> ListedFeed:
    """One listed feed. Raises NotFound: what members brought is theirs."""
    row = await services.db.fetchrow(BY_ID, feed_id)
    if row is None:
        raise NotFound("There is no such feed.")
    return listed(row)


def listed(row: Any) -> ListedFeed:
    """One row of COLUMNS."""
    plain = {
        name: row[name]
        for name in ListedFeed.__struct_fields__
        if name != "health"
    }  # fmt: skip
    return ListedFeed(**plain, health=health(row))


class Attempt(msgspec.Struct):
    """One attempt to fetch a feed."""

    at: datetime
    status: int | None
    ms: int | None
    bytes: int | None
    new_items: int
    error_code: str | None


ATTEMPTS = """
SELECT at, status, ms, bytes, new_items, error_code FROM feed_fetches WHERE feed_id = $1 ORDER BY at DESC LIMIT 20
"""


async def attempts(services: Services, feed_id: int) -> list[Attempt]:
    """The last twenty attempts, the newest first."""
    return [Attempt(**dict(row)) for row in await services.db.fetch(ATTEMPTS, feed_id)]


# What a member brought before becomes everybody's: the operator knows its address by themselves.
ADD = """
INSERT INTO feeds (url, url_key, visibility, title, tag_id, pace, refresh_minutes, default_on, ai_critical, default_changed_at)
SELECT $1, $2, 'listed', $3, (SELECT id FROM tags WHERE slug = $4 AND state = 'active'), $5, $6, $7, $8,
       CASE WHEN $7 THEN now() END
ON CONFLICT (url_key) WHERE owner_id IS NULL DO UPDATE
SET visibility = 'listed', title = coalesce(nullif(EXCLUDED.title, ''), feeds.title), tag_id = EXCLUDED.tag_id,
    pace = EXCLUDED.pace, refresh_minutes = EXCLUDED.refresh_minutes, default_on = EXCLUDED.default_on,
    ai_critical = EXCLUDED.ai_critical, next_fetch_at = now(), default_changed_at = EXCLUDED.default_changed_at,
    -- One that was taken off the lists, or gave up, before its row was gone begins anew as well.
    state = 'active', failures = 0, failing_since = NULL, error_code = NULL, version = feeds.version + 1
WHERE feeds.visibility <> 'listed'
RETURNING id
"""


async def add(services: Services, who: Reader, new: NewFeed) -> ListedFeed:
    """List a feed for everybody; it is fetched within a minute. Raises Invalid, Conflict."""
    url = checked_url(new.url)
    await check_tag(services, new.tag)
    async with services.tx() as tx:
        feed_id = await tx.db.fetchval(
            ADD, url, url_key(url), new.title.strip(), new.tag, new.pace, new.refresh_minutes,
            new.default_on, new.ai_critical,
        )  # fmt: skip
        if feed_id is None:
            raise Conflict("This feed is listed already.")
        await news_index.changed(tx, feed_id)
        after = msgspec.to_builtins(new)
        del after["reason"]
        await audit.add(tx, who, "feed.added", ("feed", feed_id), new.reason, after=after)
        return await by_id(tx, feed_id)


def checked_url(text: str) -> str:
    """The address of a feed for everybody. Raises Invalid."""
    url = completed(text)
    sentence = "" if url else "This is no address of the web. Try something like example.org/feed."
    if url and looks_private(url):
        sentence = "This address holds a password or a key. What is listed is seen by everybody."
    if url is None or sentence:
        raise Invalid(sentence, errors={"url": sentence})
    return url


async def check_tag(services: Services, slug: str | None | UnsetType) -> None:
    """See that a tag is one of the closed list. Raises Invalid."""
    if slug is UNSET or slug is None:
        return
    known = await services.db.fetchval(
        "SELECT true FROM tags WHERE slug = $1 AND state = 'active'", slug
    )
    if not known:
        sentence = "Please choose one of the tags."
        raise Invalid(sentence, errors={"tag": sentence})


# A new address begins anew: what was remembered of the old document says nothing of it. What is only named or sorted
# anew is fetched when it is due, as its publisher asked for. $10: whether the set of defaults changes by this, which
# visitors' pages must notice.
CHANGE = """
UPDATE feeds SET title = $2, tag_id = (SELECT id FROM tags WHERE slug = $3), pace = $4, refresh_minutes = $5,
    default_on = $6, ai_critical = $7, url = $9,
    state = CASE WHEN url = $9 OR $8 = 'disabled' THEN $8 ELSE 'active' END,
    url_key = $11, default_changed_at = CASE WHEN $10 THEN now() ELSE default_changed_at END, version = version + 1,
    next_fetch_at = CASE
        WHEN $8 = 'disabled' THEN NULL
        WHEN (url, state, pace, refresh_minutes) IS NOT DISTINCT FROM ($9, $8, $4, $5::integer) THEN next_fetch_at
        ELSE now()
    END,
    etag = CASE WHEN url = $9 THEN etag END, last_modified = CASE WHEN url = $9 THEN last_modified END,
    body_hash = CASE WHEN url = $9 THEN body_hash END,
    failures = CASE WHEN url = $9 AND state = $8 THEN failures ELSE 0 END,
    failing_since = CASE WHEN url = $9 AND state = $8 THEN failing_since END,
    error_code = CASE WHEN url = $9 AND state = $8 THEN error_code END
WHERE id = $1
"""
LOCK = "SELECT id FROM feeds WHERE id = $1 AND visibility = 'listed' FOR NO KEY UPDATE"
TAKEN = "SELECT true FROM feeds WHERE url_key = $1 AND owner_id IS NULL AND id <> $2"


async def change(services: Services, who: Reader, feed_id: int, wish: FeedChange) -> ListedFeed:
    """Change a listed feed. Raises NotFound, Invalid, Conflict."""
    await check_tag(services, wish.tag)
    async with services.tx() as tx:
        await tx.db.execute(LOCK, feed_id)
        old = await by_id(tx, feed_id)
        given = {
            name: getattr(wish, name)
            for name in wish.__struct_fields__
            if name != "reason" and getattr(wish, name) is not UNSET
        }
        if "url" in given:
            given["url"] = checked_url(given["url"])
            if await tx.db.fetchval(TAKEN, url_key(given["url"]), feed_id):
                raise Conflict("Another feed has this address.")
        new = msgspec.structs.replace(old, **given)
        defaults_change = (old.default_on or new.default_on) and (
            old.default_on != new.default_on or old.state != new.state
        )
        await tx.db.execute(
            CHANGE, feed_id, new.title, new.tag, new.pace, new.refresh_minutes, new.default_on,
            new.ai_critical, new.state, new.url, defaults_change, url_key(new.url),
        )  # fmt: skip
        before = {name: getattr(old, name) for name in given}
        await audit.add(
            tx, who, "feed.changed", ("feed", feed_id), wish.reason, before=before, after=given
        )
        return await by_id(tx, feed_id)


CLEAR = """
UPDATE feeds SET state = 'active', failures = 0, failing_since = NULL, error_code = NULL, next_fetch_at = now(),
    version = version + 1
WHERE id = $1 AND visibility = 'listed' AND state <> 'disabled' RETURNING failures
"""


async def clear_failures(services: Services, who: Reader, feed_id: int) -> ListedFeed:
    """Forget a feed's failures and ask it again at once (rule 21). Raises NotFound."""
    async with services.tx() as tx:
        if await tx.db.fetchval(CLEAR, feed_id) is None:
            raise NotFound("There is no such feed, or it is switched off.")
        await audit.add(tx, who, "feed.cleared", ("feed", feed_id))
        return await by_id(tx, feed_id)


SAVED_BY = """
SELECT count(DISTINCT st.user_id) FROM item_states st JOIN feed_items i ON i.id = st.item_id
WHERE i.feed_id = $1 AND st.saved_at IS NOT NULL
"""
UNLIST = """
UPDATE feeds SET visibility = 'member', state = 'disabled', default_on = false, default_changed_at = now(),
    next_fetch_at = NULL, version = version + 1
WHERE id = $1
"""


async def remove(services: Services, who: Reader, feed_id: int, reason: str = "") -> None:
    """Take a feed out of every list at once; a job deletes its items. Raises NotFound; Conflict while stories of it are saved."""
    async with services.tx() as tx:
        await tx.db.execute(LOCK, feed_id)
        old = await by_id(tx, feed_id)
        if people := await tx.db.fetchval(SAVED_BY, feed_id):
            have = "person has" if people == 1 else "people have"
            raise Conflict(f"{people} {have} saved stories of this feed. Switch it off instead.")
        await tx.db.execute(UNLIST, feed_id)
        await tx.enqueue("remove_feed", feed_id, actor_id=who.id)
        await news_index.changed(tx, feed_id)
        before = {"url": old.url, "title": old.title, "subscribers": old.subscribers}
        await audit.add(tx, who, "feed.removed", ("feed", feed_id), reason, before=before)


ROWS = 5_000
DELETE_ITEMS = """
WITH dead AS (
    DELETE FROM feed_items WHERE id IN (SELECT id FROM feed_items WHERE feed_id = $1 LIMIT $2) RETURNING id
)
SELECT count(*) FROM dead
"""
DELETE_FEED = "DELETE FROM feeds WHERE id = $1 AND visibility = 'member' AND state = 'disabled'"


async def delete_removed(services: Services, feed_id: int) -> None:
    """Delete a feed that was taken out of the lists, 5,000 items a statement; listed again meanwhile, it stays."""
    gone = "SELECT true FROM feeds WHERE id = $1 AND visibility = 'member' AND state = 'disabled'"
    while await services.db.fetchval(gone, feed_id):
        if await services.db.fetchval(DELETE_ITEMS, feed_id, ROWS) < ROWS:
            await services.db.execute(DELETE_FEED, feed_id)
