"""What was spent on models, for those who watch the budget: this month, earlier ones, a report by day, the cache."""

import calendar
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec
from prometheus_client import Gauge

from app.domain.platform.ai import budget, calls
from app.domain.platform.ai.budget import MICROS_A_CENT, Stand
from app.errors import Invalid
from app.services import Services

CONSUMED = Gauge(
    "homepage_ai_budget_consumed_percent",
    "What of this month's AI budget is spent; 100 also when the rest is less than one more call may cost.",
    multiprocess_mode="mostrecent",
)
LONGEST_REPORT = timedelta(days=400)


class Line(msgspec.Struct):
    """What one feature with one model cost in a stretch of time; cents are rounded only here."""

    feature: str
    model: str
    requests: int
    items: int
    tokens_in: int
    tokens_out: int
    spent_cents: int
    spent_micros: str
    lost_cents: int
    day: date | None = None


class Seen(msgspec.Struct):
    """Somebody has seen an alert."""

    level: int
    seen_at: datetime
    user_id: int | None
    note: str


class Month(msgspec.Struct):
    """One month: how much of its limit is spent, and in which state that puts every call."""

    month: str
    provider: str
    state: str
    percent: float
    spent_cents: int
    spent_micros: str
    reserved_cents: int
    budget_limit_cents: int
    currency: str
    requests: int
    tokens_in: int
    tokens_out: int
    alerted: int


class Usage(Month):
    """The running month in full; `outlook_cents` is where it ends at the pace so far."""

    is_set_up: bool
    sentence: str
    outlook_cents: int
    daily_limit_cents: int | None
    shares: dict[str, int]
    features: list[Line]
    days: list[Line]
    acknowledgements: list[Seen]


class MonthList(msgspec.Struct):
    """Months, the newest first."""

    items: list[Month]
    total: int
    next: str | None = None


class Report(msgspec.Struct):
    """The cost of a stretch of days, a line a day, feature and model."""

    items: list[Line]
    total: int
    since: date
    until: date
    spent_cents: int
    spent_micros: str
    currency: str = "USD"
    next: str | None = None


class CacheStats(msgspec.Struct):
    """The answers that are at hand: how many, how large, how often used again, and what those uses would have cost."""

    cache_name: str
    entries: int
    bytes: int
    hits: int
    hit_ratio: float | None
    oldest_used_at: datetime | None
    kept_days: int = 30


def cents(micros: Decimal) -> int:
    """Micros in whole cents, for people."""
    return int((micros / MICROS_A_CENT).quantize(Decimal(1), ROUND_HALF_UP))


def exact(micros: Decimal) -> str:
    """Micros with all their digits, and no more."""
    return f"{micros.normalize():f}"


MONTHS = """
SELECT month, provider, requests, tokens_in, tokens_out, spent_micros, reserved_micros,
    budget_limit_cents AS limit_cents, alerted, is_full
FROM ai_usage_tracking
WHERE provider = $1 AND month <= date_trunc('month', now() AT TIME ZONE 'UTC')
ORDER BY month DESC LIMIT $2
"""
LINES = """
SELECT feature, model, sum(requests)::bigint AS requests, sum(items)::bigint AS items,
    sum(tokens_in)::bigint AS tokens_in, sum(tokens_out)::bigint AS tokens_out,
    sum(spent_micros) AS spent, sum(lost_micros) AS lost, CASE WHEN $4 THEN day END AS day
FROM ai_usage_days WHERE provider = $1 AND day BETWEEN $2 AND $3
GROUP BY feature, model, CASE WHEN $4 THEN day END
ORDER BY day NULLS FIRST, feature, model
"""
SEEN = """
SELECT level, created_at AS seen_at, user_id, note FROM ai_acknowledgements
WHERE month = $1 AND provider = $2 ORDER BY id DESC LIMIT 20
"""


async def now(services: Services) -> Usage:
    """The running month."""
    async with services.held() as held:
        await budget.open_month(held)
        [row] = await held.db.fetch(MONTHS, budget.PROVIDER, 1)
        since = row["month"]
        until = budget.next_month(since) - timedelta(days=1)
        lines = [await lines_of(held, since, until, by_day=by_day) for by_day in (False, True)]
        seen = await held.db.fetch(SEEN, since, budget.PROVIDER)
    found = standing(row)
    return Usage(
        **msgspec.structs.asdict(month_of(row)),
        is_set_up=calls.is_set_up(services),
        sentence=sentence(found, is_set_up=calls.is_set_up(services)),
        outlook_cents=outlook(found),
        daily_limit_cents=services.settings.ai_daily_limit_cents or None,
        shares={name: int(part) for name, part in budget.shares(services.settings).items()},
        features=lines[0],
        days=lines[1],
        acknowledgements=[Seen(**dict(one)) for one in seen],
    )


