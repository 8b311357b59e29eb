"""How a call ends in the books: settled by its tokens, released when it was not billed, lost when nobody knows."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from app.domain.platform.ai import alerts
from app.domain.platform.ai.budget import Stand
from app.domain.platform.ai.prices import Tokens
from app.services import Services

# Only a call that is still reserved ends, so a late answer and the sweeper can never both count it. The month's row
# is locked before the day's, as by everyone. What is lost costs all that was set aside.
END = """
WITH call AS (
    UPDATE ai_calls
    SET state = $2, cost_micros = CASE $2 WHEN 'lost' THEN reserved_micros ELSE $3::numeric END,
        tokens_in = $4, tokens_out = $5, error_code = $6, settled_at = now()
    WHERE id = $1 AND state = 'reserved'
    RETURNING month, provider, feature, model, reserved_micros, cost_micros, items, made_at,
        (state <> 'released')::integer AS counts, CASE state WHEN 'lost' THEN cost_micros ELSE 0 END AS lost_micros
), month AS (
    UPDATE ai_usage_tracking AS usage
    SET spent_micros = usage.spent_micros + call.cost_micros,
        reserved_micros = usage.reserved_micros - call.reserved_micros,
        requests = usage.requests + call.counts,
        tokens_in = usage.tokens_in + coalesce($4, 0), tokens_out = usage.tokens_out + coalesce($5, 0),
        day_micros = usage.day_micros + CASE WHEN usage.day = (call.made_at AT TIME ZONE 'UTC')::date
            THEN call.cost_micros - call.reserved_micros ELSE 0 END,
        feature_micros = usage.feature_micros || jsonb_build_object(call.feature,
            coalesce((usage.feature_micros ->> call.feature)::numeric, 0) + call.cost_micros - call.reserved_micros)
    FROM call
    WHERE usage.month = call.month AND usage.provider = call.provider
    RETURNING usage.month, usage.spent_micros, usage.reserved_micros, usage.budget_limit_cents AS limit_cents, usage.alerted,
        usage.is_full
), day AS (
    INSERT INTO ai_usage_days AS kept
        (day, provider, feature, model, requests, items, tokens_in, tokens_out, spent_micros, lost_micros)
    SELECT (call.made_at AT TIME ZONE 'UTC')::date, call.provider, call.feature, call.model, 1, call.items,
        coalesce($4, 0), coalesce($5, 0), call.cost_micros, call.lost_micros
    FROM call, month WHERE call.counts = 1
    ON CONFLICT (day, provider, feature, model) DO UPDATE
    SET requests = kept.requests + 1, items = kept.items + EXCLUDED.items,
        tokens_in = kept.tokens_in + EXCLUDED.tokens_in, tokens_out = kept.tokens_out + EXCLUDED.tokens_out,
        spent_micros = kept.spent_micros + EXCLUDED.spent_micros, lost_micros = kept.lost_micros + EXCLUDED.lost_micros
)
SELECT month, spent_micros, reserved_micros, limit_cents, alerted, is_full FROM month
"""


async def settle(services: Services, call_id: int, cost: Decimal, tokens: Tokens) -> bool:
    """Count a call by what its answer cost, in micros; False when it has ended before."""
    into = tokens.into + tokens.cache_write + tokens.cache_read
    return await end(services, call_id, "settled", cost, into, tokens.out)


async def release(services: Services, call_id: int, code: str) -> bool:
    """Give back what was set aside for a call that was not billed."""
    return await end(services, call_id, "released", Decimal(0), code=code)


async def lose(services: Services, call_id: int, code: str) -> bool:
    """Count a call in full whose cost nobody knows."""
    return await end(services, call_id, "lost", None, code=code)


async def end(
    services: Services,
    call_id: int,
    state: str,
    cost: Decimal | None,
    into: int | None = None,
    out: int | None = None,
    *,
    code: str | None = None,
) -> bool:
    """Write down one end; tell the operator when it took the month over a level."""
    row = await services.db.fetchrow(END, call_id, state, cost, into, out, code)
    if row is None:
        return False
    found = Stand(**dict(row))
    if alerts.level(found) > found.alerted:
        await alerts.tell(services, found.month)
    return True


# Locked one by one in one order, and left where somebody is ending them right now.
FORGOTTEN = """
SELECT id FROM ai_calls
WHERE state = 'reserved' AND made_at < now() - make_interval(mins => $1) AND (batch_id IS NULL OR EXISTS (
    SELECT FROM ai_batches AS batch WHERE batch.id = batch_id AND batch.state IN ('sending', 'lost')))
ORDER BY id
"""
UNSENT = """
UPDATE ai_batches SET state = 'lost', ended_at = now()
WHERE state = 'sending' AND created_at < now() - make_interval(mins => $1)
"""
PURGE = "DELETE FROM ai_calls WHERE made_at < now() - interval '13 months'"
FORGET_RESULTS = "DELETE FROM ai_results WHERE used_at < now() - interval '30 days'"
LOST_AFTER_MINUTES = 15


async def sweep(services: Services) -> Mapping[str, int]:
    """Count in full what has been under way for 15 minutes; forget old calls and unused answers."""
    lost = 0
    await services.db.execute(UNSENT, LOST_AFTER_MINUTES)
    for row in await services.db.fetch(FORGOTTEN, LOST_AFTER_MINUTES):
        lost += await lose(services, row["id"], "forgotten")
    calls = (await services.db.execute(PURGE)).split()[-1]
    results = (await services.db.execute(FORGET_RESULTS)).split()[-1]
    return {"lost": lost, "calls": int(calls), "results": int(results)}


BALANCE = """
SELECT usage.spent_micros - coalesce(sum(call.cost_micros) FILTER (WHERE call.state <> 'reserved'), 0) AS spent_off,
    usage.reserved_micros - coalesce(sum(call.reserved_micros) FILTER (WHERE call.state = 'reserved'), 0) AS reserved_off,
    usage.spent_micros - (SELECT coalesce(sum(spent_micros), 0) FROM ai_usage_days
        WHERE provider = usage.provider AND day >= usage.month AND day < usage.month + interval '1 month') AS days_off
FROM ai_usage_tracking AS usage
LEFT JOIN ai_calls AS call ON call.month = usage.month AND call.provider = usage.provider
    -- The index is by time; a day more on either side is there for clocks that were set.
    AND call.made_at >= usage.month - interval '1 day' AND call.made_at < usage.month + interval '1 month 1 day'
WHERE usage.month = $1 AND usage.provider = $2
GROUP BY usage.month, usage.provider
"""


async def imbalance(services: Services, month: date, provider: str) -> Any:
    """By how many micros a month's sums differ from its calls and days: all zero, or something wrote past us.

    None for a month without a row.
    """
    return await services.db.fetchrow(BALANCE, month, provider)
