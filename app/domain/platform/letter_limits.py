"""How many letters one address may get: counted from the letters themselves, so no restart forgets any."""

from app.services import Services

SIGN_IN = frozenset(("sign_in", "verify_address"))
# These hold the link that undoes a deletion, say why it waits, and bring the receipt: each goes out, and counts.
PROMISED = frozenset(("deletion_scheduled", "deletion_held", "deletion_done"))
PRIVACY = PROMISED | {"export_ready", "deletion_cancelled"}
# Chapter 10 rule 27: what is counted → at most so many, within so many seconds.
LIMITS = {
    "sign_in": (5, 3600),
    "notice": (10, 3600),
    "ops": (3, 3600),
    "privacy": (2, 86_400),
}


def counted_as(template: str, kind: str) -> str | None:
    """Which limit a letter falls under; what warns a person of others is never held back."""
    if template in SIGN_IN:
        return "sign_in"
    if template in PRIVACY:
        return "privacy"
    # It comes three times a month by itself, and says what money goes.
    if template == "ai_budget_alert":
        return None
    return {"notice": "notice", "digest": "notice", "ops": "ops"}.get(kind)


COUNT = """
SELECT count(*) FROM emails
WHERE to_address = $1 AND created_at > now() - $2::int * interval '1 second' AND status <> 'suppressed'
  AND CASE WHEN template = ANY($3::text[]) THEN 'sign_in' WHEN template = ANY($4::text[]) THEN 'privacy'
           WHEN kind IN ('notice', 'digest') THEN 'notice' ELSE kind END = $5
"""


async def left(services: Services, template: str, kind: str, address: str) -> int:
    """How many more letters of this sort the address may get now."""
    limit = counted_as(template, kind)
    if limit is None or template in PROMISED:
        return 1
    most, seconds = LIMITS[limit]
    sent: int = await services.db.fetchval(
        COUNT, address, seconds, sorted(SIGN_IN), sorted(PRIVACY), limit
    )
    return max(0, most - sent)
