"""Feeds by address: what a person brings is joined to the feed that has the address, or becomes one of its own."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.homepage import subscriptions, versions
from app.domain.homepage.feed_addresses import looks_private
from app.domain.homepage.feed_documents import url_key
from app.domain.platform import secrets
from app.services import Services


class Wish(NamedTuple):
    """One address that a person wants to read, with the name and folder they give it."""

    url: str
    title: str | None = None
    folder: str | None = None
    private: bool = False


class Added(NamedTuple):
    """What became of a wish: the feed, and whether it is new to the person; `code` says why it could not be met."""

    feed_id: int
    new: bool
    code: str | None = None


NO_ROOM = Added(0, new=False, code="too_many_feeds")


# The row is updated to itself where it is there already, so that its id comes back in any case. Ordered, so that two
# people who bring the same list wait for one another rather than for ever.
ADD_SHARED = """
WITH wishes AS (
    SELECT DISTINCT ON (w.url_key) w.url, w.url_key, w.title, w.folder
    FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[]) WITH ORDINALITY AS w (url, url_key, title, folder, place)
    ORDER BY w.url_key, w.place
), found AS (
    INSERT INTO feeds (url, url_key, visibility, added_by)
    SELECT url, url_key, 'member', $1 FROM wishes ORDER BY url_key
    ON CONFLICT (url_key) WHERE owner_id IS NULL DO UPDATE SET url_key = EXCLUDED.url_key
    RETURNING id, url_key, state
), taken AS (
    INSERT INTO feed_subscriptions (user_id, feed_id, title, folder, origin)
    SELECT $1, f.id, w.title, w.folder, $6 FROM found f JOIN wishes w USING (url_key) WHERE f.state <> 'disabled'
    ON CONFLICT (user_id, feed_id) DO UPDATE
    SET unsubscribed_at = NULL, title = EXCLUDED.title, folder = EXCLUDED.folder, origin = EXCLUDED.origin
    WHERE feed_subscriptions.unsubscribed_at IS NOT NULL
    RETURNING feed_id
)
SELECT f.id, f.url_key, f.state, t.feed_id IS NOT NULL AS new FROM found f LEFT JOIN taken t ON t.feed_id = f.id
"""
# An ended feed that somebody found alive again is asked anew.
REVIVE = """
UPDATE feeds SET state = 'active', failures = 0, failing_since = NULL, error_code = NULL, next_fetch_at = now()
WHERE id = ANY($1) AND state = 'gone'
"""


async def add(tx: Services, user_id: int, wishes: Sequence[Wish], origin: str) -> list[Added]:
    """Let a person read some addresses; answers in the order of the wishes. Fetching is left to the dispatcher."""
    wanted = await with_room(tx, user_id, wishes)
    open_ones = [wish for wish in wishes if not is_private(wish) and url_key(wish.url) in wanted]
    found = await add_shared(tx, user_id, open_ones, origin)
    added: list[Added] = []
    told: set[int] = set()
    for wish in wishes:
        if (key := url_key(wish.url)) not in wanted:
            added.append(NO_ROOM)
            continue
        one = await add_private(tx, user_id, wish, origin) if is_private(wish) else found[key]
        # The same address twice in one list is new once.
        added.append(one._replace(new=one.new and one.feed_id not in told))
        told.add(one.feed_id)
    ids = [one.feed_id for one in added if one.code is None]
    await tx.db.execute(subscriptions.SOON, ids)
    await tx.db.execute(REVIVE, ids)
    await versions.bump(tx, user_id, "news")
    return added


KNOWN = """
SELECT DISTINCT f.url_key FROM feed_subscriptions s JOIN feeds f ON f.id = s.feed_id
WHERE s.user_id = $1 AND s.unsubscribed_at IS NULL AND f.url_key = ANY($2)
"""


async def with_room(tx: Services, user_id: int, wishes: Sequence[Wish]) -> set[bytes]:
    """The keys of the addresses that a person reads already, and of as many others as there is room for, in their order."""
    room = await subscriptions.room(tx, user_id)
    keys = list(dict.fromkeys(url_key(wish.url) for wish in wishes))
    if len(keys) <= room:
        return set(keys)
    known = {row["url_key"] for row in await tx.db.fetch(KNOWN, user_id, keys)}
    others = [key for key in keys if key not in known]
    return known | set(others[: max(room, 0)])


def is_private(wish: Wish) -> bool:
    """Whether the feed is to be the person's alone."""
    return wish.private or looks_private(wish.url)


async def add_shared(
    tx: Services, user_id: int, wishes: Sequence[Wish], origin: str
) -> dict[bytes, Added]:
    """Addresses that are fetched once for all who read them; by their keys."""
    if not wishes:
        return {}
    rows = await tx.db.fetch(
        ADD_SHARED,
        user_id,
        [wish.url for wish in wishes],
        [url_key(wish.url) for wish in wishes],
        [wish.title for wish in wishes],
        [wish.folder for wish in wishes],
        origin,
    )
    return {
        row["url_key"]: Added(
            row["id"], row["new"], "not_offered" if row["state"] == "disabled" else None
        )
        for row in rows
    }


ADD_PRIVATE = """
INSERT INTO feeds (id, url_enc, url_key, owner_id, visibility, added_by) OVERRIDING SYSTEM VALUE
VALUES ($1, $2, $3, $4, 'private', $4)
ON CONFLICT (owner_id, url_key) WHERE owner_id IS NOT NULL DO UPDATE SET url_key = EXCLUDED.url_key
RETURNING id
"""
TAKE_PRIVATE = """
INSERT INTO feed_subscriptions (user_id, feed_id, title, folder, origin) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id, feed_id) DO UPDATE
SET unsubscribed_at = NULL, title = EXCLUDED.title, folder = EXCLUDED.folder, origin = EXCLUDED.origin
WHERE feed_subscriptions.unsubscribed_at IS NOT NULL
RETURNING feed_id
"""


async def add_private(tx: Services, user_id: int, wish: Wish, origin: str) -> Added:
    """An address that is its owner's alone, encrypted under the id that its row will have."""
    drawn = await tx.db.fetchval("SELECT nextval('feeds_id_seq')")
    sealed = secrets.seal(tx.settings, "feeds", "url_enc", drawn, wish.url)
    feed_id = await tx.db.fetchval(ADD_PRIVATE, drawn, sealed, url_key(wish.url), user_id)
    taken = await tx.db.fetchval(TAKE_PRIVATE, user_id, feed_id, wish.title, wish.folder, origin)
    return Added(feed_id, taken is not None)
