"""The audit log: every act of someone with power, written in the transaction of the act."""

from typing import Any

from app.domain.platform.readers import Reader
from app.services import Services

ADD = """
INSERT INTO audit_log
    (actor_id, actor_kind, actor_role, action, target_kind, target_id, reason, before, after, request_id)
VALUES ($1, 'member', $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def add(
    services: Services,
    who: Reader,
    action: str,
    target: tuple[str, object],
    reason: str = "",
    *,
    before: Any = None,
    after: Any = None,
) -> None:
    """Write down that an admin did something (`job.retried`) to a target (kind, id)."""
    kind, name = target
    request_id = services.trace.get("request_id")
    await services.db.execute(
        ADD, who.id, who.role, action, kind, str(name), reason or None, before, after, request_id
    )
