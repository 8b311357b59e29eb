"""Spots: the weather of one rounded position, asked of the outside by jobs and kept (chapter 20 rules 49 and 50)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from app.domain.platform import metrics, places
from app.errors import Problem, ServiceDown
from app.services import Services

log = structlog.get_logger("weather")

# The National Weather Service covers the states and these territories.
NWS_COUNTRIES = frozenset(("US", "PR", "GU", "VI", "AS", "MP"))
NEAR_KM = 50.0
FORECAST_EVERY, ALERTS_EVERY = timedelta(minutes=60), timedelta(minutes=15)
TRY_AGAIN = timedelta(minutes=5)
BATCH = 50

REFRESHED = Counter(
    "weather_refreshes", "Forecasts asked for, by provider and result.", ("provider", "result")
)

STALENESS = Gauge(
    "homepage_weather_cache_staleness_minutes",
    "Age of the oldest forecast that somebody looked at within a day.",
    multiprocess_mode="mostrecent",
)


def key_of(lat: float, lon: float) -> str:
    """The location_key of a position: both rounded to 2 decimals."""
    return f"{lat:.2f}:{lon:.2f}"


def position(location_key: str) -> tuple[float, float]:
    """Latitude and longitude of a location_key."""
    lat, lon = location_key.split(":")
    return float(lat), float(lon)


WATCH = """
INSERT INTO weather_cache (location_key) VALUES ($1)
ON CONFLICT (location_key) DO UPDATE SET viewed_at = now()
WHERE weather_cache.viewed_at < now() - interval '1 hour'
RETURNING forecast IS NULL AS is_new
"""


async def watch(services: Services, location_key: str) -> None:
    """Say that somebody looks at this spot; a new one is asked about at once."""
    async with services.tx() as tx:
        if await tx.db.fetchval(WATCH, location_key):
            await tx.enqueue("refresh_spot", location_key, key=location_key)


# Taking a spot moves its next try ahead, so that two workers never ask the same; success moves it again.
TAKE_DUE = """
WITH due AS (
    SELECT location_key FROM weather_cache
    WHERE forecast_due_at <= now() AND viewed_at > now() - interval '14 days'
    ORDER BY forecast_due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE weather_cache SET tried_at = now(), forecast_due_at = now() + interval '5 minutes'
WHERE location_key IN (SELECT location_key FROM due)
RETURNING location_key, country
"""
TAKE_ONE = """
UPDATE weather_cache SET tried_at = now(), forecast_due_at = now() + interval '5 minutes'
WHERE location_key = $1 AND (forecast_at IS NULL OR forecast_due_at <= now()) RETURNING location_key, country
"""


async def refresh_due(services: Services) -> int:
    """Ask for the forecasts that are due, up to 50 spots a call; answer how many spots there were."""
    total = 0
    while rows := await services.db.fetch(TAKE_DUE, BATCH):
        await refresh(services, rows)
        total += len(rows)
    return total


async def refresh_one(services: Services, location_key: str) -> None:
    """Ask for one spot that nobody has asked for yet."""
    if row := await services.db.fetchrow(TAKE_ONE, location_key):
        await refresh(services, [row])


async def refresh(services: Services, rows: Sequence[Any]) -> None:
    """Ask NWS for the spots it covers, Open-Meteo for the others and for what NWS could not say."""
    others: list[tuple[str, str | None]] = []
    for row in rows:
        country = row["country"] or await country_of(services, row["location_key"])
        if country not in NWS_COUNTRIES or not await from_nws(
            services, row["location_key"], country
        ):
            others.append((row["location_key"], country))
    if others:
        await from_open_meteo(services, others)


async def country_of(services: Services, location_key: str) -> str | None:
    """The country of the nearest town within 50 km; None on the open sea."""
    place = await places.nearest(services, *position(location_key), within_km=NEAR_KM)
    return place.country if place else None


async def from_nws(services: Services, location_key: str, country: str | None) -> bool:
    """Keep the National Weather Service's forecast; False when it has none for us now."""
    try:
        forecast = await services.outside["nws"].forecast(*position(location_key))
    except Problem as error:
        REFRESHED.labels("nws", error.code).inc()
        return False
    REFRESHED.labels("nws", "ok").inc()
    await keep(services, location_key, "nws", country, forecast)
    return True


async def from_open_meteo(services: Services, spots: list[tuple[str, str | None]]) -> None:
    """Keep Open-Meteo's forecasts for some spots, or the reason why there are none."""
    try:
        await spend_quota(services)
        found = await services.outside["open_meteo"].forecasts([position(key) for key, _ in spots])
    except ServiceDown as error:
        REFRESHED.labels("open_meteo", error.code).inc()
        await services.db.execute(FAILED, [key for key, _ in spots], error.code, wait_of(error))
        return
    REFRESHED.labels("open_meteo", "ok").inc(len(spots))
    for (location_key, country), forecast in zip(spots, found, strict=True):
        await keep(services, location_key, "open_meteo", country, forecast)


def wait_of(error: ServiceDown) -> timedelta:
    """When to try again: what the service asks, at least five minutes."""
    if error.code == "over_quota" and error.retry_after is None:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(
            days=1
        )
        return midnight - datetime.now(UTC)
    return max(TRY_AGAIN, timedelta(seconds=error.retry_after or 0))


SPEND = """
INSERT INTO provider_quotas (provider, span, span_start, used, allowed)
VALUES ('open_meteo', 'day', date_trunc('day', now()), 1, $1)
ON CONFLICT (provider, span) DO UPDATE SET
    used = CASE WHEN provider_quotas.span_start = EXCLUDED.span_start THEN provider_quotas.used + 1 ELSE 1 END,
    span_start = EXCLUDED.span_start, allowed = EXCLUDED.allowed
WHERE provider_quotas.span_start < EXCLUDED.span_start OR provider_quotas.used < EXCLUDED.allowed
RETURNING used
"""


async def spend_quota(services: Services) -> None:
    """Count one call to Open-Meteo. Raises ServiceDown when the day's share is used up."""
    if await services.db.fetchval(SPEND, services.settings.open_meteo_quota) is None:
        raise ServiceDown("Today's share of forecasts is used up.", code="over_quota")


KEEP = """
UPDATE weather_cache SET provider = $2, country = $3, forecast = $4, forecast_at = now(), failures = 0, error_code = NULL,
    forecast_due_at = now() + interval '60 minutes', expires_at = now() + interval '90 minutes',
    alerts_due_at = CASE WHEN $2 = 'nws' THEN coalesce(alerts_due_at, now()) END,
    alerts = CASE WHEN $2 = 'nws' THEN alerts END
WHERE location_key = $1
"""
FAILED = """
UPDATE weather_cache SET failures = failures + 1, error_code = $2, forecast_due_at = now() + $3::interval
WHERE location_key = ANY($1)
"""


async def keep(
    services: Services, location_key: str, provider: str, country: str | None, forecast: Any
) -> None:
    """Keep one forecast as the last good value."""
    await services.db.execute(KEEP, location_key, provider, country, msgspec.to_builtins(forecast))


TAKE_ALERTS = """
WITH due AS (
    SELECT location_key FROM weather_cache
    WHERE alerts_due_at <= now() AND provider = 'nws' AND viewed_at > now() - interval '14 days'
    ORDER BY alerts_due_at LIMIT 200 FOR UPDATE SKIP LOCKED
)
UPDATE weather_cache SET alerts_due_at = now() + interval '15 minutes'
WHERE location_key IN (SELECT location_key FROM due)
RETURNING location_key
"""
KEEP_ALERTS = "UPDATE weather_cache SET alerts = $2, alerts_at = now() WHERE location_key = $1"


async def refresh_alerts(services: Services) -> None:
    """Ask for the warnings that are due; a failure leaves the last ones, which expire by themselves."""
    for row in await services.db.fetch(TAKE_ALERTS):
        try:
            alerts = await services.outside["nws"].alerts(*position(row["location_key"]))
        except Problem as error:
            log.warning("no alerts", code=error.code)
            continue
        await services.db.execute(KEEP_ALERTS, row["location_key"], msgspec.to_builtins(alerts))


# A spot that nobody could say anything about never had a day to expire on.
PURGE = """
DELETE FROM weather_cache
WHERE viewed_at < now() - interval '14 days' AND (expires_at IS NULL OR expires_at < now() - interval '7 days')
"""


async def purge(services: Services) -> None:
    """Forget spots that expired a week ago and that nobody looks at."""
    await services.db.execute(PURGE)


OLDEST = """
SELECT coalesce(extract(epoch FROM now() - min(forecast_at)) / 60, 0)::float8
FROM weather_cache WHERE viewed_at > now() - interval '1 day'
"""


async def show_figures(services: Services) -> None:
    """Set this process's gauge to the age of the oldest forecast that is looked at."""
    STALENESS.set(await services.db.fetchval(OLDEST))


metrics.SHOWN.append(show_figures)
