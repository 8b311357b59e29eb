"""Merges: what a visitor set up goes over to the member they became, or does not (chapter 10 rule 18).

Each sign-in from a browser with a visitor's row asks once; nothing moves before the answer, and none in 30 days is a no.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

import msgspec
import structlog

from app.domain.platform import site_settings
from app.domain.platform.readers import Reader, token_hash
from app.errors import Conflict, NotFound
from app.services import Services

log = structlog.get_logger("merges")


class Merge(NamedTuple):
    """How one noun goes over: the tables it stands in, a count of a visitor's ($1), and merge(tx, from, to)."""

    noun: str
    tables: tuple[str, ...]
    counting: str
    act: Callable[[Services, int, int], Awaitable[None]]


# Each chapter adds its nouns. They are merged in this order; what an act leaves with the visitor goes with their row.
MERGES: list[Merge] = []


class Counts(msgspec.Struct):
    """How many of one noun moved, and how many stayed because the member's own won or there was no room."""

    moved: int
    stayed: int = 0


class Answer(msgspec.Struct):
    """An answer to "keep what you set up here?", and by noun what became of it."""

    keep: bool
    at: datetime
    policy_version: str
    summary: dict[str, Counts]


ASK = """
INSERT INTO merge_questions (anonymous_user_id, authenticated_user_id)
SELECT v.id, $2 FROM users v
WHERE v.anon_hash = $1 AND v.kind = 'visitor' AND NOT EXISTS (
    SELECT FROM account_merge_audit a WHERE a.anonymous_user_id = v.id AND a.authenticated_user_id = $2)
ON CONFLICT (anonymous_user_id, authenticated_user_id) DO UPDATE SET created_at = merge_questions.created_at
RETURNING anonymous_user_id
"""


async def ask(services: Services, token: str, user_id: int) -> bool:
    """Note that this member is to be asked about the visitor of this cookie; False when there is nothing to ask."""
    return await services.db.fetchval(ASK, token_hash(token), user_id) is not None


OPEN = """
SELECT q.anonymous_user_id FROM merge_questions q JOIN users v ON v.id = q.anonymous_user_id
WHERE q.authenticated_user_id = $1 AND v.anon_hash = $2 AND v.kind = 'visitor'
"""


async def question(services: Services, who: Reader, token: str) -> int | None:
    """Return the number of the visitor whom this member is being asked about in this browser, or None."""
    found: int | None = await services.db.fetchval(OPEN, who.id, token_hash(token))
    return found


async def there(services: Services, visitor_id: int) -> dict[str, int]:
    """Return what a visitor set up: how many by noun."""
    counted = {m.noun: await services.db.fetchval(m.counting, visitor_id) for m in MERGES}
    return {noun: count for noun, count in counted.items() if count}


VISITOR = "SELECT id FROM users WHERE anon_hash = $1 AND kind = 'visitor'"
# In the order of their ids, so that two merges at once wait for one another and never in a ring.
LOCK = "SELECT id FROM users WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE"
ANSWERED = """
SELECT consent_given AS keep, consent_timestamp AS at, consent_policy_version AS policy_version,
       merged_data_summary AS summary
FROM account_merge_audit WHERE authenticated_user_id = $1 AND ($2::bigint IS NULL OR anonymous_user_id = $2)
ORDER BY id DESC LIMIT 1
"""
# The unique pair decides: of two answers at once the second sees the first's.
CLAIM = """
INSERT INTO account_merge_audit (anonymous_user_id, authenticated_user_id, consent_given, consent_policy_version,
    ip_address, user_agent)
VALUES ($1, $2, $3, $4, $5::text::inet, $6)
ON CONFLICT (anonymous_user_id, authenticated_user_id) DO NOTHING RETURNING id
"""
SUMMARY = "UPDATE account_merge_audit SET merged_data_summary = $2 WHERE id = $1"
CLOSE = """
DELETE FROM merge_questions WHERE anonymous_user_id = $1 AND ($3 OR authenticated_user_id = $2)
"""
FORGET = "DELETE FROM users WHERE id = $1 AND kind = 'visitor'"


