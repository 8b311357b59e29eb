"""Outside services as all processes see them: breaker, success rate, quota, next try (chapter 90 §2, chapter 20 §7)."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from app.errors import NotFound
from app.services import Services

REQUESTS = "outside_requests"
# What is no failure of the service: it was let alone, or our side hung up.
NOT_ASKED = frozenset(("breaker_open", "interrupted"))
WELL = frozenset(("ok", "not_found"))
# A good answer alone is news only so often.
OK_SECONDS = 60.0


class Provider(NamedTuple):
    """One service outside: its door in services.outside, what it is for, and the line that sets it up."""

    service: str
    label: str
    what_for: str
    setting: str
    # The provider of provider_quotas whose calls are counted, "" for none.
    quota: str = ""


# A new service is a line here: the page, the doctor and their tests walk this list.
PROVIDERS: tuple[Provider, ...] = (
    Provider("anthropic", "Anthropic", "tags of news", "ANTHROPIC_API_KEY"),
    Provider("open_meteo", "Open-Meteo", "weather of the world", "OPEN_METEO_URL", "open_meteo"),
    Provider("nws", "National Weather Service", "weather of the United States", "NWS_URL"),
    Provider(
        "alphavantage", "Alpha Vantage", "prices of stocks", "ALPHAVANTAGE_KEY", "alphavantage"
    ),
    Provider("finnhub", "Finnhub", "prices of stocks", "FINNHUB_KEY", "finnhub"),
    Provider("instagram", "Instagram", "posts of members", "INSTAGRAM_APP_ID"),
    Provider("facebook_pages", "Facebook Pages", "posts of members", "FACEBOOK_APP_ID"),
    Provider("meilisearch", "Meilisearch", "search that forgives typos", "MEILI_URL"),
    Provider("s3", "Object store", "pictures and files", "S3_ENDPOINT"),
    Provider("smtp", "Mail server", "letters out", "SMTP_URL"),
    Provider("imap", "Mailbox", "letters in", "IMAP_URL"),
    Provider("slack", "Chat", "lines to the team", "SLACK_WEBHOOK_URL"),
    Provider("google", "Google", "signing in", "GOOGLE_CLIENT_ID"),
    Provider("facebook", "Facebook", "signing in", "FACEBOOK_APP_ID"),
    Provider("apple", "Apple", "signing in", "APPLE_CLIENT_ID"),
)
BY_SERVICE = {provider.service: provider for provider in PROVIDERS}


class Integration(msgspec.Struct):
    """One service: `state` is off, unused, ok, failing or resting; the success rate is of 24 hours."""

    service: str
    label: str
    what_for: str
    setting: str
    state: str
    sentence: str
    breaker: str
    since: datetime | None
    failures: int
    next_try: datetime | None
    last_ok_at: datetime | None
    last_error: str | None
    requests: int
    success_ratio: float | None
    quota_left: int | None
    quota_resets_at: datetime | None


class Hour(msgspec.Struct):
    """How many requests of one hour ended so."""

    starts_at: datetime
    result: str
    requests: int


class Detail(Integration):
    """One service with its last day by the hour."""

    hours: list[Hour]


class IntegrationList(msgspec.Struct):
    """Every service that this program can speak to."""

    items: list[Integration]
    total: int
    next: str | None = None


class Reported(NamedTuple):
    """What this process said of one breaker last."""

    breaker: str = "closed"
    failures: int = 0
    last_ok: float | None = None
    results: Counter[str] = Counter()
    quota_left: int | None = None


# The last who asked a service knows best how it stands; `since` stays while the state does.
REPORT = """
INSERT INTO integration_states AS kept
    (service, breaker, failures, next_try, last_ok_at, last_error, quota_left)
