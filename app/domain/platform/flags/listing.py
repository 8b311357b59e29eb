"""The flags as admins see them: how each stands, who answers for it, and whether anybody still needs it."""

from datetime import date, datetime
from typing import Any

import msgspec

from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

STALE_DAYS = 30


class Flag(msgspec.Struct, kw_only=True):
    """One flag. `whitelist` is null for those who may not see people; `stale` says why it should be looked at."""

    key: str
    description: str
    kind: str
    enabled: bool
    rollout_percentage: int
    whitelist: list[str] | None
    whitelisted: int
    analytics_enabled: bool
    owner_id: int | None
    review_on: date | None
    needs_metrics: list[str]
    plan: dict[str, Any] | None
    plan_waits: str | None
    version: int
    stale: str | None
    asked_at: datetime | None
    updated_at: datetime
    created_at: datetime


class FlagList(msgspec.Struct):
    """All flags by key."""

    items: list[Flag]
    total: int | None
    next: str | None = None


ALL = """
SELECT key, description, kind, enabled, rollout_percentage, whitelist, analytics_enabled, owner_id, review_on,
    needs_metrics, plan, plan_waits, version, asked_at, updated_at, created_at,
    CASE WHEN review_on < current_date THEN 'review'
        WHEN coalesce(asked_at, created_at) < now() - interval '30 days' THEN 'unused' END AS stale
FROM feature_flags
ORDER BY key
"""
BY_KEY = ALL.replace("ORDER BY key", "WHERE key = $1")


async def every(services: Services, who: Reader) -> FlagList:
    """Return all flags as this admin may see them."""
    items = [flag_of(row, who) for row in await services.db.fetch(ALL)]
    return FlagList(items, len(items))


async def by_key(services: Services, who: Reader, key: str) -> Flag:
    """Return one flag as this admin may see it. Raises NotFound."""
    row = await services.db.fetchrow(BY_KEY, key)
    if row is None:
        raise NotFound("There is no flag of that name.")
    return flag_of(row, who)


def flag_of(row: Any, who: Reader) -> Flag:
    """The flag of a row, without people for those who may not see them."""
    fields = dict(row)
    whitelist = fields.pop("whitelist")
    reason = fields.pop("stale")
    return Flag(
        **fields,
        whitelist=whitelist if sees_people(who) else None,
        whitelisted=len(whitelist),
        stale=stale(reason, row["review_on"]),
    )


def sees_people(who: Reader) -> bool:
    """Whether an admin may see whom a flag names."""
    return not who.permissions.isdisjoint(("manage_flags", "view_users"))


def stale(reason: str | None, review_on: date | None) -> str | None:
    """Why a flag is stale, in words; None when it is not."""
    if reason == "review":
        return f"It was to be reviewed on {review_on:%-d %B %Y}."
    return f"No code asked for it in {STALE_DAYS} days." if reason == "unused" else None
