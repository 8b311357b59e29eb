"""Changes of flags: each is a whole new version, told to every process, and audited (chapter 10 rule 25)."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from app.domain.platform import audit, metrics, quality_checks
from app.domain.platform.flags import wishes
from app.domain.platform.readers import Reader
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.services import Services

# Up to here a flag may be on for a few without anybody watching.
UNWATCHED_PERCENTAGE = 5
REASON_LENGTH = 500

CURRENT = """
SELECT version, enabled, rollout_percentage, needs_metrics, plan, flag_state(flag) AS state
FROM feature_flags AS flag WHERE key = $1 FOR UPDATE
"""


@dataclasses.dataclass(frozen=True)
class Author:
    """Who makes a version, and why. `who` is None for the program itself."""

    who: Reader | None
    reason: str | None = None
    override: bool = False

    @property
    def kind(self) -> str:
        """What the log calls the author."""
        return self.who.kind if self.who is not None else "system"


def author(who: Reader, reason: str | None, *, override: bool = False) -> Author:
    """Return the author of a change by a person. Raises Invalid for a reason that is too long."""
    reason = (reason or "").strip() or None
    if len(reason or "") > REASON_LENGTH:
        says = {"reason": f"Please keep this to {REASON_LENGTH} characters."}
        raise Invalid("The reason is too long.", errors=says)
    return Author(who, reason, override)


INSERT = """
INSERT INTO feature_flags (key) VALUES ($1) ON CONFLICT (key) DO NOTHING RETURNING key
"""


async def create(services: Services, by: Author, key: str, fields: Mapping[str, Any]) -> None:
    """Add a flag, off unless it is said otherwise. Raises Invalid, Conflict."""
    fields = wishes.checked(fields)
    async with services.tx() as tx:
        if await tx.db.fetchval(INSERT, wishes.key(key)) is None:
            says = {"key": "There is a flag of that name."}
            raise Conflict("There is a flag of that name.", code="exists", errors=says)
        before = await tx.db.fetchrow(CURRENT, key)
        await refuse_unwatched(tx, by, before["state"], await put(tx, before, key, fields))
        await keep(tx, by, key, "created", None)


async def change(
    services: Services,
    by: Author,
    key: str,
    fields: Mapping[str, Any],
    *,
    seen_version: int | None = None,
) -> None:
    """Change some fields of a flag. Raises NotFound, Invalid, Forbidden, Conflict (`no_telemetry`)."""
    fields = wishes.checked(fields)
    async with services.tx() as tx:
        before = await current(tx, key)
        if seen_version is not None and seen_version != before["version"]:
            raise Conflict("Somebody has changed this flag meanwhile. Please look at it again.")
        refuse_beyond_stop(by, before, fields)
        after = await put(tx, before, key, fields)
        if after != before["state"]:
            await refuse_unwatched(tx, by, before["state"], after)
            await keep(tx, by, key, action_of(by, before["state"], after), before)


def action_of(by: Author, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What a change is called: a flag that is switched off was stopped, a plan's own step advanced it."""
    if before["enabled"] and not after["enabled"]:
        return "stopped"
    return "advanced" if by.who is None else "changed"


async def current(services: Services, key: str) -> Any:
    """Return the flag as it stands, held until the transaction ends. Raises NotFound."""
    row = await services.db.fetchrow(CURRENT, key)
    if row is None:
        raise NotFound("There is no flag of that name.")
    return row


def refuse_beyond_stop(by: Author, before: Any, fields: Mapping[str, Any]) -> None:
    """Who may only stop flags switches one off and changes nothing else. Raises Forbidden."""
    if by.who is None or "manage_flags" in by.who.permissions:
        return
    state = {**before["state"], "review_on": wishes.day(before["state"]["review_on"])}
    others = [name for name, value in fields.items() if name != "enabled" and value != state[name]]
    if others or fields.get("enabled", True):
        raise Forbidden("Your role lets you switch a flag off, and nothing else.")