VALUES ($1, $2, $3, now() + make_interval(secs => $4::float8), to_timestamp($5::float8), $6, $7)
ON CONFLICT (service) DO UPDATE
SET breaker = EXCLUDED.breaker, failures = EXCLUDED.failures, next_try = EXCLUDED.next_try,
    since = CASE WHEN kept.breaker = EXCLUDED.breaker THEN kept.since ELSE now() END,
    last_ok_at = greatest(kept.last_ok_at, EXCLUDED.last_ok_at),
    last_error = coalesce(EXCLUDED.last_error, kept.last_error),
    quota_left = coalesce(EXCLUDED.quota_left, kept.quota_left), updated_at = now()
"""
COUNT = """
INSERT INTO metric_minutes AS kept (span, starts_at, name, labels, count, sum)
SELECT 'hour', date_trunc('hour', now()), $1, jsonb_build_object('service', $2::text, 'result', result), count, 0
FROM unnest($3::text[], $4::bigint[]) AS grown (result, count) ORDER BY result
ON CONFLICT (span, starts_at, name, labels) DO UPDATE SET count = kept.count + EXCLUDED.count
"""


async def report(services: Services) -> int:
    """Write what this process has learnt of the services since it last did; return how many changed. Raises ServiceDown."""
    told: dict[str, Reported] = services.memory.setdefault("integrations", {})
    changed = 0
    for service, outside in services.outside.items():
        breaker = getattr(outside, "breaker", None)
        if breaker is None:
            continue
        before = told.get(service, Reported())
        grown = breaker.results - before.results
        standing = breaker.standing()
        now = Reported(
            standing.state,
            standing.failures,
            standing.last_ok,
            Counter(breaker.results),
            getattr(outside, "quota_left", None),
        )
        if not grown and (standing.state, standing.failures) == (before.breaker, before.failures):
            continue
        if is_more_of_the_same(before, now):
            continue
        await write(services, service, standing, now, grown)
        told[service] = now
        changed += 1
    return changed


def is_more_of_the_same(before: Reported, now: Reported) -> bool:
    """Whether nothing is new but further good answers, which are written once a minute."""
    alike = (before.breaker, before.failures) == (now.breaker, now.failures) == ("closed", 0)
    return alike and before.last_ok is not None and time.time() - before.last_ok < OK_SECONDS


async def write(
    services: Services, service: str, standing: Any, now: Reported, grown: Counter[str]
) -> None:
    """One service as this process sees it, and how its requests ended."""
    await services.db.execute(
        REPORT,
        service,
        standing.state,
        standing.failures,
        standing.retry_after,
        standing.last_ok,
        standing.last_code,
        now.quota_left,
    )
    if grown:
        await services.db.execute(COUNT, REQUESTS, service, list(grown), list(grown.values()))


STATES = """
SELECT service, breaker, since, failures, next_try, last_ok_at, last_error, quota_left, quota_resets_at
FROM integration_states
"""
RESULTS = """
SELECT labels ->> 'service' AS service, labels ->> 'result' AS result, sum(count)::bigint AS requests
FROM metric_minutes
WHERE span = 'hour' AND name = $1 AND starts_at > now() - interval '24 hours'
GROUP BY 1, 2
"""
# The longest span that has a ceiling; one that is over has nothing used.
QUOTAS = """
SELECT DISTINCT ON (provider) provider, greatest(allowed - CASE WHEN ends > now() THEN used ELSE 0 END, 0) AS left_now,
    CASE WHEN ends > now() THEN ends END AS resets_at
