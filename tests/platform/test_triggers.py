"""Rule 119: what runbooks print: tagging, the search index, caches; and limits and runs by hand from forms."""

import pytest
import structlog

from app.domain.homepage import search_index, tagging
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.people import Browser, member

SPOT = "INSERT INTO weather_cache (location_key, forecast_due_at) VALUES ('1:2', now() + interval '1 hour')"


@pytest.fixture
async def admin(browser: Browser, services: Services) -> Browser:
    """A browser of an admin who may act on the system."""
    await browser.sign_in(await member(services, "ops@example.org", role="ops"))
    return browser


async def test_tagging_is_taken_as_a_job_that_says_it_is_off(
    admin: Browser, services: Services
) -> None:
    answer = await admin.json("POST", "/admin/api/jobs/trigger-ai-tagging", {"batch_size": 50})
    found = answer.json()
    assert (answer.status_code, found["job_type"], found["queue"]) == (202, "tag_items", "BULK")
    assert found["status_url"] == f"/admin/api/jobs/{found['job_id']}"
    with structlog.testing.capture_logs() as lines:
        assert await run_jobs(services, "tag_items") == 1
    assert lines[-1] == {
        "event": "tagging is off",
        "batch_size": 50,
        "why": tagging.NOT_SET_UP,
        "log_level": "info",
    }
    many = await admin.json("POST", "/admin/jobs/trigger-ai-tagging", {"batch_size": 51})
    assert many.status_code == 422


async def test_the_search_index_is_rebuilt_and_the_log_says_so(
    admin: Browser, services: Services
) -> None:
    answers = [await admin.json("POST", "/admin/api/search/reindex") for _ in range(2)]
    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["backend"] == "postgresql"
    assert (await admin.post("/admin/search/reindex")).status_code == 303
    with structlog.testing.capture_logs() as lines:
        await run_jobs(services, "reindex_search")
    words = [line["event"] for line in lines]
    assert words == [
        "reindex started",
        *["reindex progress"] * len(search_index.INDEXES),
        "reindex done",
    ]


async def test_clearing_the_weather_makes_it_due_and_keeps_it(
    admin: Browser, services: Services
) -> None:
    await services.db.execute(SPOT)
    answer = await admin.json("POST", "/admin/api/cache/clear", {"cache_name": "weather-cache"})
    assert (answer.status_code, answer.json()["cleared"]) == (200, 1)
    assert await services.db.fetchval("SELECT forecast_due_at <= now() FROM weather_cache")


@pytest.mark.parametrize(
    "name", ["ai-tagging-cache", "ai-embedding-cache", "stock-cache", "page-cache", "memory-cache"]
)
async def test_a_cache_that_keeps_nothing_here_says_why(
    admin: Browser, services: Services, name: str
) -> None:
    found = (await admin.json("POST", "/admin/api/cache/clear", {"cache_name": name})).json()
    assert found["cleared"] == 0 and found["why"]
    assert (
        await services.db.fetchval("SELECT target_id FROM audit_log WHERE action = 'cache.cleared'")
        == name
    )


async def test_a_cache_of_no_known_name_is_told_the_names(admin: Browser) -> None:
    answer = await admin.json("POST", "/admin/api/cache/clear", {"cache_name": "x"})
    assert answer.status_code == 422 and "weather-cache" in answer.json()["errors"]["cache_name"]


async def test_the_page_of_caches_has_a_button_for_those_who_may(
    admin: Browser, services: Services
) -> None:
    assert 'action="/admin/cache/clear"' in (await admin.get("/admin/caches")).text
    assert (
        await admin.post("/admin/cache/clear", {"cache_name": "stock-cache"})
    ).status_code == 303
    await admin.sign_in(await member(services, "watch@example.org", role="read_only"))
    page = await admin.get("/admin/caches")
    assert (
        page.status_code == 200
        and '<form class="act" method="post" action="/admin/cache' not in page.text
    )


@pytest.mark.parametrize(
    "path", ["/admin/queues/BULK/limits", "/admin/jobs/types/purge_news/limits"]
)
async def test_slots_and_rates_are_set_from_a_form_and_lifted(
    admin: Browser, services: Services, path: str
) -> None:
    form = {"_method": "PUT", "slots": "2", "per_minute": "", "reason": "slow disk"}
    assert (await admin.post(path, form)).status_code == 303
    assert tuple(await services.db.fetchrow("SELECT slots, per_minute FROM job_brakes")) == (
        2,
        None,
    )
    assert "at most 2 at once" in (await admin.get(path.rsplit("/", 2)[0])).text
    await admin.post(path, {**form, "slots": ""})
    assert await services.db.fetchval("SELECT count(*) FROM job_brakes") == 0
    assert (await admin.post(path, {**form, "slots": "0"})).status_code == 422


async def test_a_run_by_hand_with_wrong_arguments_shows_its_form_again(admin: Browser) -> None:
    answer = await admin.post(
        "/admin/jobs", {"job_type": "send_email", "arg.email_id": "seven", "reason": "test"}
    )
    assert answer.status_code == 422
    assert "Please enter a number." in answer.text and 'value="seven"' in answer.text
    missing = await admin.post("/admin/jobs", {"job_type": "send_email"})
    assert missing.status_code == 422 and "Please fill this in." in missing.text
    twin = await admin.json(
        "POST", "/admin/api/jobs", {"job_type": "send_email", "payload": {"x": 1}}
    )
    assert twin.json()["errors"] == {"x": "Remove this one."}


async def test_reading_a_job_s_arguments_is_written_down(
    admin: Browser, services: Services
) -> None:
    read = "SELECT count(*) FROM audit_log WHERE action = 'job.read' AND target_id = $1::text"
    found = await admin.json("POST", "/admin/jobs/trigger-ai-tagging", {"batch_size": 5})
    number = str(found.json()["job_id"])
    assert '"batch_size"' in (await admin.get(f"/admin/jobs/{number}")).text.replace("&#34;", '"')
    await admin.fragment(f"/admin/jobs/{number}")
    assert await services.db.fetchval(read, number) == 1
    await admin.sign_in(await member(services, "watch@example.org", role="read_only"))
    assert "batch_size" not in (await admin.get(f"/admin/jobs/{number}")).text
    assert await services.db.fetchval(read, number) == 1