async def refuse_unwatched(
    services: Services, by: Author, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Let no flag reach more people above 5 % while a metric that it needs is not seen. Raises Conflict."""
    reach = reached(after)
    if reach <= max(UNWATCHED_PERCENTAGE, reached(before)):
        return
    missing = await metrics.unseen(services, after["needs_metrics"])
    if missing and not (by.override and by.who is not None and by.who.role == "super_admin"):
        raise Conflict(
            f"No process shows {', '.join(missing)}, so this flag stays at {UNWATCHED_PERCENTAGE} % at most.",
            code="no_telemetry",
        )


def reached(state: Mapping[str, Any]) -> int:
    """The share of people, in percent, whom a flag reaches."""
    return state["rollout_percentage"] if state["enabled"] else 0


# Fields that were not wished for come as they are. A step begins when more or fewer people are reached, or a plan.
PUT = """
UPDATE feature_flags AS flag
SET description = $2, kind = $3, enabled = $4, rollout_percentage = $5, whitelist = $6, analytics_enabled = $7,
    owner_id = $8, review_on = $9, needs_metrics = $10, plan = $11,
    step_since = CASE WHEN (enabled, rollout_percentage, plan) IS NOT DISTINCT FROM ($4, $5::smallint, $11::jsonb)
        THEN step_since ELSE now() END,
    plan_waits = CASE WHEN $11::jsonb IS NULL THEN NULL ELSE plan_waits END
WHERE key = $1
RETURNING flag_state(flag)
"""
FIELDS = tuple(wishes.CHECKS)


async def put(services: Services, before: Any, key: str, fields: Mapping[str, Any]) -> Any:
    """Write a flag's fields and return its new state; whether that is a new version is the caller's to say."""
    state = {**before["state"], "review_on": wishes.day(before["state"]["review_on"]), **fields}
    return await services.db.fetchval(PUT, key, *(state[name] for name in FIELDS))


# Version 1 is the row's own; each later one is the next.
KEEP = """
WITH flag AS (
    UPDATE feature_flags AS flag SET version = version + CASE WHEN $3::jsonb IS NULL THEN 0 ELSE 1 END, updated_at = now()
    WHERE key = $1
    RETURNING key, version, flag_state(flag) AS state
)
INSERT INTO feature_flag_audit
    (flag_key, version, action, before_state, after_state, actor_id, actor_type, reason, trace_id)
SELECT key, version, $2, $3, state, $4, $5, $6, $7 FROM flag
RETURNING version, after_state
"""


async def keep(services: Services, by: Author, key: str, action: str, before: Any) -> int:
    """Keep the flag as a new version, and write it in the audit log; return the version."""
    old = before["state"] if before is not None else None
    actor = by.who.id if by.who is not None else None
    trace = services.trace.get("trace_id")
    row = await services.db.fetchrow(KEEP, key, action, old, actor, by.kind, by.reason, trace)
    await audit.add(
        services,
        by.who,
        f"flag.{action}",
        ("flag", key),
        by.reason or "",
        before=old,
        after=row["after_state"],
    )
    if by.who is not None and not by.reason:
        # It works without one, and somebody will wonder (chapter 10 §3).
        says = f"{key}: {action}, version {row['version']}"
        subject = f"{key} version {row['version']}"
        await quality_checks.add(services, "flag_reasons", subject, says)
    return int(row["version"])


# The old version is copied inside PostgreSQL, so that it comes back byte for byte.
RESTORE = """
UPDATE feature_flags AS flag
SET description = old.description, kind = old.kind, enabled = old.enabled, rollout_percentage = old.rollout_percentage,
    whitelist = old.whitelist, analytics_enabled = old.analytics_enabled, owner_id = old.owner_id,
    review_on = old.review_on, needs_metrics = old.needs_metrics, plan = old.plan, step_since = now(),
    plan_waits = NULL
FROM feature_flag_audit AS kept, jsonb_populate_record(NULL::feature_flags, kept.after_state) AS old
WHERE flag.key = $1 AND kept.flag_key = $1 AND kept.version = $2
RETURNING flag_state(flag)
"""


async def restore(services: Services, by: Author, key: str, version: int) -> None:
    """Bring an old version back as a new one, audience included. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        before = await current(tx, key)
        after = await tx.db.fetchval(RESTORE, key, version)
        if after is None:
            raise NotFound("This flag has no such version.")
        await refuse_unwatched(tx, by, before["state"], after)
        await keep(tx, by, key, "restored", before)