FROM provider_quotas, LATERAL (SELECT span_start + ('1 ' || span)::interval AS ends) AS running
WHERE allowed < 2147483647
ORDER BY provider, span
"""


async def listed(services: Services) -> IntegrationList:
    """Every service, in the order of PROVIDERS."""
    async with services.held() as held:
        states = {row["service"]: row for row in await held.db.fetch(STATES)}
        quotas = {row["provider"]: row for row in await held.db.fetch(QUOTAS)}
        results: dict[str, Counter[str]] = {}
        for row in await held.db.fetch(RESULTS, REQUESTS):
            results.setdefault(row["service"], Counter())[row["result"]] += row["requests"]
    items = [
        judged(
            provider,
            provider.service in services.outside,
            states.get(provider.service),
            results.get(provider.service, Counter()),
            quotas.get(provider.quota),
        )
        for provider in PROVIDERS
    ]
    return IntegrationList(items, len(items))


def judged(
    provider: Provider, is_set_up: bool, row: Any, results: Counter[str], quota: Any
) -> Integration:
    """One service in words."""
    asked = sum(count for result, count in results.items() if result not in NOT_ASKED)
    well = sum(count for result, count in results.items() if result in WELL)
    state, sentence = state_of(provider, is_set_up, row)
    return Integration(
        **provider_fields(provider),
        state=state,
        sentence=sentence,
        breaker=row["breaker"] if row else "closed",
        since=row["since"] if row else None,
        failures=row["failures"] if row else 0,
        next_try=row["next_try"] if row and row["breaker"] != "closed" else None,
        last_ok_at=row["last_ok_at"] if row else None,
        last_error=row["last_error"] if row else None,
        requests=asked,
        success_ratio=round(well / asked, 4) if asked else None,
        quota_left=quota["left_now"] if quota else row["quota_left"] if row else None,
        quota_resets_at=quota["resets_at"] if quota else row["quota_resets_at"] if row else None,
    )


def provider_fields(provider: Provider) -> dict[str, str]:
    """What is known of a service before it is asked."""
    return {
        "service": provider.service,
        "label": provider.label,
        "what_for": provider.what_for,
        "setting": provider.setting,
    }


def state_of(provider: Provider, is_set_up: bool, row: Any) -> tuple[str, str]:
    """Off, unused, ok, failing or resting, and the sentence."""
    if not is_set_up:
        return "off", f"Not set up on this site: set {provider.setting}."
    if row is None:
        return "unused", "Nobody has asked it yet."
    if row["breaker"] != "closed":
        return (
            "resting",
            f"It failed {row['failures']} times in a row and is left alone for a while.",
        )
    if row["failures"]:
        return "failing", failing(row["failures"], row["last_error"] or "")
    return "ok", "It answers."


WHY = {
    "over_quota": "it was asked more often than it allows",
    "timeout": "no answer came in time",
    "unreachable": "it could not be reached",
    "garbage": "its answer made no sense",
}


def failing(failures: int, code: str) -> str:
    """How often it failed in a row, and why."""
    which = "request" if failures == 1 else f"{failures:,} requests"
    status = code.removeprefix("http_")
    why = WHY.get(
        code, f"it answered {status}" if status.isdigit() else code or "it does not say why"
    )
    return f"The last {which} failed: {why}."


HOURS = """
SELECT starts_at, labels ->> 'result' AS result, count AS requests
FROM metric_minutes
WHERE span = 'hour' AND name = $1 AND labels ->> 'service' = $2 AND starts_at > now() - interval '24 hours'
ORDER BY starts_at DESC, result
"""


async def one(services: Services, service: str) -> Detail:
    """One service, with its last 24 hours. Raises NotFound."""
    if service not in BY_SERVICE:
        raise NotFound("There is no such service.")
    found = next(item for item in (await listed(services)).items if item.service == service)
    rows = await services.db.fetch(HOURS, REQUESTS, service)
    hours = [Hour(**dict(row)) for row in rows]
    return Detail(**msgspec.structs.asdict(found), hours=hours)


PURGE = "DELETE FROM metric_minutes WHERE span = 'hour' AND name = $1 AND starts_at < now() - $2::interval"


async def purge(services: Services) -> None:
    """Forget hours past a week."""
    await services.db.execute(PURGE, REQUESTS, timedelta(days=7))


def by_hour(found: Detail) -> list[dict[str, Any]]:
    """How many requests of each of the last 24 hours failed, for a chart."""
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    failed: Counter[datetime] = Counter()
    for hour in found.hours:
        if hour.result not in WELL | NOT_ASKED:
            failed[hour.starts_at] += hour.requests
    hours = [first + timedelta(hours=step) for step in range(24)]
    return [{"label": f"{hour:%H}:00", "value": failed[hour]} for hour in hours]
