"""The versions of a flag, newest first, told as differences."""

from datetime import datetime
from typing import Any

import msgspec

from app.domain.platform.flags.listing import sees_people
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

PAGE = 20
WORDS = {
    "description": "Description",
    "kind": "Kind",
    "enabled": "Switch",
    "rollout_percentage": "Percentage",
    "whitelist": "List",
    "analytics_enabled": "Exposures counted",
    "owner_id": "Owner",
    "review_on": "Review on",
    "needs_metrics": "Needs metrics",
    "plan": "Plan",
}


class Difference(msgspec.Struct):
    """One field that a version changed, before and after in words; null says it was or is not there."""

    field: str
    name: str
    before: str | None
    after: str | None


class Version(msgspec.Struct):
    """One version of a flag: who made it, why, and what it changed."""

    version: int
    action: str
    actor_id: int | None
    actor_type: str
    reason: str | None
    timestamp: datetime
    differences: list[Difference]


class VersionList(msgspec.Struct):
    """Versions, newest first; `next` is the version to go on after."""

    items: list[Version]
    total: int | None
    next: int | None = None


VERSIONS = """
SELECT version, action, before_state, after_state, actor_id, actor_type, reason, timestamp
FROM feature_flag_audit
WHERE flag_key = $1 AND ($2::bigint IS NULL OR version < $2)
ORDER BY version DESC
LIMIT $3
"""
EXISTS = "SELECT EXISTS (SELECT FROM feature_flags WHERE key = $1)"


async def of_flag(
    services: Services, who: Reader, key: str, *, cursor: int | None = None, limit: int = PAGE
) -> VersionList:
    """Return a page of a flag's versions as this admin may see them. Raises NotFound."""
    if not await services.db.fetchval(EXISTS, key):
        raise NotFound("There is no flag of that name.")
    rows = await services.db.fetch(VERSIONS, key, cursor, limit + 1)
    items = [version_of(row, people=sees_people(who)) for row in rows[:limit]]
    return VersionList(items, None, items[-1].version if len(rows) > limit else None)


def version_of(row: Any, *, people: bool) -> Version:
    """The version of a row, its list only counted where people may not be seen."""
    differences = compared(row["before_state"] or {}, row["after_state"], people=people)
    return Version(
        row["version"],
        row["action"],
        row["actor_id"],
        row["actor_type"],
        row["reason"],
        row["timestamp"],
        differences,
    )


def compared(before: dict[str, Any], after: dict[str, Any], *, people: bool) -> list[Difference]:
    """Return the fields in which two states differ."""
    found = []
    for field, name in WORDS.items():
        if before.get(field) != after.get(field):
            words = [said(field, state.get(field), people=people) for state in (before, after)]
            # A first version says nothing of what it leaves empty.
            if words != [None, None]:
                found.append(Difference(field, name, *words))
    return found


def said(field: str, value: Any, *, people: bool) -> str | None:
    """A value in words; None for nothing."""
    if value in (None, "", []):
        return None
    if field == "whitelist" and not people:
        return f"{len(value)} on the list"
    if isinstance(value, bool):
        return "on" if value else "off"
    if field == "plan":
        return f"in steps, by {', '.join(value['uris']) or 'all requests'}"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value} %" if field == "rollout_percentage" else str(value)


# The daily checklist's finding (chapter 90 rule 42): changes by people that say no reason.
UNEXPLAINED = """
SELECT flag_key, version, actor_id, timestamp FROM feature_flag_audit
WHERE reason IS NULL AND actor_type IN ('member', 'service') AND timestamp >= $1 AND timestamp < $2
ORDER BY timestamp
LIMIT 20
"""


async def unexplained(
    services: Services, since: datetime, until: datetime
) -> list[tuple[str, int, int | None]]:
    """Return up to 20 changes of a stretch of time that nobody gave a reason for: flag, version, actor."""
    rows = await services.db.fetch(UNEXPLAINED, since, until)
    return [(row["flag_key"], row["version"], row["actor_id"]) for row in rows]
