"""At 75, 90 and 100 % of a month's AI budget the operator hears of it, once a level (chapter 20 rule 46)."""

from datetime import date
from decimal import Decimal
from typing import Any

from app.domain.platform import chat, mail
from app.domain.platform.ai.budget import MICROS_A_CENT, PROVIDER, Stand
from app.services import Services

LEVELS = (75, 90, 100)
CHANNEL = "#ai-budget"
MEANS = {
    75: "Calls are smaller from now on, and only the leads of stories that somebody reads are tagged.",
    90: "Only what is critical is asked from now on; the rest waits for the first of the month.",
    100: "No model is asked any more until the first of the month, or until the limit is raised.",
}
REST = "What is left is less than one more call may cost."


def level(stand: Stand) -> int:
    """The highest level that is reached; 0 below 75 %. Without a limit there is nothing to reach."""
    if stand.limit_cents == 0:
        return 0
    if stand.is_full:
        return 100
    share = stand.spent_micros * 100 / (stand.limit_cents * MICROS_A_CENT)
    return max((one for one in LEVELS if share >= one), default=0)


# Whoever moves `alerted` up writes the letters, in that transaction: many processes write them once.
RAISE = """
UPDATE ai_usage_tracking AS usage SET alerted = $3
FROM (SELECT month, provider, alerted FROM ai_usage_tracking WHERE month = $1 AND provider = $2 FOR UPDATE) AS before
WHERE usage.month = before.month AND usage.provider = before.provider AND before.alerted < $3
  AND (usage.is_full AND $3 = 100 OR usage.spent_micros * 100 >= usage.budget_limit_cents * 10000 * $3::numeric)
  AND usage.budget_limit_cents > 0
RETURNING usage.spent_micros, usage.budget_limit_cents
"""


async def tell(services: Services, month: date) -> list[int]:
    """Write of each level that the month has reached and nobody was told of; return those levels."""
    told = []
    for one in LEVELS:
        async with services.tx() as tx:
            row = await tx.db.fetchrow(RAISE, month, PROVIDER, one)
            if row is not None:
                await write(tx, month, one, row["spent_micros"], row["budget_limit_cents"])
                told.append(one)
    return told


async def write(tx: Services, month: date, percent: int, spent: Decimal, limit_cents: int) -> None:
    """The letter to OPS_EMAIL, and the line in the channel."""
    is_over = spent >= limit_cents * MICROS_A_CENT
    link = f"{tx.settings.public_url}/admin/ai-usage"
    words: dict[str, Any] = {
        "percent": percent,
        "spent": dollars(spent / MICROS_A_CENT),
        "budget": dollars(Decimal(limit_cents)),
        "month": f"{month:%B %Y}",
        "sentence": MEANS[percent] if percent < 100 or is_over else f"{REST} {MEANS[percent]}",
        "link": link,
    }
    await mail.send(tx, "ai_budget_alert", tx.settings.operator_address, kind="ops", **words)
    text = (
        "{percent} % of the AI budget is spent: {spent} of {budget} for {month}. {sentence} {link}"
    )
    await chat.say(tx, CHANNEL, text.format(**words))


def dollars(cents: Decimal) -> str:
    """Cents as people write them."""
    return f"${cents / 100:,.2f}"


# A raised limit may lie above a level again, which is then told once more when it is reached.
REARM = """
UPDATE ai_usage_tracking
SET alerted = CASE WHEN spent_micros * 100 >= budget_limit_cents * 10000 * 100::numeric THEN 100
                   WHEN spent_micros * 100 >= budget_limit_cents * 10000 * 90::numeric THEN 90
                   WHEN spent_micros * 100 >= budget_limit_cents * 10000 * 75::numeric THEN 75 ELSE 0 END
WHERE month = $1 AND provider = $2 AND NOT is_full
  AND spent_micros * 100 < budget_limit_cents * 10000 * alerted::numeric
"""


async def rearm(services: Services, month: date) -> None:
    """Forget levels that a raised limit has taken the month below."""
    await services.db.execute(REARM, month, PROVIDER)
