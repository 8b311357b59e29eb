"""Thumbnails of posts: made by us, private, in bucket `profiles`, and gone with every version when they are deleted."""

from collections.abc import Sequence
from typing import Any

import structlog

from app.domain.platform import file_links, objects
from app.domain.platform.objects import File
from app.errors import OutsideFailed, Problem
from app.services import Services

log = structlog.get_logger("social")

BUCKET = "profiles"
VARIANT = ("thumbnail", 320, 320, "cropped")
MOST_BYTES = 10 * 2**20
# What may be gone next time; anything else says that there is no picture.
PASSING = frozenset({"timeout", "too_slow", "connect", "dns", "cut_off", "http_429"})
# Addresses of a half day are the same, so that a page stays byte for byte what it was; of less where they end sooner.
HALF_DAY = 43_200


def subject(account_id: int) -> str:
    """What the thumbnails of an account are about."""
    return f"social:{account_id}"


# Noted once, and only where the post is still there; each one says that its fetch is not over.
NOTE = """
WITH noted AS (UPDATE social_posts SET media = $2 WHERE id = $1 RETURNING account_id)
UPDATE social_accounts a SET taken_until = now() + interval '60 seconds'
FROM noted WHERE a.id = noted.account_id RETURNING a.id
"""


async def make(services: Services, account: Any, post_id: int, addresses: Sequence[str]) -> bool:
    """Make the thumbnails of one post; False when they have to wait. A post that died meanwhile gets none."""
    if services.outside.get("s3") is None:
        return False
    try:
        files = [
            File(f"social/{post_id}/{place}.webp", content, variant=VARIANT[0], size=VARIANT[1:3])
            for place, content in enumerate(await small(services, addresses))
        ]
        if files:
            whose = {"owner_id": account["user_id"], "subject": subject(account["id"])}
            await objects.put_all(services, BUCKET, files, visibility="private", **whose)
        keys = [file.key for file in files]
        if await services.db.fetchval(NOTE, post_id, keys) is None and keys:
            await objects.remove_for_good(services, BUCKET, keys)
    except (OutsideFailed, Problem) as failed:
        log.info("thumbnails wait", account_id=account["id"], why=failed.code)
        return False
    return True


async def small(services: Services, addresses: Sequence[str]) -> list[bytes]:
    """The pictures at some addresses as WebP of our size; what is no picture is left out. Raises OutsideFailed."""
    made: list[bytes] = []
    for address in addresses:
        try:
            fetched = await services.outside["guarded"].fetch(
                address, accept="image/*", max_bytes=MOST_BYTES
            )
            [picture] = await services.outside["pictures"].webp(fetched.content, [VARIANT])
        except OutsideFailed as failed:
            if failed.code in PASSING or failed.code.startswith("http_5"):
                raise
            continue
        made.append(picture.content)
    return made


IDS = """
SELECT id, key FROM stored_objects
WHERE bucket = 'profiles' AND key = ANY($1::text[]) AND owner_id = $2 AND state = 'live'
"""


async def addresses(
    services: Services, user_id: int, keys: Sequence[str], at: float
) -> dict[str, str]:
    """The signed addresses of a member's own thumbnails by key."""
    start = at - at % max(1, min(HALF_DAY, services.settings.signed_url_private_ttl * 30))
    rows = await services.db.fetch(IDS, keys, user_id) if keys else []
    return {
        row["key"]: file_links.signed_address(services.settings, row["id"], start) for row in rows
    }


# Said first, in the transaction that deletes the posts: from then on nobody is shown one of them.
MARK = "UPDATE stored_objects SET state = 'deleting' WHERE bucket = 'profiles' AND subject = ANY($1::text[])"


async def forget(
    services: Services, account_ids: Sequence[int], deletion_id: int | None = None
) -> None:
    """Let the thumbnails of accounts go; a job takes them out of the store. Needs a transaction."""
    await services.db.execute(MARK, [subject(one) for one in account_ids])
    await services.enqueue("erase_social_pictures", list(account_ids), deletion_id)


MARKED = """
SELECT key FROM stored_objects
WHERE bucket = 'profiles' AND subject = ANY($1::text[]) AND state = 'deleting' LIMIT 100
"""
# A deletion whose job gave up is done as soon as nothing that old is left to be taken out, whoever took it out.
DONE = """
UPDATE social_deletions d SET done_at = now()
WHERE done_at IS NULL AND (id = $1 OR NOT EXISTS (
    SELECT FROM stored_objects o
    WHERE o.bucket = 'profiles' AND o.key COLLATE "C" >= 'social/' AND o.key COLLATE "C" < 'social0'
      AND o.state <> 'live' AND o.created_at <= d.created_at))
"""


async def erase(
    services: Services, account_ids: Sequence[int], deletion_id: int | None = None
) -> None:
    """Take out of the store, with every version, what `forget` let go. Raises NotConfigured, ServiceDown."""
    subjects = [subject(one) for one in account_ids]
    while rows := await services.db.fetch(MARKED, subjects):
        await objects.remove_for_good(services, BUCKET, [row["key"] for row in rows])
    await services.db.execute(DONE, deletion_id)


# What was stored while its post or its whole account went, by a process that then died. Numbers are read only where
# there are some, in whichever order conditions are looked at.
ORPHANS = """
WITH orphans AS (
    SELECT o.id FROM stored_objects o
    WHERE o.bucket = 'profiles' AND o.key COLLATE "C" >= 'social/' AND o.key COLLATE "C" < 'social0'
      AND o.created_at < now() - interval '1 hour' AND o.subject ~ '^social:[0-9]{1,18}$'
      AND NOT EXISTS (SELECT FROM social_posts p WHERE p.id = CASE
          WHEN o.key ~ '^social/[0-9]{1,18}/' THEN split_part(o.key, '/', 2)::bigint END)
    LIMIT 500
)
UPDATE stored_objects o SET state = 'deleting' FROM orphans WHERE o.id = orphans.id
RETURNING substr(o.subject, 8) AS account_id
"""


UNDONE = """
SELECT EXISTS (SELECT FROM social_deletions WHERE done_at IS NULL AND created_at < now() - interval '1 hour')
"""


async def sweep(services: Services) -> None:
    """Let thumbnails go whose post or account is not there any more, and end deletions whose job gave up."""
    async with services.tx() as tx:
        found = {int(row["account_id"]) for row in await tx.db.fetch(ORPHANS)}
        if found or await tx.db.fetchval(UNDONE):
            await tx.enqueue("erase_social_pictures", sorted(found), None)