def standing(row: Any) -> Stand:
    """A row of MONTHS as the budget sees it."""
    return Stand(**{name: row[name] for name in Stand.__struct_fields__})


def month_of(row: Any) -> Month:
    """A row of MONTHS for people."""
    found = standing(row)
    return Month(
        month=f"{found.month:%Y-%m}",
        provider=row["provider"],
        state=found.state,
        percent=round(found.percent, 2),
        spent_cents=cents(found.spent_micros),
        spent_micros=exact(found.spent_micros),
        reserved_cents=cents(found.reserved_micros),
        budget_limit_cents=found.limit_cents,
        currency="USD",
        requests=row["requests"],
        tokens_in=row["tokens_in"],
        tokens_out=row["tokens_out"],
        alerted=found.alerted,
    )


STATES = {
    "NORMAL": "All that asks a model is answered.",
    "REDUCE": "Calls are smaller, and only the leads of stories that somebody reads are tagged.",
    "QUEUE": "Only what is critical is asked; the rest waits for the first of next month.",
    "HARD_STOP": "AI tagging is paused because this month's budget has been reached.",
}


def sentence(found: Stand, *, is_set_up: bool) -> str:
    """What the state means, in words."""
    if not is_set_up:
        return "No model is set up on this site; news is tagged by its feeds and by rules."
    if found.limit_cents == 0:
        return "AI is switched off: this month's limit is 0."
    return STATES[found.state]


def outlook(found: Stand, at: datetime | None = None) -> int:
    """What the month will have cost in cents at the pace so far, which is no guess before its second day."""
    at = at or datetime.now(UTC)
    past = (at - datetime(found.month.year, found.month.month, 1, tzinfo=UTC)) / timedelta(days=1)
    days = calendar.monthrange(found.month.year, found.month.month)[1]
    return cents(found.spent_micros * Decimal(days / min(max(past, 1.0), days)))


async def lines_of(services: Services, since: date, until: date, *, by_day: bool) -> list[Line]:
    """What each feature and model cost between two days, both included."""
    rows = await services.db.fetch(LINES, budget.PROVIDER, since, until, by_day)
    return [
        Line(
            feature=row["feature"],
            model=row["model"],
            requests=row["requests"],
            items=row["items"],
            tokens_in=row["tokens_in"],
            tokens_out=row["tokens_out"],
            spent_cents=cents(row["spent"]),
            spent_micros=exact(row["spent"]),
            lost_cents=cents(row["lost"]),
            day=row["day"],
        )
        for row in rows
    ]


async def history(services: Services, months: int) -> MonthList:
    """So many months back, the running one first."""
    rows = await services.db.fetch(MONTHS, budget.PROVIDER, months)
    return MonthList([month_of(row) for row in rows], len(rows))


SPENT = """
SELECT coalesce(sum(spent_micros), 0) FROM ai_usage_days WHERE provider = $1 AND day BETWEEN $2 AND $3
"""


async def report(services: Services, since: date | None, until: date | None) -> Report:
    """The cost of a stretch of days, this month's without one. Raises Invalid."""
    today = datetime.now(UTC).date()
    until = until or today
    since = since or until.replace(day=1)
    if since > until:
        raise Invalid("That stretch ends before it begins.", errors={"from": "Begin earlier."})
    if until - since > LONGEST_REPORT:
        raise Invalid("That is too long.", errors={"from": "Ask for 400 days at most."})
    lines = await lines_of(services, since, until, by_day=True)
    spent = await services.db.fetchval(SPENT, budget.PROVIDER, since, until)
    return Report(lines, len(lines), since, until, cents(spent), exact(spent))


# Counted in the index alone, which is small beside the answers; their size is that of the table on disk.
CACHE = """
SELECT count(*) AS entries, pg_table_size('ai_results') AS bytes,
    coalesce(sum(hits), 0)::bigint AS hits, min(used_at) AS oldest_used_at
FROM ai_results
"""


async def cache_stats(services: Services) -> CacheStats:
    """How useful the kept answers are."""
    row = await services.db.fetchrow(CACHE)
    asked = row["hits"] + row["entries"]
    ratio = round(row["hits"] / asked, 4) if asked else None
    return CacheStats(
        "ai-tagging-cache", row["entries"], row["bytes"], row["hits"], ratio, row["oldest_used_at"]
    )


async def show_figures(services: Services) -> None:
    """Set this process's gauge to what PostgreSQL says. Raises ServiceDown."""
    row = await services.db.fetchrow(budget.STAND, budget.PROVIDER)
    found = Stand(**dict(row)) if row else None
    # What is left of a full month is not to be had: whoever watches this figure must see that nothing is asked.
    CONSUMED.set((100.0 if found.is_full else found.percent) if found else 0.0)
