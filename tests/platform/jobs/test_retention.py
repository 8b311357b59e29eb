"""Rule 122 and the months of append-only tables."""

from datetime import date, timedelta

from app.domain.platform.jobs import bulk_runs, controls, retention
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


EFFECT = "INSERT INTO job_effects (job_id, step) VALUES ($1, 'only')"
EFFECTS = "SELECT count(*) FROM job_effects"
TRY = """
INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome, error)
VALUES ($1, 1, 'me', now(), 'retry', 'No such address: ada@example.org')
"""
SAID = "SELECT count(error) FROM job_attempts"
END = "UPDATE delayed_jobs SET status = 'done', finished_at = now() WHERE id = $1"


async def ended_with_a_step(services: Services) -> int:
    """A job about a person that is done, of which one step took effect outside."""
    job_id = await enqueue(services, "purge_news", subjects=["member:7"])
    await services.db.execute(END, job_id)
    await services.db.execute(EFFECT, job_id)
    await services.db.execute(TRY, job_id)
    return job_id


async def test_steps_and_what_was_said_of_a_person_are_forgotten_with_their_job(
    services: Services,
) -> None:
    await controls.delete(services, await ended_with_a_step(services))
    assert await services.db.fetchval(EFFECTS) == 0
    await services.db.execute(AGE, await ended_with_a_step(services), "done", timedelta(days=31))
    await retention.purge(services)
    assert await services.db.fetchval(EFFECTS) == 0
    assert await services.db.fetchval(SAID) == 0


async def test_steps_are_remembered_while_their_deleted_job_can_come_back(
    services: Services,
) -> None:
    action = await services.db.fetchval(
        "INSERT INTO job_bulk_actions (filter, action, matched, newest_id, below_id)"
        " VALUES ('{}', 'delete', 1, 1, 1) RETURNING id"
    )
    await bulk_runs.delete(services, action, [await ended_with_a_step(services)])
    for hours, left in ((23, 1), (25, 0)):
        await services.db.execute(
            "UPDATE deleted_jobs SET created_at = now() - $1 * interval '1 hour'", hours
        )
        await retention.purge(services)
        assert await services.db.fetchval(EFFECTS) == left
        assert await services.db.fetchval(SAID) == left


async def test_steps_without_a_job_are_forgotten_in_the_end(services: Services) -> None:
    await services.db.execute(EFFECT, -1)
    for days, left in ((119, 1), (121, 0)):
        await services.db.execute(
            "UPDATE job_effects SET created_at = now() - $1 * interval '1 day'", days
        )
        await retention.purge(services)
        assert await services.db.fetchval(EFFECTS) == left


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
