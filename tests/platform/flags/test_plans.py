"""Rule 25's plans and rule 23's letters: what the figures say is done, and what they do not say waits."""

from typing import Any

import pytest

from app.domain.platform import metrics
from app.domain.platform.flags import changes, plans, reviews
from app.domain.platform.flags.changes import Author
from app.domain.platform.readers import Reader
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.people import member
from tests.platform.flags.conftest import set_flag

KEY = "stocks_widget"
NOW = "SELECT enabled, rollout_percentage, plan_waits FROM feature_flags WHERE key = $1"
LATER = "UPDATE feature_flags SET step_since = now() - $2 * interval '1 hour' WHERE key = $1"
MINUTE = """
INSERT INTO metric_minutes (starts_at, name, labels, count, sum, buckets)
SELECT date_trunc('minute', now()) - age * interval '1 minute', 'http_server_requests_seconds',
    jsonb_build_object('uri', $2::text, 'status', status), many, many * 0.02, array_fill(0, ARRAY[$3::int]) || many
FROM unnest($1::int[]) AS age, unnest(ARRAY['2xx', '5xx'], ARRAY[$4::bigint, $5::bigint]) AS s (status, many)
WHERE many > 0
"""
FAST, SLOW = 3, 9  # places of buckets: to 50 ms, and to 1 s


async def requests(
    services: Services, ages: list[int], *, good: int = 0, bad: int = 0, uri: str = "/news", place: int = FAST
) -> None:  # fmt: skip
    """So many requests in each of the minutes that are so old."""
    await services.db.execute(MINUTE, ages, uri, place, good, bad)


@pytest.fixture
async def planned(services: Services) -> None:
    """A flag at 5 % whose plan goes by /news, a day and more on this step."""
    fields = {"enabled": True, "rollout_percentage": 5, "plan": {"uris": ["/news"]}}
    await set_flag(services, KEY, **fields)
    await services.db.execute(LATER, KEY, 25)


async def standing(services: Services) -> tuple[Any, ...]:
    """Where the flag is once its plan was looked at."""
    await plans.advance(services)
    return tuple(await services.db.fetchrow(NOW, KEY))


@pytest.mark.usefixtures("planned")
async def test_with_good_figures_a_plan_goes_on_and_then_waits_a_day(services: Services) -> None:
    await requests(services, [30, 60, 600], good=100, uri="/api/news/stories/{id:int}")
    assert await standing(services) == (True, 10, None)
    enabled, percentage, why = await standing(services)
    assert (enabled, percentage) == (True, 10) and why.startswith("This step lasts until")
    row = await services.db.fetchrow(
        "SELECT action, actor_type, reason FROM feature_flag_audit WHERE flag_key = $1 ORDER BY version DESC LIMIT 1",
        KEY,
    )
    assert tuple(row) == ("advanced", "system", "Planned step from 5 % to 10 %")


@pytest.mark.usefixtures("planned")
@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({}, "0 requests"),
        ({"good": 300, "uri": "/weather"}, "0 requests"),
        ({"good": 300, "uri": "/newsletter"}, "0 requests"),
        ({"good": 98, "bad": 2}, "2.0 %"),
        ({"good": 300, "place": SLOW}, "p95"),
    ],
)
async def test_a_plan_waits_and_says_why(
    services: Services, figures: dict[str, Any], says: str
) -> None:
    if figures:
        await requests(services, [60], **figures)
    enabled, percentage, why = await standing(services)
    assert (enabled, percentage) == (True, 5)
    assert says in why


@pytest.mark.usefixtures("planned")
async def test_half_of_the_people_are_watched_for_two_days(services: Services) -> None:
    await requests(services, [60], good=300)
    await set_flag(services, KEY, rollout_percentage=50)
    for hours, expected in ((25, 50), (47, 50), (49, 100)):
        await services.db.execute(LATER, KEY, hours)
        assert (await standing(services))[1] == expected
    assert (await standing(services))[1] == 100


@pytest.mark.usefixtures("planned")
async def test_a_plan_waits_for_the_metrics_its_flag_needs(services: Services) -> None:
    await requests(services, [60], good=300)
    await set_flag(services, KEY, needs_metrics=["stock_quotes_total"])
    assert "stock_quotes_total" in (await standing(services))[2]
    await metrics.flush(services, [], ["stock_quotes_total"])
    assert await standing(services) == (True, 10, None)


@pytest.mark.usefixtures("planned")
async def test_failing_requests_switch_the_flag_off_and_are_told(services: Services) -> None:
    await requests(services, [1, 2, 3, 4, 5], good=90, bad=10)
    assert (await standing(services))[0] is True  # five minutes are not ten
    await requests(services, [6, 7, 8, 9, 10], good=90, bad=10)
    assert (await standing(services))[0] is False
    subject = await services.db.fetchval("SELECT subject FROM emails WHERE template = 'ops_alert'")
    assert KEY in subject
    row = await services.db.fetchrow(
        "SELECT action, reason FROM feature_flag_audit WHERE flag_key = $1 ORDER BY version DESC LIMIT 1", KEY
    )  # fmt: skip
    assert tuple(row) == ("stopped", "10.0 % of its requests failed for 10 minutes")


async def test_a_plan_without_a_start_begins_with_five_percent(services: Services) -> None:
    await set_flag(services, KEY, enabled=True, plan={"uris": []})
    assert await standing(services) == (True, 5, None)


async def test_the_clock_runs_plans_and_reviews(services: Services) -> None:
    await set_flag(services, KEY, enabled=True, plan={"uris": []})
    async with services.tx() as tx:
        for job in ("advance_flag_plans", "review_flags", "maintain_partitions"):
            await tx.enqueue(job)
    await run_jobs(services, "advance_flag_plans", "review_flags", "maintain_partitions")
    assert await services.db.fetchval("SELECT rollout_percentage FROM feature_flags WHERE key = $1", KEY) == 5  # fmt: skip


async def test_owners_of_stale_flags_get_one_letter_a_week(
    services: Services, root: Reader
) -> None:
    owner = await member(services, "owner@example.org", role="ops")
    by = Author(root, "test")
    await changes.change(services, by, KEY, {"owner_id": owner.id, "review_on": "2020-01-31"})
    await services.db.execute(
        "UPDATE feature_flags SET created_at = now() - interval '31 days', asked_at = now() - interval '29 days'"
        " WHERE key <> 'scenes'"
    )
    await services.db.execute("UPDATE feature_flags SET asked_at = now() - interval '31 days' WHERE key = 'scenes'")  # fmt: skip
    assert await reviews.send(services) == 2
    assert await reviews.send(services) == 0
    letters = {
        row["to_address"]: row["text_body"]
        for row in await services.db.fetch(
            "SELECT to_address::text, text_body FROM emails WHERE template = 'flag_review'"
        )
    }
    assert f"{KEY} - It was to be reviewed on 31 January 2020." in letters["owner@example.org"]
    assert "scenes - No code asked for it in 30 days." in letters[services.settings.operator_address]  # fmt: skip
