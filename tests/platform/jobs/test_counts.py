"""Counters are exact whatever happens to jobs, and every process shows the same figures."""

import contextlib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY as METRICS

from app.domain.platform.jobs import controls, counts, running
from app.domain.platform.jobs.running import Ending
from app.errors import Problem
from app.services import Services
from tests.platform.jobs.conftest import enqueue
from tests.platform.jobs.work_types import TYPES

REAL = "SELECT queue, job_type, status, count(*) AS jobs FROM delayed_jobs GROUP BY 1, 2, 3"
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["add", "claim", "end", "cancel", "retry", "delete", "fold", "undo"]),
        st.integers(0, 40),
    ),
    min_size=30,
    max_size=60,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=EVENTS)
async def test_counters_equal_a_real_count_after_random_events(
    services: Services, events: list[tuple[str, int]]
) -> None:
    held: list[Any] = []
    for what, number in events:
        with contextlib.suppress(Problem):
            await happen(services, what, number, held)
    real = {tuple(row)[:3]: row["jobs"] for row in await services.db.fetch(REAL)}
    assert await counts.totals(services) == real


async def happen(services: Services, what: str, number: int, held: list[Any]) -> None:
    """One event in the life of some jobs."""
    low = await services.db.fetchval("SELECT coalesce(max(id), 0) - 40 FROM delayed_jobs")
    match what:
        case "add":
            async with services.tx() as tx:
                await tx.enqueue_many("purge_news", [()] * (number % 5 + 1))
        case "claim":
            held += await running.claim_due(services, "me", "LOW", number % 7 + 1, TYPES)
        case "end":
            outcomes = ("ok", "retry", "dead", "deferred")
            ends = [Ending(job, outcomes[(number + n) % 4], delay=0) for n, job in enumerate(held)]
            held.clear()
            await running.finish(services, "me", ends)
        case "fold":
            await counts.fold(services)
        case "undo":
            with contextlib.suppress(ZeroDivisionError):
                async with services.tx() as tx:
                    await tx.enqueue("purge_news")
                    raise ZeroDivisionError
        case _:
            await getattr(controls, what)(services, low + number)


async def test_depth_is_what_is_due_and_every_process_shows_it(ledger: Services) -> None:
    async with ledger.tx() as tx:
        await tx.enqueue_many("note_call", [(n,) for n in range(12)])
        await tx.enqueue("sleep_low", 1.0)
    await ledger.db.execute(
        "UPDATE delayed_jobs SET run_at = now() + interval '1 hour' WHERE job_type = 'sleep_low'"
    )
    await counts.read_figures(ledger)
    await counts.show_figures(ledger)

    def depth(queue: str) -> float | None:
        return METRICS.get_sample_value("homepage_jobs_depth", {"queue": queue})

    assert [depth(name) for name in ("DEFAULT", "LOW", "HIGH", "FEED_REFRESH")] == [12, 0, 0, 0]
    await enqueue(ledger, "note_call", 13)
    await counts.show_figures(ledger)
    assert depth("DEFAULT") == 12
