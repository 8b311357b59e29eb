"""What an operator decides about the AI budget: a month's limit, and that an alert was seen."""

from datetime import UTC, date, datetime
from typing import Annotated

import msgspec

from app.domain.platform import audit
from app.domain.platform.ai import alerts, budget
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

# A year ahead is as far as anybody plans.
MONTHS_AHEAD = 12
MOST_CENTS = 100_000_000


class LimitChange(msgspec.Struct):
    """A month's limit in cents, 0 for no AI at all, and why."""

    budget_limit_cents: Annotated[int, msgspec.Meta(ge=0, le=MOST_CENTS)]
    reason: Annotated[str, msgspec.Meta(max_length=500)]


class Acknowledgement(msgspec.Struct):
    """What whoever saw the alert wants to add."""

    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


def month_of(text: str) -> date:
    """The month of `YYYY-MM`. Raises NotFound."""
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise NotFound("A month is written as 2026-11.") from None


HELD = (
    "SELECT budget_limit_cents FROM ai_usage_tracking WHERE month = $1 AND provider = $2 FOR UPDATE"
)
# A raise makes room in a month that was full.
SET = """
UPDATE ai_usage_tracking SET budget_limit_cents = $3, is_full = is_full AND $3 <= budget_limit_cents
WHERE month = $1 AND provider = $2
"""


async def change(services: Services, who: Reader, month: date, wish: LimitChange) -> None:
    """Set a month's limit; it holds for the next call. Raises Invalid, and Conflict for a month that is over."""
    reason = wish.reason.strip()
    if len(reason) < 10:
        sentence = "Say why in 10 characters or more: it is money."
        raise Invalid("The limit needs a reason.", errors={"reason": sentence})
    this_month = (await budget.stand(services)).month
    if month < this_month:
        raise Conflict("That month is over; its limit stays as it was.", code="month_over")
    if (month.year - this_month.year) * 12 + month.month - this_month.month > MONTHS_AHEAD:
        raise NotFound("That month is more than a year ahead.")
    async with services.tx() as tx:
        await budget.open_month(tx, month)
        before = await tx.db.fetchval(HELD, month, budget.PROVIDER)
        after = wish.budget_limit_cents
        await tx.db.execute(SET, month, budget.PROVIDER, after)
        await alerts.rearm(tx, month)
        await audit.add(
            tx,
            who,
            "ai_budget.changed",
            ("month", f"{month:%Y-%m}"),
            reason,
            before={"budget_limit_cents": before},
            after={"budget_limit_cents": after},
        )
    await alerts.tell(services, month)
    if after > before and month == this_month:
        await call_back(services)


# The jobs that the last limit had sent to the next month; by the index of what is due, a family at a time.
CALL_BACK = """
WITH back AS (
    UPDATE delayed_jobs SET run_at = now(), payload = payload - 'note'
    WHERE queue IN ('DEFAULT', 'HIGH', 'LOW', 'BULK', 'SCREENSHOT') AND status = 'pending' AND run_at = $1
      AND starts_with(payload ->> 'note', $2)
    RETURNING queue
)
SELECT count(*) FROM (SELECT pg_notify('village_jobs', queue) FROM back GROUP BY queue) AS told
"""


async def call_back(services: Services) -> None:
    """Let what waits for the next month's budget try again now, where there is room for any of it."""
    found = await budget.stand(services)
    if found.allows(critical=True):
        await services.db.execute(CALL_BACK, found.opens_at, budget.NOTE)


ACKNOWLEDGE = """
INSERT INTO ai_acknowledgements (month, provider, level, user_id, note)
SELECT month, provider, alerted, $3, $4 FROM ai_usage_tracking
WHERE month = $1 AND provider = $2 AND alerted > 0
RETURNING level
"""


async def acknowledge(services: Services, who: Reader, month: date, wish: Acknowledgement) -> int:
    """Write down that somebody has seen a month's alert; return its level. Raises Conflict when there was none."""
    async with services.tx() as tx:
        level: int | None = await tx.db.fetchval(
            ACKNOWLEDGE, month, budget.PROVIDER, who.id, wish.note.strip()
        )
        if level is None:
            raise Conflict("There was no alert in that month.", code="no_alert")
        target = ("month", f"{month:%Y-%m}")
        after = {"level": level}
        await audit.add(tx, who, "ai_budget.acknowledged", target, wish.note.strip(), after=after)
    return level
