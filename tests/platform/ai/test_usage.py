"""The AI budget's panel: what was spent, the limit that is changed with a reason, alerts that were seen."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.platform.ai import budget, ledger, results, usage
from app.domain.platform.ai.prices import Tokens
from app.services import Services
from app.web import sight
from app.web.platform import ai_usage
from tests.people import Browser, member
from tests.platform.ai.conftest import spent

MONTH = f"{datetime.now(UTC):%Y-%m}"
TODAY = datetime.now(UTC).date()
REASON = {"reason": "The election needs more"}


@pytest.fixture
async def admin(browser: Browser, services: Services) -> Browser:
    """A browser of an admin who may decide about money for models."""
    await browser.sign_in(await member(services, "ops@example.org", role="ops"))
    return browser


async def bill(services: Services, cents: float, feature: str = "tagging") -> None:
    """Let one call of a feature cost so many cents."""
    micros = Decimal(str(cents)) * budget.MICROS_A_CENT
    wish = budget.Wish(micros, 20)
    [call] = await budget.reserve(services, feature, "claude-haiku-4-5", [wish])
    await ledger.settle(services, call, micros, Tokens(1000, 100))


async def test_the_month_is_shown_with_its_state_and_features(
    admin: Browser, services: Services
) -> None:
    await bill(services, 1.25)
    await bill(services, 0.25, "fraud")
    found = (await admin.json("GET", "/admin/api/ai-usage")).json()
    assert (found["month"], found["state"], found["percent"]) == (MONTH, "NORMAL", 0.0)
    assert (found["spent_cents"], found["spent_micros"], found["currency"]) == (2, "15000", "USD")
    assert (found["budget_limit_cents"], found["requests"], found["tokens_in"]) == (50_000, 2, 2000)
    features = [(line["feature"], line["items"]) for line in found["features"]]
    assert features == [("fraud", 20), ("tagging", 20)]
    page = (await admin.get("/admin/ai-usage")).text
    assert "No model is set up on this site" in page and "$0.02 of $500.00" in page


async def test_a_used_up_budget_says_that_tagging_is_paused(services: Services) -> None:
    await spent(services, 200, limit_cents=200)
    stand = await budget.stand(services)
    says = usage.sentence(stand, is_set_up=True)
    assert says == "AI tagging is paused because this month's budget has been reached."


async def test_a_limit_is_changed_with_a_reason_and_audited(
    admin: Browser, services: Services
) -> None:
    address = f"/admin/api/ai-usage/{MONTH}"
    answer = await admin.json("PATCH", address, {"budget_limit_cents": 60_000, **REASON})
    assert (answer.status_code, answer.json()["budget_limit_cents"]) == (200, 60_000)
    row = await services.db.fetchrow(
        "SELECT action, target_id, reason, before, after FROM audit_log ORDER BY id DESC LIMIT 1"
    )
    assert tuple(row) == (
        "ai_budget.changed", MONTH, REASON["reason"], {"budget_limit_cents": 50_000},
        {"budget_limit_cents": 60_000},
    )  # fmt: skip
    form = {"_method": "PATCH", "budget_limit_cents": "0", **REASON}
    assert (await admin.post(f"/admin/ai-usage/{MONTH}", form)).status_code == 303
    assert (await budget.stand(services)).state == "HARD_STOP"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"budget_limit_cents": 100, "reason": "short"}, "reason"),
        ({"budget_limit_cents": -1, **REASON}, "budget_limit_cents"),
        ({**REASON}, "budget_limit_cents"),
    ],
)
async def test_a_limit_without_a_reason_or_below_nothing_is_refused(
    admin: Browser, body: dict[str, Any], field: str
) -> None:
    answer = await admin.json("PATCH", f"/admin/api/ai-usage/{MONTH}", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


async def test_past_far_and_made_up_months_have_no_limit_to_change(admin: Browser) -> None:
    body = {"budget_limit_cents": 1, **REASON}
    for month, status in (("2020-01", 409), ("2999-01", 404), ("2026-13", 404), ("now", 404)):
        answer = await admin.json("PATCH", f"/admin/api/ai-usage/{month}", body)
        assert answer.status_code == status


async def test_next_months_limit_can_be_set_ahead(admin: Browser, services: Services) -> None:
    following = budget.next_month(TODAY)
    body = {"budget_limit_cents": 123, **REASON}
    answer = await admin.json("PATCH", f"/admin/api/ai-usage/{following:%Y-%m}", body)
    assert answer.json()["month"] == MONTH
    found = "SELECT budget_limit_cents FROM ai_usage_tracking WHERE month = $1"
    assert await services.db.fetchval(found, following) == 123


async def test_a_raise_calls_waiting_jobs_back(admin: Browser, services: Services) -> None:
    await spent(services, 190, limit_cents=200)
    opens = (await budget.stand(services)).opens_at
    async with services.tx() as tx:
        job = await tx.enqueue("tag_items", 20, run_at=opens)
        other = await tx.enqueue("tag_items", 20, run_at=opens)
    note = "UPDATE delayed_jobs SET payload = payload || $2 WHERE id = $1"
    await services.db.execute(note, job, {"note": f"{budget.NOTE}: ai_critical_only"})
    body = {"budget_limit_cents": 1000, **REASON}
    await admin.json("PATCH", f"/admin/api/ai-usage/{MONTH}", body)
    rows = await services.db.fetch(
        "SELECT id, run_at <= now() AS due, payload ? 'note' AS noted FROM delayed_jobs WHERE id IN ($1, $2) ORDER BY id",
        job,
        other,
    )
    assert [tuple(row) for row in rows] == [(job, True, False), (other, False, False)]


async def test_an_alert_is_acknowledged_and_that_is_kept(
    admin: Browser, services: Services
) -> None:
    address = f"/admin/api/ai-usage/{MONTH}/acknowledgements"
    none = await admin.json("POST", address, {})
    await admin.get("/admin/ai-usage")
    assert none.status_code == 409
    await spent(services, 150, limit_cents=200)
    await services.db.execute("UPDATE ai_usage_tracking SET alerted = 75")
    answer = await admin.json("POST", address, {"note": "We knew"})
    assert answer.status_code == 201
    [seen] = answer.json()["acknowledgements"]
    assert (seen["level"], seen["note"]) == (75, "We knew")
    form = await admin.post(f"/admin/ai-usage/{MONTH}/acknowledgements", {"note": ""})
    assert form.status_code == 303
    assert "75 % seen" in (await admin.get("/admin/ai-usage")).text


async def test_months_before_are_listed_the_newest_first(
    admin: Browser, services: Services
) -> None:
    old = "INSERT INTO ai_usage_tracking (month, provider, spent_micros) VALUES ('2026-01-01', 'anthropic', 20000)"
    await services.db.execute(old)
    await bill(services, 3)
    found = (await admin.json("GET", "/admin/api/ai-usage/history?months=24")).json()
    assert [month["spent_cents"] for month in found["items"]] == [3, 2]
    assert (await admin.json("GET", "/admin/api/ai-usage/history?months=25")).status_code == 422
    assert "2026-01" in (await admin.get("/admin/ai-usage/history")).text


async def test_a_report_has_a_line_a_day_and_refuses_what_cannot_be(
    admin: Browser, services: Services
) -> None:
    await bill(services, 2.5)
    await services.db.execute("UPDATE ai_usage_days SET day = day - 40")
    await bill(services, 1.5)
    base = "/admin/api/ai-usage/cost-report"
    now = (await admin.json("GET", base)).json()
    assert (now["total"], now["spent_micros"]) == (1, "15000")
    since = TODAY - timedelta(days=50)
    found = (await admin.json("GET", f"{base}?from={since}&to={TODAY}")).json()
    assert [line["spent_cents"] for line in found["items"]] == [3, 2]
    assert found["spent_cents"] == 4
    backwards = await admin.json("GET", f"{base}?from={TODAY}&to={since}")
    assert backwards.status_code == 422
    assert "Together" in (await admin.get(f"/admin/ai-usage/cost-report?from={since}")).text


async def test_a_days_bar_is_rounded_once(services: Services) -> None:
    for feature in ("tagging", "fraud", "directory"):
        await bill(services, 0.4, feature)
    found = await usage.now(services)
    assert [line.spent_cents for line in found.days] == [0, 0, 0]
    assert [line.spent_micros for line in found.days] == ["4000"] * 3
    assert ai_usage.view(found)["_bars"][-1] == {"label": str(TODAY.day), "value": 0.01}


async def test_the_cache_is_shown_and_cleared_by_its_printed_name(
    admin: Browser, services: Services
) -> None:
    await results.keep(services, "tagging", {results.key("tagging", "m", "1"): [1]})
    stats = (await admin.json("GET", "/admin/api/ai-usage/cache-stats")).json()
    assert (stats["cache_name"], stats["entries"], stats["hit_ratio"]) == ("ai-tagging-cache", 1, 0)
    assert "Clear the answers" in (await admin.get("/admin/ai-usage/cache-stats")).text
    cleared = await admin.json(
        "POST", "/admin/api/cache/clear", {"cache_name": stats["cache_name"]}
    )
    assert (cleared.status_code, cleared.json()["cleared"]) == (200, 1)
    assert (await admin.json("GET", "/admin/api/ai-usage/cache-stats")).json()["entries"] == 0


async def test_the_gauge_is_the_share_that_is_spent(services: Services) -> None:
    await spent(services, 150, limit_cents=200)
    await usage.show_figures(services)
    text = sight.exposition().decode()
    assert "homepage_ai_budget_consumed_percent 75.0" in text
    for name in ("ai_cache_hits", "ai_cache_misses", "ai_tagging_budget_throttles"):
        assert f"\n# TYPE {name} untyped\n{name} " in text


def test_the_outlook_goes_on_at_the_pace_so_far() -> None:
    stand = budget.Stand(datetime(2026, 11, 1).date(), Decimal(100_000), Decimal(0), 200)
    assert usage.outlook(stand, datetime(2026, 11, 11, tzinfo=UTC)) == 30


async def test_support_and_readers_see_no_money(browser: Browser, services: Services) -> None:
    for role in ("support", "read_only"):
        await browser.sign_in(await member(services, f"{role}@example.org", role=role))
        assert (await browser.get("/admin/ai-usage")).status_code == 403