async def answer(services: Services, who: Reader, token: str, *, keep: bool) -> Answer:
    """Keep what the visitor of this cookie set up, or start fresh. The same answer twice changes nothing.

    Raises Conflict for another answer than the first, NotFound when there is nothing to answer.
    """
    visitor_id: int | None = await services.db.fetchval(VISITOR, token_hash(token))
    async with services.tx() as tx:
        row_id = await claimed(tx, who, visitor_id, keep) if visitor_id else None
        if visitor_id and row_id:
            await tx.db.execute(CLOSE, visitor_id, who.id, keep)
            if keep:
                summary = await moved(tx, visitor_id, who.id)
                await tx.db.execute(SUMMARY, row_id, msgspec.to_builtins(summary))
                await tx.db.execute(FORGET, visitor_id)
            log.info("merge answered", keep=keep, user_id=who.id)
        found = await latest(tx, who, visitor_id)
    if found is None:
        raise NotFound("There is nothing here from before you signed in.")
    return same(found, keep)


async def claimed(tx: Services, who: Reader, visitor_id: int, keep: bool) -> int | None:
    """Lock both rows and write the answer down, with where it came from; None when somebody answered first."""
    locked = await tx.db.fetch(LOCK, [who.id, visitor_id])
    if visitor_id not in [row["id"] for row in locked]:
        return None
    policy = site_settings.of(tx).policy_version
    place = tx.origin.get("address") or None, tx.origin.get("agent") or None
    row_id: int | None = await tx.db.fetchval(CLAIM, visitor_id, who.id, keep, policy, *place)
    return row_id


async def latest(services: Services, who: Reader, visitor_id: int | None = None) -> Answer | None:
    """Return this member's last answer, or the one about a certain visitor; None before it was given."""
    row = await services.db.fetchrow(ANSWERED, who.id, visitor_id)
    return None if row is None else msgspec.convert(dict(row), Answer)


def same(earlier: Answer, keep: bool) -> Answer:
    """The earlier answer, if it is given again. Raises Conflict."""
    if earlier.keep != keep:
        said = "to keep it" if earlier.keep else "to start fresh"
        raise Conflict(f"You have answered this already: {said}.", code="answered_already")
    return earlier


async def moved(tx: Services, from_id: int, to_id: int) -> dict[str, Counts]:
    """Let every noun go over, in the caller's transaction; return by noun what moved and what did not."""
    summary = {}
    for merge in MERGES:
        before = await tx.db.fetchval(merge.counting, from_id)
        if before:
            await merge.act(tx, from_id, to_id)
            stayed = await tx.db.fetchval(merge.counting, from_id)
            summary[merge.noun] = Counts(before - stayed, stayed)
    return summary


# Both ways of ending a question look at the same unique row: an answer that comes at the last moment wins or waits.
MARK = """
WITH unanswered AS (
    DELETE FROM merge_questions WHERE created_at < now() - interval '30 days'
    RETURNING anonymous_user_id, authenticated_user_id
)
INSERT INTO account_merge_audit (anonymous_user_id, authenticated_user_id, consent_given, consent_policy_version)
SELECT anonymous_user_id, authenticated_user_id, false, $1 FROM unanswered
ON CONFLICT (anonymous_user_id, authenticated_user_id) DO NOTHING
"""
PURGE = """
DELETE FROM account_merge_audit WHERE id IN (
    SELECT id FROM account_merge_audit WHERE purge_after < now() ORDER BY purge_after LIMIT 5000
)
"""


async def purge(services: Services) -> int:
    """Take what was not answered in 30 days as a no, and delete answers past their day; return how many went."""
    await services.db.execute(MARK, site_settings.of(services).policy_version)
    gone = 0
    while deleted := int((await services.db.execute(PURGE)).split()[-1]):
        gone += deleted
    log.info("merge answers purged", rows=gone)
    return gone
