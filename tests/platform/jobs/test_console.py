"""Rules 117–120: the console, its filters, and what an admin does with a reason."""

import pytest

from app.domain.platform.jobs import counts
from app.services import Services
from tests.people import Browser, member
from tests.platform.jobs.conftest import enqueue

PAGES = [
    "/admin/jobs",
    "/admin/queues",
    "/admin/jobs/types",
    "/admin/jobs/schedules",
    "/admin/jobs/workers",
]
DEAD = "UPDATE delayed_jobs SET status = 'dead', finished_at = now(), last_error = E'First line\\nsecond' WHERE id = $1"
AUDITED = "SELECT action, target_id, reason FROM audit_log WHERE target_kind <> 'member' ORDER BY id DESC LIMIT 1"


@pytest.fixture
async def admin(browser: Browser, services: Services) -> Browser:
    """A browser of an admin who may act on jobs."""
    await browser.sign_in(await member(services, "ops@example.org", role="ops"))
    return browser


@pytest.mark.parametrize("path", PAGES)
async def test_an_admin_sees_the_console_and_nobody_else(
    browser: Browser, services: Services, path: str
) -> None:
    assert (await browser.json("GET", "/admin/api" + path[6:])).status_code == 401
    await browser.sign_in(await member(services))
    assert (await browser.get(path)).status_code == 404
    await browser.sign_in(await member(services, "root@example.org", role="super_admin"))
    for answer in (await browser.get(path), await browser.fragment(path)):
        assert answer.status_code == 200
    assert "items" in (await browser.json("GET", "/admin/api" + path[6:])).json()


async def test_every_filter_finds_its_job(admin: Browser, services: Services) -> None:
    wanted = await enqueue(
        services, "refresh_spot", "45.50,-73.57", key="spot:1", subjects=["member:7"], queue="LOW"
    )
    await services.db.execute(DEAD, wanted)
    await enqueue(services, "dispatch_feeds")
    for words in (
        f"id={wanted}",
        "key=spot:1",
        "subject=member:7",
        "type=refresh_spot",
        "queue=LOW",
        "status=dead",
        "queue=LOW&status=dead&type=refresh_spot&from=2026-01-01T00:00&to=2100-01-01T00:00",
    ):
        found = (await admin.json("GET", f"/admin/api/jobs?{words}")).json()
        assert [job["id"] for job in found["items"]] == [wanted], words
        assert found["items"][0]["last_error"] == "First line"
    assert (await admin.json("GET", "/admin/api/jobs?to=2020-01-01T00:00")).json()["items"] == []


async def test_pages_of_jobs_follow_each_other_without_gaps(
    admin: Browser, services: Services
) -> None:
    async with services.tx() as tx:
        ids = await tx.enqueue_many("dispatch_feeds", [()] * 45)
    for words in ("", "&queue=DEFAULT", "&status=pending", "&type=dispatch_feeds"):
        seen: list[int] = []
        cursor = ""
        while cursor is not None:
            page = (await admin.json("GET", f"/admin/api/jobs?cursor={cursor}{words}")).json()
            seen += [job["id"] for job in page["items"]]
            cursor = page["next"]
        assert [job_id for job_id in seen if job_id in ids] == ids[::-1]


async def test_totals_come_from_the_counters(admin: Browser, services: Services) -> None:
    async with services.tx() as tx:
        await tx.enqueue_many("purge_news", [()] * 7)
    before = (await admin.json("GET", "/admin/api/jobs?type=purge_news")).json()["total"]
    await counts.fold(services)
    after = (await admin.json("GET", "/admin/api/jobs?type=purge_news")).json()["total"]
    assert before == after == 7


