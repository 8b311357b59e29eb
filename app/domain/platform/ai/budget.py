"""The budget of models: every call sets its worst cost aside first, in one statement (chapter 20 rules 42 to 45)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, NoReturn

import msgspec
from prometheus_client import Counter

from app.config import Misconfigured, Settings
from app.errors import Defer, ServiceDown
from app.services import Services

PROVIDER = "anthropic"
MICROS_A_CENT = 10_000
DEFAULT_LIMIT_CENTS = 50_000
THROTTLES = Counter("ai_tagging_budget_throttles", "Calls to a model that the budget refused.")

State = Literal["NORMAL", "REDUCE", "QUEUE", "HARD_STOP"]
# Items a call in each state; in QUEUE only what is critical is asked at all.
BATCH: dict[State, int] = {"NORMAL": 20, "REDUCE": 10, "QUEUE": 20, "HARD_STOP": 0}
# Who is billed here. Those marked True are critical whatever they ask; other chapters bring the last two.
FEATURES = {"tagging": False, "fraud": True, "directory": False}

NOTE = "waits for the AI budget"
SENTENCES = {
    "ai_off": "AI is switched off: this month's budget is 0.",
    "ai_budget_reached": "This month's AI budget has been reached.",
    "ai_critical_only": "Most of this month's AI budget is spent; only what is critical goes on.",
    "ai_day_reached": "Today's AI budget has been reached.",
    "ai_share_reached": "This feature's share of the AI budget has been reached.",
}


class Refused(ServiceDown):
    """There is no money for a call: `code` says which ceiling, `until` when it opens."""

    def __init__(self, code: str, until: datetime) -> None:
        super().__init__(SENTENCES[code], code=code)
        self.until = until


class Stand(msgspec.Struct, frozen=True):
    """How a month stands: `percent` of the limit is spent, `batch` items go into a call."""

    month: date
    spent_micros: Decimal
    reserved_micros: Decimal
    limit_cents: int
    alerted: int = 0

    @property
    def percent(self) -> float:
        """Spent by limit; a limit of 0 is used up."""
        if self.limit_cents == 0:
            return 100.0
        return float(self.spent_micros / (self.limit_cents * MICROS_A_CENT) * 100)

    @property
    def state(self) -> State:
        """What is allowed now (rule 45)."""
        spent = self.spent_micros * 100
        limit = Decimal(self.limit_cents * MICROS_A_CENT)
        if spent >= limit * 100:
            return "HARD_STOP"
        return "QUEUE" if spent >= limit * 90 else "REDUCE" if spent >= limit * 75 else "NORMAL"

    @property
    def batch(self) -> int:
        """Items a call."""
        return BATCH[self.state]

    @property
    def opens_at(self) -> datetime:
        """When the next month's budget is there: the first, 00:05 UTC."""
        return opening(next_month(self.month))

    def allows(self, *, critical: bool) -> bool:
        """Whether this state lets such a call through at all."""
        return self.state in ("NORMAL", "REDUCE") or (critical and self.state == "QUEUE")


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def opening(day: date) -> datetime:
    """Five past midnight UTC of a day: a clock that is a little ahead must not ask the day before."""
    return datetime.combine(day, time(0, 5), UTC)


STAND = """
SELECT spent_micros, reserved_micros, budget_limit_cents AS limit_cents, alerted, month
FROM ai_usage_tracking WHERE month = date_trunc('month', now() AT TIME ZONE 'UTC')::date AND provider = $1
"""


async def stand(services: Services) -> Stand:
    """How this month stands."""
    row = await services.db.fetchrow(STAND, PROVIDER)
    if row is None:
        await open_month(services)
        row = await services.db.fetchrow(STAND, PROVIDER)
    return Stand(**dict(row))


async def run_at(services: Services, *, critical: bool = False) -> datetime | None:
    """When a job that asks a model may run: None for now, else the first of next month."""
    found = await stand(services)
    return None if found.allows(critical=critical) else found.opens_at


# A raise is for its month. A cut stays: whoever wanted less must not be surprised on the first.
OPEN_MONTH = """
INSERT INTO ai_usage_tracking (month, provider, budget_limit_cents)
SELECT opened, $1, least($2::bigint, (
    SELECT budget_limit_cents FROM ai_usage_tracking WHERE provider = $1 AND month < opened ORDER BY month DESC LIMIT 1))
FROM coalesce($3::date, date_trunc('month', now() AT TIME ZONE 'UTC')::date) AS opened
ON CONFLICT (month, provider) DO NOTHING
"""


async def open_month(services: Services, month: date | None = None) -> None:
    """Make the row of a month, this one without another, where it is missing."""
    await services.db.execute(OPEN_MONTH, PROVIDER, DEFAULT_LIMIT_CENTS, month)


