"""Reading the audit log: by actor, action, target and time, newest first, as far as the reader's role allows."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import msgspec

from app.domain.platform import audit_scopes
from app.domain.platform.jobs.console import in_time, moment
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services

LARGEST_ID = 2**63 - 1
CSV_ROWS = 1000
# Where looking through all takes too long, so many ids are looked through at once, and then ever fewer.
WIDEST, NARROWEST = 1_000_000, 1_000


class BrokenOff(Exception):
    """A list that is being sent cannot be read to its end: what was sent must not look whole."""


class AuditFilter(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    """What the reader wants to see. `action` is a whole one or its first word, `target` a kind or kind:id."""

    actor: int | None = None
    action: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    target: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    from_: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    to: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    cursor: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class Act(msgspec.Struct):
    """One line of the log. `reason`, `before`, `after` and `ip` are gone once the person is erased."""

    id: int
    timestamp: datetime
    actor_id: int | None
    actor_kind: str
    actor_role: str | None
    as_user_id: int | None
    action: str
    target_kind: str | None
    target_id: str | None
    reason: str | None
    before: Any
    after: Any
    ip: Any
    request_id: str | None
    trace_id: str | None


class ActList(msgspec.Struct):
    """A page of the log, newest first."""

    items: list[Act]
    total: int | None
    next: str | None


ACTS = """
SELECT id, timestamp, actor_id, actor_kind, actor_role, as_user_id, action, target_kind, target_id, reason,
    before, after, ip, request_id, trace_id
FROM audit_log WHERE id < $1 AND id >= $2
"""


def narrowed(asked: AuditFilter, role: str | None) -> tuple[str, list[Any]]:
    """The statement for one filter, and its values after the ids and the limit; only our own words stand in its text."""
    words = audit_scopes.first_words(role)
    wishes: list[tuple[str, Any]] = []
    if words is not None:
        wishes.append(("split_part(action, '.', 1) = ANY({}::text[])", words))
    if asked.actor is not None:
        wishes.append(("actor_id = {}", asked.actor))
    if asked.action and "." in asked.action:
        wishes.append(("action = {}", asked.action))
    elif asked.action:
        wishes.append(("starts_with(action, {} || '.')", asked.action))
    if asked.target:
        kind, _, name = asked.target.partition(":")
        wishes.append(("target_kind = {}", kind))
        wishes += [("target_id = {}", name)] if name else []
    if (since := moment("from", asked.from_)) is not None:
        wishes.append(("timestamp >= {}", since))
    if (until := moment("to", asked.to)) is not None:
        wishes.append(("timestamp < {}", until))
    conditions = [f" AND {text.format(f'${place}')}" for place, (text, _) in enumerate(wishes, 4)]
    query = f"{ACTS}{''.join(conditions)} ORDER BY id DESC LIMIT $3"
    return query, [value for _, value in wishes]


async def acts(services: Services, who: Reader, asked: AuditFilter) -> ActList:
    """The acts that fit and that the reader's role may read. Raises Invalid when that takes over 500 ms."""
    rows = await read(services, who, asked, asked.limit + 1, asked.cursor or LARGEST_ID)
    items = rows[: asked.limit]
    return ActList(items, None, str(items[-1].id) if len(rows) > asked.limit else None)


async def read(
    services: Services, who: Reader, asked: AuditFilter, limit: int, below: int, since: int = 0
) -> list[Act]:
    """The next rows below an id, down to another one. Raises Invalid when that takes over 500 ms."""
    query, values = narrowed(asked, who.role)
    rows = await in_time(services.db.fetch(query, below, since, limit, *values))
    return [Act(**dict(row)) for row in rows]


async def every(services: Services, who: Reader, asked: AuditFilter) -> AsyncIterator[Act]:
    """All acts that fit, newest first, at most 1,000 at a time. Raises BrokenOff, ServiceDown."""
    below, width = LARGEST_ID, 0
    while below > 0:
        since = below - width if width else 0
        try:
            rows = await read(services, who, asked, CSV_ROWS, below, since)
        except Invalid:
            below, width = await narrower(services, below, width)
            continue
        for act in rows:
            yield act
        below = rows[-1].id if len(rows) == CSV_ROWS else since


ABOVE_ALL = "SELECT coalesce(max(id), 0) + 1 FROM audit_log"


async def narrower(services: Services, below: int, width: int) -> tuple[int, int]:
    """Where to go on, and with how many ids at once, after a look that took too long. Raises BrokenOff."""
    if width == NARROWEST:
        raise BrokenOff("The audit log cannot be read at the moment.")
    above = await services.db.fetchval(ABOVE_ALL)
    return min(below, above), max(NARROWEST, width // 10) if width else WIDEST
