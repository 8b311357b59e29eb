"""Rule 122 and the months of append-only tables."""

from datetime import date, timedelta

from app.domain.platform.jobs import retention
from app.services import Services
from tests.platform.jobs.conftest import enqueue, job_row

AGE = "UPDATE delayed_jobs SET status = $2, finished_at = now() - $3::interval WHERE id = $1"


async def test_done_jobs_go_after_thirty_days_and_dead_ones_after_ninety(
    services: Services,
) -> None:
    kept, gone = [], []
    for status, days in (("done", 30), ("cancelled", 30), ("dead", 90)):
        for age, where in ((days - 1, kept), (days + 1, gone)):
            job_id = await enqueue(services, "purge_news")
            await services.db.execute(AGE, job_id, status, timedelta(days=age))
            where.append(job_id)
    assert await retention.purge(services) == len(gone)
    assert [await job_row(services, job_id) for job_id in gone] == [None] * len(gone)
    assert None not in [await job_row(services, job_id) for job_id in kept]


async def test_months_are_made_ahead_and_old_ones_dropped(services: Services) -> None:
    await services.db.execute("SELECT make_month_partitions('job_attempts', '2020-01-01', 1)")
    await retention.maintain_partitions(services)
    names = [row["name"] for row in await services.db.fetch(retention.PARTITIONS, "job_attempts")]
    assert "job_attempts_2020_01" not in names
    assert len(names) >= 3


def test_a_month_is_past_when_its_last_day_is() -> None:
    assert retention.is_past("job_attempts_2026_01", date(2026, 2, 1))
    assert not retention.is_past("job_attempts_2026_01", date(2026, 1, 31))
    assert not retention.is_past("job_attempts_old", date(2026, 2, 1))