# Every ceiling is judged on the one row that is locked here, so none of them can be passed by two at once.
# $3 the worst cost of all calls together, $5 critical, $6 the day's limit and $7 the feature's share in per cent.
RESERVE = """
WITH taken AS (
    UPDATE ai_usage_tracking
    SET reserved_micros = reserved_micros + $3,
        day = (now() AT TIME ZONE 'UTC')::date,
        day_micros = CASE WHEN day = (now() AT TIME ZONE 'UTC')::date THEN day_micros ELSE 0 END + $3,
        feature_micros = feature_micros || jsonb_build_object($2::text, coalesce((feature_micros ->> $2)::numeric, 0) + $3)
    WHERE month = date_trunc('month', now() AT TIME ZONE 'UTC')::date AND provider = $1
      AND spent_micros + reserved_micros + $3 <= budget_limit_cents * 10000
      AND ($5 OR spent_micros < budget_limit_cents * 9000)
      AND ($6::numeric IS NULL
           OR CASE WHEN day = (now() AT TIME ZONE 'UTC')::date THEN day_micros ELSE 0 END + $3 <= $6 * 10000)
      AND ($7::numeric IS NULL
           OR coalesce((feature_micros ->> $2)::numeric, 0) + $3 <= budget_limit_cents * 100 * $7)
    RETURNING month, provider
)
INSERT INTO ai_calls (month, provider, feature, model, reserved_micros, items, about, job_id, batch_id)
SELECT taken.month, taken.provider, $2, $4, wish.worst, wish.items, nullif($10::jsonb -> (wish.place - 1)::integer, 'null'), $11, $12
FROM taken, unnest($8::numeric[], $9::integer[]) WITH ORDINALITY AS wish (worst, items, place)
ORDER BY wish.place
RETURNING id
"""


class Wish(msgspec.Struct, frozen=True):
    """One call as the budget sees it: its worst cost in micros, its items, and what its sender calls it."""

    worst: Decimal
    items: int = 1
    about: Any = None


async def reserve(
    services: Services,
    feature: str,
    model: str,
    wishes: Sequence[Wish],
    *,
    critical: bool = False,
    batch_id: int | None = None,
) -> list[int]:
    """Set the worst cost of some calls aside, all or none; return their ids in order. Raises Refused."""
    critical = critical or FEATURES[feature]
    asked = (
        PROVIDER,
        feature,
        sum((wish.worst for wish in wishes), Decimal(0)),
        model,
        critical,
        services.settings.ai_daily_limit_cents or None,
        shares(services.settings).get(feature),
        [wish.worst for wish in wishes],
        [wish.items for wish in wishes],
        [wish.about for wish in wishes],
        services.job.id if services.job else None,
        batch_id,
    )
    rows = await services.db.fetch(RESERVE, *asked)
    if not rows:
        # Either this month has no row yet, or a ceiling is reached.
        await open_month(services)
        rows = await services.db.fetch(RESERVE, *asked)
    if not rows:
        await refuse(services, feature, asked[2], critical)
    return [row["id"] for row in rows]


WHY = """
SELECT budget_limit_cents AS limit_cents, spent_micros AS spent,
    spent_micros + reserved_micros + $2 > budget_limit_cents * 10000 AS month_full,
    CASE WHEN day = (now() AT TIME ZONE 'UTC')::date THEN day_micros ELSE 0 END + $2 > $3::numeric * 10000 AS day_full,
    month, (now() AT TIME ZONE 'UTC')::date AS today
FROM ai_usage_tracking WHERE month = date_trunc('month', now() AT TIME ZONE 'UTC')::date AND provider = $1
"""


async def refuse(services: Services, feature: str, worst: Decimal, critical: bool) -> NoReturn:
    """Say which ceiling a call met. Raises Refused."""
    THROTTLES.inc()
    daily = services.settings.ai_daily_limit_cents or None
    row = await services.db.fetchrow(WHY, PROVIDER, worst, daily)
    until = opening(next_month(row["month"]))
    if row["limit_cents"] == 0:
        raise Refused("ai_off", until)
    if not critical and row["spent"] >= row["limit_cents"] * 9000:
        raise Refused("ai_critical_only", until)
    if row["month_full"]:
        raise Refused("ai_budget_reached", until)
    if row["day_full"]:
        raise Refused("ai_day_reached", opening(row["today"] + timedelta(days=1)))
    raise Refused("ai_share_reached", until)


# A payload that has no room for the note does without: the error beside the job says the same.
TELL = """
UPDATE delayed_jobs SET payload = payload || jsonb_build_object('note', $2::text)
WHERE id = $1 AND length((payload || jsonb_build_object('note', $2::text))::text) <= 8192
"""


async def put_off(services: Services, refused: Refused) -> NoReturn:
    """Let the running job wait until its ceiling opens, with a note in its payload. Raises Defer."""
    if services.job is not None:
        await services.db.execute(TELL, services.job.id, f"{NOTE}: {refused.code}")
    raise Defer(refused.until, refused.sentence)


def shares(settings: Settings) -> dict[str, Decimal]:
    """AI_SHARES: the per cent of a month that a feature may take. Raises Misconfigured."""
    found = {}
    for part in settings.ai_shares.split(","):
        name, _, percent = (text.strip() for text in part.partition("="))
        if not name:
            continue
        if name not in FEATURES or not percent.isdecimal() or int(percent) > 100:
            raise Misconfigured(
                f"AI_SHARES: {part.strip()} is not one of {', '.join(FEATURES)} and a per cent. Change that line."
            )
        found[name] = Decimal(percent)
    return found
