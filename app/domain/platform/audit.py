"""The audit log: every act of someone with power, written in the transaction of the act."""

from typing import Any

from app.domain.platform.readers import Reader
from app.services import Services

ADD = """
INSERT INTO audit_log (actor_id, actor_kind, actor_role, as_user_id, action, target_kind, target_id, reason,
    before, after, ip, request_id, trace_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""


async def add(
    services: Services,
    who: Reader | None,
    action: str,
    target: tuple[str, object],
    reason: str = "",
    *,
    before: Any = None,
    after: Any = None,
) -> None:
    """Write down that somebody did something (`job.retried`) to a target (kind, id).

    Without `who` it was a rule of ours, or on a command line its caller. An admin who sees the site as a member is
    the actor, with the member beside them. Where the act came from is taken from the services.
    """
    kind, name = target
    origin, trace = services.origin, services.trace
    await services.db.execute(
        ADD,
        *actor(who, origin.get("kind", "system")),
        action,
        kind,
        str(name),
        reason or None,
        before,
        after,
        {key: text for key, text in origin.items() if key != "kind"} or None,
        trace.get("request_id"),
        trace.get("trace_id"),
    )


def actor(who: Reader | None, kind: str) -> tuple[int | None, str, str | None, int | None]:
    """Who acted: number, kind, role, and as whom."""
    if who is None:
        return None, kind, None, None
    if who.impersonator_id is not None:
        role = who.impersonation.role if who.impersonation else None
        return who.impersonator_id, "member", role, who.id
    return who.id, "service" if who.kind == "service" else "member", who.role, None