async def test_a_dead_job_runs_again_with_a_reason(admin: Browser, services: Services) -> None:
    job_id = await enqueue(services, "purge_news")
    await services.db.execute(DEAD, job_id)
    assert (await admin.post(f"/admin/jobs/{job_id}/retries", {"reason": ""})).status_code == 422
    answer = await admin.post(f"/admin/jobs/{job_id}/retries", {"reason": "the disk is back"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/jobs/{job_id}")
    assert (
        await services.db.fetchval("SELECT status FROM delayed_jobs WHERE id = $1", job_id)
        == "pending"
    )
    row = await services.db.fetchrow(AUDITED)
    assert tuple(row) == ("job.retried", str(job_id), "the disk is back")


async def test_a_waiting_job_is_cancelled_and_then_forgotten(
    admin: Browser, services: Services
) -> None:
    job_id = await enqueue(services, "purge_news")
    shown = await admin.json(
        "POST", f"/admin/api/jobs/{job_id}/cancellation", {"reason": "not today"}
    )
    assert shown.json()["status"] == "cancelled"
    again = await admin.post(f"/admin/jobs/{job_id}/cancellation", {"reason": "again"})
    assert again.status_code == 409
    assert (
        await admin.json("DELETE", f"/admin/api/jobs/{job_id}", {"reason": "done"})
    ).status_code == 200
    assert (await admin.get(f"/admin/jobs/{job_id}")).status_code == 404


async def test_a_queue_and_a_type_are_paused_and_resumed(
    admin: Browser, services: Services
) -> None:
    for path, brakes in (
        ("/admin/queues/LOW/pause", "queue"),
        ("/admin/jobs/types/purge_news/pause", "job_type"),
    ):
        answer = await admin.post(path, {"_method": "PUT", "reason": "too much at once"})
        assert answer.status_code == 303
        assert await services.db.fetchval("SELECT paused FROM job_brakes WHERE scope = $1", brakes)
        await admin.post(path, {"_method": "DELETE"})
        assert (
            await services.db.fetchval("SELECT count(*) FROM job_brakes WHERE scope = $1", brakes)
            == 0
        )
    assert (
        await admin.post("/admin/queues/NONE/pause", {"_method": "PUT", "reason": "x"})
    ).status_code == 404


async def test_jobs_are_run_by_hand_with_checked_arguments(
    admin: Browser, services: Services
) -> None:
    answer = await admin.json(
        "POST", "/admin/api/jobs/trigger", {"job_type": "send_email", "payload": {"email_id": 7}}
    )
    assert answer.status_code == 202
    accepted = answer.json()
    assert (accepted["job_type"], accepted["queue"]) == ("send_email", "HIGH")
    shown = (await admin.json("GET", accepted["status_url"])).json()
    assert shown["payload"] == {"v": 1, "email_id": 7}
    form = {"job_type": "send_email", "arg.email_id": "x"}
    assert (await admin.post("/admin/jobs", form)).status_code == 422
    for path in ("/admin/jobs", "/admin/jobs/trigger"):
        assert (await admin.post(path, {"job_type": "purge_news"})).status_code == 303
    assert (await admin.json("POST", "/admin/api/jobs", {"job_type": "nothing"})).status_code == 404


async def test_a_type_that_needs_another_right_is_not_run_by_hand_without_it(
    admin: Browser, services: Services
) -> None:
    for job_type, has_form in (("erase_person", False), ("purge_news", True)):
        page = (await admin.get(f"/admin/jobs/types?open={job_type}")).text
        assert (f"Run {job_type}" in page, f"{job_type}/pause" in page) == (has_form, True)
    wish = {"job_type": "erase_person", "payload": {"request_id": 7}}
    assert (await admin.json("POST", "/admin/api/jobs", wish)).status_code == 403
    assert await services.db.fetchval("SELECT count(*) FROM delayed_jobs") == 0
    await admin.sign_in(await member(services, "root@example.org", role="super_admin"))
    assert (await admin.json("POST", "/admin/api/jobs", wish)).status_code == 202


async def test_a_feed_refresh_is_triggered_as_printed(admin: Browser, services: Services) -> None:
    feed_id = await services.db.fetchval(
        "INSERT INTO feeds (url, url_key, visibility, next_fetch_at)"
        " VALUES ('http://news.example/feed', '\\x01', 'listed', now() + interval '1 day') RETURNING id"
    )
    path = "/admin/api/jobs/trigger-feed-refresh"
    answer = await admin.json("POST", path, {"source_id": feed_id})
    assert (answer.status_code, answer.json()["job_type"]) == (202, "refresh_feed")
    assert (await admin.json("POST", path, {})).json()["job_type"] == "dispatch_feeds"
    assert (await admin.json("POST", path, {"source_id": 0})).status_code == 404
    assert (await admin.post("/admin/jobs/trigger-feed-refresh")).status_code == 303


async def test_a_reader_of_the_console_acts_on_nothing(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, "eyes@example.org", role="read_only"))
    job_id = await enqueue(services, "send_email", 7)
    assert (await browser.json("GET", f"/admin/api/jobs/{job_id}")).json()["payload"] is None
    for method, path in (
        ("POST", f"/admin/api/jobs/{job_id}/retries"),
        ("POST", f"/admin/api/jobs/{job_id}/cancellation"),
        ("DELETE", f"/admin/api/jobs/{job_id}"),
        ("PUT", "/admin/api/queues/LOW/pause"),
        ("POST", "/admin/api/jobs/trigger-feed-refresh"),
    ):
        assert (await browser.json(method, path, {"reason": "because"})).status_code == 403, path


async def test_a_schedule_runs_beside_its_ticks(admin: Browser, services: Services) -> None:
    await services.db.execute(
        "INSERT INTO job_schedules (name, job_type, spec) VALUES ('purge_news', 'purge_news', '0 3 * * *')"
    )
    assert (await admin.post("/admin/jobs/schedules/purge_news/runs")).status_code == 303
    answer = await admin.json("POST", "/admin/api/jobs/schedules/purge_news/runs")
    assert (answer.status_code, answer.json()["job_type"]) == (202, "purge_news")


async def test_the_forms_of_a_type_are_shown_where_they_are_asked_for(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="ops"))
    closed = (await browser.get("/admin/jobs/types")).text
    assert 'href="/admin/jobs/types?open=purge_news"' in closed
    assert 'aria-label="Act on purge_news"' in closed
    assert "/admin/jobs/types/purge_news/pause" not in closed
    opened = (await browser.get("/admin/jobs/types?open=purge_news")).text
    assert "/admin/jobs/types/purge_news/pause" in opened
    assert "/admin/jobs/types/purge_news/limits" in opened
