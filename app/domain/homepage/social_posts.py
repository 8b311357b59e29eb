"""Posts of connected accounts: the 25 newest every half hour by a job, archived when that fails for a week (rules 55, 56)."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter

from app.domain.homepage import social_connections, social_pictures, versions
from app.domain.platform import flags
from app.errors import Defer, Forbidden, NotFound, Problem
from app.services import Services

log = structlog.get_logger("social")

NEWEST = 25
# A slow host holds up no job of LOW for long: after so many seconds the pictures that are left wait for the next look.
PICTURING_SECONDS = 100.0
# A post from the future was dated by somebody whose clock is wrong.
AHEAD = timedelta(minutes=10)
FAILURES = Counter(
    "social_api_failures", "Requests to a social network that brought no posts.", ("platform",)
)
for platform in social_connections.DOORS:
    FAILURES.labels(platform)

# What the platform calls void stays so until the member connects again; a look a day tells when it was a mistake.
DUE = """
SELECT a.id, a.user_id, a.platform FROM social_accounts a JOIN users u ON u.id = a.user_id
WHERE a.id > $1 AND a.revoked_at IS NULL AND a.token_enc IS NOT NULL AND u.closed_at IS NULL
  AND (a.last_try_at IS NULL OR a.last_try_at < now() - CASE
      WHEN a.error_code IN ('token_void', 'no_permission') THEN interval '23 hours' ELSE interval '20 minutes' END)
ORDER BY a.id LIMIT 500
"""


async def dispatch(services: Services) -> int:
    """Write a job for each account that is due; answer how many."""
    last, total = 0, 0
    while rows := await services.db.fetch(DUE, last):
        last = rows[-1]["id"]
        ids = [row["id"] for row in rows if is_wanted(services, row)]
        async with services.tx() as tx:
            keys = [f"account:{one}" for one in ids]
            await tx.enqueue_many("refresh_social", [(one,) for one in ids], keys=keys)
        total += len(ids)
    return total


def is_wanted(services: Services, account: Any) -> bool:
    """Whether the platform is set up, and the member has the widget."""
    door = social_connections.DOORS[account["platform"]]
    return door in services.outside and flags.is_on(
        services, account["user_id"], "social_integration"
    )


# Whoever takes it has it for a minute at a time. It is due too when the last fetch left posts without a look at their
# pictures: its process may have died on the way.
TAKE = """
UPDATE social_accounts a SET taken_until = now() + interval '60 seconds', last_try_at = now()
WHERE a.id = $1 AND a.revoked_at IS NULL AND a.token_enc IS NOT NULL AND (a.taken_until IS NULL OR a.taken_until <= now())
  AND NOT EXISTS (SELECT FROM users u WHERE u.id = a.user_id AND u.closed_at IS NOT NULL)
  AND (a.last_ok_at IS NULL OR a.last_ok_at < now() - interval '20 minutes' OR a.granted_at > a.last_ok_at OR EXISTS (
      SELECT FROM social_posts p WHERE p.account_id = a.id AND p.media IS NULL AND p.fetched_at >= a.last_ok_at))
RETURNING a.id, a.user_id, a.platform, a.account_id, a.token_enc, a.error_code
"""
BUSY_UNTIL = "SELECT taken_until FROM social_accounts WHERE id = $1 AND taken_until > now()"
LET_GO = "UPDATE social_accounts SET taken_until = NULL WHERE id = $1"


async def refresh(services: Services, account_id: int) -> None:
    """Fetch the newest posts of one account that is due. Raises ServiceDown, and Defer while another worker is at it."""
    account = await services.db.fetchrow(TAKE, account_id)
    if account is None:
        if until := await services.db.fetchval(BUSY_UNTIL, account_id):
            raise Defer(until, "Another worker is at it.")
        return
    try:
        found = await newest(services, account) if is_wanted(services, account) else None
        if found is not None:
            waiting = await keep(services, account, found)
            await picture(services, account, waiting)
    finally:
        await services.db.execute(LET_GO, account_id)


async def newest(services: Services, account: Any) -> list[Any] | None:
    """What the platform answers; None when it takes the token no more. Raises NotFound, ServiceDown."""
    try:
        door = social_connections.door(services, account["platform"])
        token = social_connections.unsealed(services, account["id"], account["token_enc"])
        return await door.posts(account["account_id"], token, NEWEST)
    except Problem as problem:
        FAILURES.labels(account["platform"]).inc()
        log.info("no posts", account_id=account["id"], why=problem.code)
        await fail(services, account, problem.code)
        if isinstance(problem, Forbidden | NotFound):
            return None
        raise


FAILED = "UPDATE social_accounts SET error_code = $2 WHERE id = $1 AND token_enc = $3"


async def fail(services: Services, account: Any, code: str) -> None:
    """Note why there were no posts; a token that came meanwhile is not to blame."""
    async with services.tx() as tx:
        await tx.db.execute(FAILED, account["id"], code, account["token_enc"])
        if code != account["error_code"]:
            await versions.bump(tx, account["user_id"], "social")


# The row of the account is locked first: whoever deletes it or its posts comes before all of this, or after.
ALIVE = """
SELECT posts_after FROM social_accounts WHERE id = $1 AND revoked_at IS NULL FOR UPDATE
"""
KEEP = """
INSERT INTO social_posts AS kept
    (user_id, account_id, platform, platform_post_id, post_type, caption, permalink, posted_at, engagement)
