"""Sources of prices: which are set up, how often each may be asked, and what each has used (chapter 20 rule 51)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import Counter

from app.config import Settings
from app.domain.homepage import stock_turns
from app.domain.homepage.market_hours import Days
from app.domain.homepage.stock_turns import Quotas, Spent, Wish
from app.domain.platform.flags import memory
from app.errors import ServiceDown
from app.services import Services

FLAG = "stocks_widget"
# Setting names of each source's quotas and key, by the name that STOCK_SOURCES has for it.
LABELS = {"alphavantage": "Alpha Vantage", "finnhub": "Finnhub"}
# How long a source that says "too often" without saying until when is left alone.
REST_DAY, REST_MINUTE = timedelta(hours=1), timedelta(minutes=1)

# Printed without _total, as the documents have it.
EXCEEDED = Counter(
    "stock_rate_limit_exceeded", "Answers of sources of prices that we ask too often."
)


def wanted(settings: Settings) -> list[str]:
    """The sources that STOCK_SOURCES names, in its order; names that there are not are passed over."""
    names = [name.strip().lower() for name in settings.stock_sources.split(",")]
    return [name for name in dict.fromkeys(names) if name in LABELS]


def configured(services: Services) -> list[str]:
    """The sources that can be asked: wanted, and with a key."""
    return [name for name in wanted(services.settings) if name in services.outside]


def is_set_up(services: Services) -> bool:
    """Whether this installation has a source of prices. Only the setting decides: a page asks, and calls nobody."""
    settings = services.settings
    return any(getattr(settings, f"{name}_key") for name in wanted(settings))


def is_switched_on(services: Services) -> bool:
    """Whether anybody can see stocks: calls are too dear for a widget that is off."""
    rule = memory.of(services).rules.get(FLAG)
    return rule is not None and rule.enabled


def quotas(settings: Settings, name: str) -> Quotas:
    """How often one source may be asked."""
    return stock_turns.quotas(getattr(settings, f"{name}_quotas"))


# A span that is over has nothing used; the row of the day has what holds for the source at all times.
SPENT = """
SELECT provider, coalesce(sum(used) FILTER (WHERE span = 'day' AND span_start >= $2), 0)::integer AS day,
    coalesce(sum(used) FILTER (WHERE span = 'minute' AND span_start >= $3), 0)::integer AS minute,
    max(last_at) AS last_at, max(rests_until) AS rests_until
FROM provider_quotas WHERE provider = ANY($1) GROUP BY provider
"""


async def spent(services: Services, names: Sequence[str], now: datetime) -> Mapping[str, Spent]:
    """How far the sources' quotas are used."""
    rows = await services.db.fetch(SPENT, list(names), *spans(now))
    found = {row["provider"]: spent_of(row, now) for row in rows}
    return {name: found.get(name, Spent()) for name in names}


def spent_of(row: Any, now: datetime) -> Spent:
    """What one source has used. What was asked on an earlier UTC day does not move the turns of this one."""
    last_at = row["last_at"]
    if last_at is not None and last_at < spans(now)[0] and now - last_at > stock_turns.MINUTE:
        last_at = None
    return Spent(row["day"], row["minute"], last_at, row["rests_until"])


def spans(now: datetime) -> tuple[datetime, datetime]:
    """When the running UTC day and minute began."""
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    return minute.replace(hour=0, minute=0), minute


# Both rows are locked in one order, so that two workers take turns and never the same call. A worker whose clock is
# behind counts in the later span rather than beginning an old one anew. A span without a ceiling has the largest number.
LOCK = """
INSERT INTO provider_quotas (provider, span, span_start, used, allowed)
VALUES ($1, 'day', $2, 0, coalesce($4, 2147483647)), ($1, 'minute', $3, 0, coalesce($5, 2147483647))
ON CONFLICT (provider, span) DO UPDATE SET
    used = CASE WHEN provider_quotas.span_start >= EXCLUDED.span_start THEN provider_quotas.used ELSE 0 END,
    span_start = greatest(provider_quotas.span_start, EXCLUDED.span_start), allowed = EXCLUDED.allowed
"""
TAKE = """
UPDATE provider_quotas SET used = used + 1, last_at = $2 WHERE provider = $1
"""


async def take(
    services: Services, name: str, now: datetime, days: Days, wish: Wish, *, is_scarce: bool
) -> timedelta | None:
    """Count one call of a source, if it may be asked now; else answer the gap to wait, None when it has no turn."""
    allowed = quotas(services.settings, name)
    async with services.tx() as tx:
        await tx.db.execute(LOCK, name, *spans(now), allowed.day, allowed.minute)
        used = (await spent(tx, [name], now))[name]
        wait = stock_turns.wait(now, days, allowed, used, wish, is_scarce=is_scarce)
        if wait == timedelta(0):
            await tx.db.execute(TAKE, name, now)
    return wait


async def may_ask(services: Services, name: str, now: datetime) -> bool:
    """Count one call of a source outside the turns of symbols; False where its quotas leave none now."""
    wish = Wish(is_overdue=True)
    gap = await take(services, name, now, {}, wish, is_scarce=False)
    return gap == timedelta(0)


REST = """
UPDATE provider_quotas SET rests_until = $2 WHERE provider = $1 AND span = 'day'
"""


async def rest(services: Services, name: str, now: datetime, down: ServiceDown) -> None:
    """Leave a source alone that says it is asked too often: as long as it says, else an hour or a minute."""
    EXCEEDED.inc()
    usual = REST_DAY if quotas(services.settings, name).day is not None else REST_MINUTE
    wait = timedelta(seconds=down.retry_after) if down.retry_after else usual
    await services.db.execute(REST, name, now + wait)


class Standing(msgspec.Struct):
    """How one source stands: whether it has its key, what it has used of its quotas, and until when it rests."""

    name: str
    label: str
    is_set_up: bool
    used_day: int
    allowed_day: int | None
    used_minute: int
    allowed_minute: int | None
    rests_until: datetime | None
    breaker: str | None

    @property
    def is_resting(self) -> bool:
        """Whether the source is left alone now."""
        return self.rests_until is not None or self.breaker == "open"

    @property
    def says(self) -> str:
        """One line on the source: what it has used of its quotas, and whether it rests."""
        spans = (
            (self.used_day, self.allowed_day, "day"),
            (self.used_minute, self.allowed_minute, "minute"),
        )
        used = [
            f"{many} of {most} calls a {span}" for many, most, span in spans if most is not None
        ]
        rests = f"rests until {self.rests_until:%H:%M} UTC" if self.rests_until else ""
        return f"{self.label}: {', '.join(filter(None, [*used, rests])) or 'not counted'}"


async def standings(services: Services, now: datetime | None = None) -> list[Standing]:
    """How each wanted source stands."""
    now = now or datetime.now(UTC)
    names = wanted(services.settings)
    used = await spent(services, names, now)
    return [standing(services, name, used[name], now) for name in names]


def standing(services: Services, name: str, used: Spent, now: datetime) -> Standing:
    """How one source stands."""
    allowed, door = quotas(services.settings, name), services.outside.get(name)
    rests = used.rests_until if used.rests_until and used.rests_until > now else None
    has_key = bool(getattr(services.settings, f"{name}_key"))
    state = door.breaker.state if door is not None else None
    return Standing(
        name,
        LABELS[name],
        has_key,
        used.day,
        allowed.day,
        used.minute,
        allowed.minute,
        rests,
        state,
    )
