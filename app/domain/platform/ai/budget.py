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


# What only calls under way keep out may have room again when they are settled.
SOON = timedelta(minutes=15)


class Refused(ServiceDown):
    """There is no money for a call: `code` says which ceiling, `until` when it opens, `filled` the month it found full."""

    def __init__(self, code: str, until: datetime, filled: date | None = None) -> None:
        super().__init__(SENTENCES[code], code=code)
        self.until = until
        self.filled = filled


class Stand(msgspec.Struct, frozen=True):
    """How a month stands: `percent` of the limit is spent, `batch` items go into a call; full is a month whose rest is
    less than one more call may cost."""

    month: date
    spent_micros: Decimal
    reserved_micros: Decimal
    limit_cents: int
    alerted: int = 0
    is_full: bool = False

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
        if self.is_full or spent >= limit * 100:
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

    def why(self, *, critical: bool) -> str | None:
        """The code with which this state refuses such a call; None where it lets it through."""
        if self.allows(critical=critical):
            return None
        if self.limit_cents == 0:
            return "ai_off"
        return "ai_budget_reached" if self.state == "HARD_STOP" else "ai_critical_only"


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def opening(day: date) -> datetime:
    """Five past midnight UTC of a day: a clock that is a little ahead must not ask the day before."""
    return datetime.combine(day, time(0, 5), UTC)


STAND = """
SELECT spent_micros, reserved_micros, budget_limit_cents AS limit_cents, alerted, is_full, month
FROM ai_usage_tracking WHERE month = date_trunc('month', now() AT TIME ZONE 'UTC')::date AND provider = $1
"""


async def stand(services: Services) -> Stand:
    """How this month stands."""
    row = await services.db.fetchrow(STAND, PROVIDER)
    if row is None:
        await open_month(services)
        row = await services.db.fetchrow(STAND, PROVIDER)
    return Stand(**dict(row))


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
      AND NOT is_full AND spent_micros + reserved_micros + $3 <= budget_limit_cents * 10000
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
        await refuse(services, feature, wishes, critical=critical)
    return [row["id"] for row in rows]


# Beside each ceiling, whether it would hold if no call were under way: only then is it worth a long wait.
WHY = """
SELECT usage.month, usage.spent_micros, usage.reserved_micros, usage.budget_limit_cents AS limit_cents, usage.is_full,
    now() + $6 AS soon, today, usage.budget_limit_cents * 10000 - $2 AS month_room, $3::numeric * 10000 - $2 AS day_room,
    CASE WHEN day = today THEN day_micros ELSE 0 END AS day_taken, usage.budget_limit_cents * 100 * $5::numeric - $2 AS share_room,
    coalesce((feature_micros ->> $4)::numeric, 0) AS share_taken, away.of_day, away.of_feature
FROM ai_usage_tracking AS usage, CAST(now() AT TIME ZONE 'UTC' AS date) AS today, LATERAL (
    SELECT coalesce(sum(reserved_micros) FILTER (WHERE (made_at AT TIME ZONE 'UTC')::date = today), 0) AS of_day,
        coalesce(sum(reserved_micros) FILTER (WHERE feature = $4), 0) AS of_feature
    FROM ai_calls WHERE state = 'reserved' AND month = usage.month AND provider = usage.provider) AS away
WHERE usage.month = date_trunc('month', now() AT TIME ZONE 'UTC')::date AND usage.provider = $1
"""


async def refuse(
    services: Services, feature: str, wishes: Sequence[Wish], *, critical: bool
) -> NoReturn:
    """Say which ceiling some calls met, and mark a month full that has no room for one of a single item. Raises Refused."""
    THROTTLES.inc()
    daily = services.settings.ai_daily_limit_cents or None
    worst = sum((wish.worst for wish in wishes), Decimal(0))
    share = shares(services.settings).get(feature)
    row = await services.db.fetchrow(WHY, PROVIDER, worst, daily, feature, share, SOON)
    if row is None:
        # The month has turned since it was asked.
        raise Refused("ai_budget_reached", datetime.now(UTC) + SOON)
    names = ("month", "spent_micros", "reserved_micros", "limit_cents", "is_full")
    found = Stand(**{name: row[name] for name in names})
    if code := found.why(critical=critical):
        raise Refused(code, found.opens_at)
    code, until = ceiling(row, found)
    is_last = code == "ai_budget_reached" and [wish.items for wish in wishes] == [1]
    filled = await services.db.fetchval(FULL, PROVIDER, worst) if is_last else None
    raise Refused(code, until, filled)


def ceiling(row: Any, found: Stand) -> tuple[str, datetime]:
    """The ceiling that a row of WHY is over, and when it opens; none may be, where one opened just now."""
    if found.spent_micros + found.reserved_micros > row["month_room"]:
        is_long = found.spent_micros > row["month_room"]
        return "ai_budget_reached", found.opens_at if is_long else row["soon"]
    if row["day_room"] is not None and row["day_taken"] > row["day_room"]:
        is_long = row["day_taken"] - row["of_day"] > row["day_room"]
        tomorrow = opening(row["today"] + timedelta(days=1))
        return "ai_day_reached", tomorrow if is_long else row["soon"]
    if row["share_room"] is not None and row["share_taken"] > row["share_room"]:
        is_long = row["share_taken"] - row["of_feature"] > row["share_room"]
        return "ai_share_reached", found.opens_at if is_long else row["soon"]
    return "ai_budget_reached", row["soon"]


# What is set aside may be given back, so only a month without any of that is full. Until its limit is raised it stays
# so: else its last cents would be asked for again and again, and nobody would hear that they are the last.
# One costly call that finds no room says nothing about cheaper ones, while more than a tenth is left.
FULL = """
UPDATE ai_usage_tracking SET is_full = true
WHERE month = date_trunc('month', now() AT TIME ZONE 'UTC')::date AND provider = $1 AND NOT is_full
  AND reserved_micros = 0 AND spent_micros + $2 > budget_limit_cents * 10000 AND spent_micros >= budget_limit_cents * 9000
RETURNING month
"""


def refused(found: Stand, *, critical: bool) -> Refused | None:
    """The refusal of a state for whoever has not even a call to reserve yet, counted as any other; None without one."""
    if (code := found.why(critical=critical)) is None:
        return None
    THROTTLES.inc()
    return Refused(code, found.opens_at)


# A payload that has no room for the note does without: the error beside the job says the same.
TELL = """
UPDATE delayed_jobs SET payload = payload || jsonb_build_object('note', $2::text)
WHERE id = $1 AND length((payload || jsonb_build_object('note', $2::text))::text) <= 8192
"""


async def note(services: Services, job_id: int, code: str) -> None:
    """Write on a job that it waits for money, which is how a raised limit finds it."""
    await services.db.execute(TELL, job_id, f"{NOTE}: {code}")


async def put_off(services: Services, refused: Refused) -> NoReturn:
    """Let the running job wait until its ceiling opens, with a note in its payload. Raises Defer."""
    if services.job is not None:
        await note(services, services.job.id, refused.code)
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