SELECT a.user_id, a.id, a.platform, post.id, post.kind, post.caption, post.permalink, post.posted_at, post.engagement
FROM social_accounts a
CROSS JOIN jsonb_to_recordset($2::jsonb)
    AS post (id text, kind text, caption text, permalink text, posted_at timestamptz, engagement jsonb)
WHERE a.id = $1
ORDER BY post.id
ON CONFLICT (user_id, platform, platform_post_id) DO UPDATE
SET account_id = EXCLUDED.account_id, post_type = EXCLUDED.post_type, caption = EXCLUDED.caption,
    permalink = EXCLUDED.permalink, engagement = EXCLUDED.engagement, fetched_at = now()
RETURNING id, platform_post_id, media IS NULL AS is_new
"""
SUCCEEDED = """
UPDATE social_accounts SET last_ok_at = now(), error_code = NULL WHERE id = $1
"""
UNARCHIVE = "UPDATE social_posts SET archived = false WHERE account_id = $1 AND archived"


async def keep(services: Services, account: Any, found: Sequence[Any]) -> dict[int, list[str]]:
    """Keep what was fetched; answer the pictures of the posts that have no thumbnails yet, by id, in the platform's order."""
    now = datetime.now(UTC)
    async with services.tx() as tx:
        alive = await tx.db.fetchrow(ALIVE, account["id"])
        if alive is None:
            return {}
        posts = {post.id: dated(post, now) for post in found}
        after = alive["posts_after"]
        wanted = [one for one in posts.values() if after is None or one.posted_at > after]
        rows = await tx.db.fetch(KEEP, account["id"], msgspec.to_builtins(wanted))
        await tx.db.execute(SUCCEEDED, account["id"])
        await tx.db.execute(UNARCHIVE, account["id"])
        await versions.bump(tx, account["user_id"], "social")
    fresh = {row["platform_post_id"]: row["id"] for row in rows if row["is_new"]}
    return {fresh[key]: post.pictures for key, post in posts.items() if key in fresh}


def dated(post: Any, now: datetime) -> Any:
    """A post with a time that can be: without one, and from the future, it is that of first sight."""
    usable = post.posted_at is not None and post.posted_at <= now + AHEAD
    return post if usable else msgspec.structs.replace(post, posted_at=now)


async def picture(services: Services, account: Any, waiting: dict[int, list[str]]) -> None:
    """Make the thumbnails of some posts, one post after the other; what cannot be made now is made next time."""
    began, made = time.monotonic(), False
    for post_id, addresses in waiting.items():
        made |= await social_pictures.make(services, account, post_id, addresses)
        if time.monotonic() - began > PICTURING_SECONDS:
            break
    if made:
        async with services.tx() as tx:
            await versions.bump(tx, account["user_id"], "social")


STANDING = """
SELECT count(*) AS live,
       count(*) FILTER (WHERE coalesce(last_ok_at, granted_at) < now() - interval '1 day') AS late
FROM social_accounts WHERE revoked_at IS NULL
"""


async def standing(services: Services) -> tuple[int, int]:
    """How many accounts are connected, and how many of them had no success for a day."""
    row = await services.db.fetchrow(STANDING)
    return row["live"], row["late"]


# A day over the week of rule 56 would be shown wrongly, so the age is the rule's own.
ARCHIVE = """
WITH stale AS (
    UPDATE social_posts p SET archived = true FROM social_accounts a
    WHERE a.id = p.account_id AND NOT p.archived
      AND (a.revoked_at IS NOT NULL OR coalesce(a.last_ok_at, a.granted_at) < now() - interval '7 days')
    RETURNING p.user_id
)
INSERT INTO reader_versions (user_id, area) SELECT DISTINCT user_id, 'social' FROM stale
ON CONFLICT (user_id, area) DO UPDATE SET version = reader_versions.version + 1
"""
PURGE_TRIPS = "DELETE FROM social_trips WHERE expires_at < now() - interval '1 day'"
PURGE_DELETIONS = "DELETE FROM social_deletions WHERE created_at < now() - interval '400 days'"


async def archive(services: Services) -> None:
    """Archive the posts of accounts that could not be fetched for a week; clear up behind trips and deletions."""
    await services.db.execute(ARCHIVE)
    await services.db.execute(PURGE_TRIPS)
    await services.db.execute(PURGE_DELETIONS)
    await social_pictures.sweep(services)
