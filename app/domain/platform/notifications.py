"""The bell: one line a notice, told once, read or not."""

from datetime import datetime

import msgspec

from app.domain.platform.readers import Reader
from app.services import Services

BELL_COUNTS_TO = 100


class Notice(msgspec.Struct):
    """One line in the bell."""

    id: int
    type: str
    title: str
    body: str
    url: str | None
    read_at: datetime | None
    created_at: datetime


class NoticeList(msgspec.Struct):
    """Notices, newest first; `total` are the unread ones, at most 100."""

    items: list[Notice]
    total: int | None
    next: str | None = None


# Who wants a type neither in the bell nor by mail is not told at all.
ADD = """
WITH ways AS (
    SELECT coalesce((SELECT wanted FROM notification_choices WHERE user_id = $1 AND type = $2 AND channel = 'bell'), true)
               AS by_bell,
           coalesce((SELECT wanted FROM notification_choices WHERE user_id = $1 AND type = $2 AND channel = 'mail'), true)
               AS by_mail
)
INSERT INTO notifications (user_id, type, title, body, url, dedupe_key, by_bell, by_mail)
SELECT $1, $2, left($3, 200), left($4, 1000), $5, $6, by_bell, by_mail FROM ways WHERE by_bell OR by_mail
ON CONFLICT (user_id, dedupe_key) DO NOTHING
RETURNING id
"""


async def add(
    services: Services,
    user_id: int,
    type: str,
    title: str,
    body: str = "",
    url: str | None = None,
    dedupe_key: str | None = None,
) -> int | None:
    """Tell one person of something in the caller's transaction, once a `dedupe_key`; None when nothing was told.

    `url` is a path of this site.
    """
    found: int | None = await services.db.fetchval(ADD, user_id, type, title, body, url, dedupe_key)
    return found


LATEST = """
SELECT id, type, title, body, url, read_at, created_at FROM notifications
WHERE user_id = $1 AND by_bell AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""


async def latest(
    services: Services, who: Reader, limit: int = 20, before: int | None = None
) -> NoticeList:
    """A person's notices, newest first, and how many of all are unread."""
    rows = await services.db.fetch(LATEST, who.id, before, limit + 1)
    items = [Notice(**dict(row)) for row in rows[:limit]]
    following = str(items[-1].id) if len(rows) > limit else None
    return NoticeList(items, await unread(services, who), following)


UNREAD = """
SELECT count(*) FROM (
    SELECT FROM notifications WHERE user_id = $1 AND by_bell AND read_at IS NULL LIMIT 100
) AS few
"""


async def unread(services: Services, who: Reader) -> int:
    """How many notices a person has not read, counted to 100."""
    return await services.db.fetchval(UNREAD, who.id) or 0


READ = """
UPDATE notifications SET read_at = now()
WHERE user_id = $1 AND read_at IS NULL AND ($2::bigint[] IS NULL OR id = ANY($2)) AND ($3::bigint IS NULL OR id <= $3)
"""


async def read(
    services: Services, who: Reader, ids: list[int] | None = None, until: int | None = None
) -> int:
    """Mark these notices of a person as read, or all up to the id `until`; answer how many are still unread."""
    await services.db.execute(READ, who.id, ids, until)
    return await unread(services, who)


PURGE = "DELETE FROM notifications WHERE created_at < now() - interval '400 days'"


async def purge(services: Services) -> None:
    """Forget notices that are older than the letters' rows."""
    await services.db.execute(PURGE)
