"""Rule 121: an action on many jobs is shown, confirmed, undone, run in batches, stopped, and brought back."""

from typing import Any

import pytest

from app.domain.platform.jobs import bulk_matches, bulk_runs, counts, retention
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.people import Browser, member

DEAD = "UPDATE delayed_jobs SET status = 'dead', finished_at = now(), last_error = 'No' WHERE id = ANY($1)"
STATES = "SELECT status, count(*) FROM delayed_jobs WHERE job_type = 'refresh_spot' GROUP BY 1"


@pytest.fixture
async def admin(browser: Browser, services: Services) -> Browser:
    """A browser of an admin who may act on jobs."""
    await browser.sign_in(await member(services, "ops@example.org", role="ops"))
    return browser


async def many(
    services: Services, number: int, *, dead: bool = True, keys: bool = True
) -> list[int]:
    """Jobs of one type, dead or waiting."""
    calls = [(f"45.{place},-73.0",) for place in range(number)]
    async with services.tx() as tx:
        more = {"keys": [f"spot:{place}" for place in range(number)]} if keys else {"key": None}
        ids = await tx.enqueue_many("refresh_spot", calls, subjects=["member:7"], **more)
        if dead:
            await tx.db.execute(DEAD, ids)
    return ids


async def ask(admin: Browser, action: str = "retry", **fields: str) -> dict[str, Any]:
    """Show an action on jobs of that type."""
    body = {"action": action, "filter": {"type": "refresh_spot", **fields}}
    answer = await admin.json("POST", "/admin/api/jobs/bulk-actions", body)
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def confirm(admin: Browser, action: dict[str, Any]) -> dict[str, Any]:
    """Confirm it with a reason."""
    number, why = action["id"], {"reason": "the disk is back"}
    answer = await admin.json("POST", f"/admin/jobs/bulk-actions/{number}/confirmation", why)
    assert answer.status_code == 202
    return answer.json()  # type: ignore[no-any-return]


async def states(services: Services) -> dict[str, int]:
    """How many jobs of that type are in which state."""
    return {row[0]: row[1] for row in await services.db.fetch(STATES)}


async def test_an_action_shows_how_many_and_twenty_of_them_and_changes_nothing(
    admin: Browser, services: Services
) -> None:
    await many(services, 30)
    found = await ask(admin)
    assert (found["matched"], found["more_than"], len(found["samples"]), found["status"]) == (
        30,
        False,
        20,
        "shown",
    )
    assert await states(services) == {"dead": 30}


async def test_more_than_can_be_counted_is_said(
    admin: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_matches, "COUNTED", 10)
    await many(services, 12)
    found = await ask(admin)
    assert (found["matched"], found["more_than"]) == (10, True)
    assert "more than 10 jobs" in (await admin.get(f"/admin/jobs/bulk-actions/{found['id']}")).text


async def test_a_confirmed_action_waits_half_a_minute_and_runs_in_batches(
    admin: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_runs, "BATCH", 4)
    await many(services, 10)
    action = await confirm(admin, await ask(admin))
    waits = await services.db.fetchval(
        "SELECT extract(epoch FROM run_at - now()) FROM delayed_jobs WHERE id = $1",
        action["job_id"],
    )
    assert (action["status"], float(waits)) == ("waiting", 30.0)
    assert await bulk_runs.batch(services, action["id"]) == {
        "changed": 4,
        "passed_over": 0,
        "matched": 10,
    }
    await run_jobs(services, "run_bulk_action")
    assert await states(services) == {"pending": 10}
    shown = (await admin.json("GET", f"/admin/api/jobs/bulk-actions/{action['id']}")).json()
    assert (shown["status"], shown["changed"]) == ("done", 10)


async def test_an_action_is_undone_before_it_begins(admin: Browser, services: Services) -> None:
    await many(services, 3)
    action = await confirm(admin, await ask(admin))
    path = f"/admin/jobs/bulk-actions/{action['id']}/confirmation"
    assert (await admin.post(path, {"_method": "DELETE"})).status_code == 303
    await run_jobs(services, "run_bulk_action")
    assert await states(services) == {"dead": 3}
    assert (await admin.post(path, {"_method": "DELETE"})).status_code == 409


async def test_a_running_action_stops_after_its_batch(
    admin: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_runs, "BATCH", 2)
    await many(services, 6)
    action = await confirm(admin, await ask(admin))
    await bulk_runs.batch(services, action["id"])
    stopped = await admin.json(
        "DELETE", f"/admin/api/jobs/bulk-actions/{action['id']}/confirmation"
    )
    assert stopped.json()["status"] == "stopping"
    await run_jobs(services, "run_bulk_action")
    assert await states(services) == {"dead": 4, "pending": 2}


async def test_jobs_that_live_already_or_came_later_are_passed_over(
    admin: Browser, services: Services
) -> None:
    await many(services, 2)
    action = await ask(admin)
    await many(services, 1, dead=False)
    later = await many(services, 1, keys=False)
    await confirm(admin, action)
    await run_jobs(services, "run_bulk_action")
    row = await services.db.fetchrow("SELECT changed, passed_over FROM job_bulk_actions")
    assert tuple(row) == (1, 1)
    assert (
        await services.db.fetchval("SELECT status FROM delayed_jobs WHERE id = $1", later[0])
        == "dead"
    )


async def test_waiting_jobs_are_cancelled_but_not_the_work_itself(
    admin: Browser, services: Services
) -> None:
    await many(services, 3, dead=False)
    body = {"action": "cancel", "filter": {"status": "pending"}}
    found = (await admin.json("POST", "/admin/api/jobs/bulk-actions", body)).json()
    action = await confirm(admin, found)
    await run_jobs(services, "run_bulk_action")
    assert await states(services) == {"cancelled": 3}
    assert (await admin.json("GET", f"/admin/api/jobs/bulk-actions/{action['id']}")).json()[
        "status"
    ] == "done"


async def test_deleted_jobs_come_back_within_a_day(admin: Browser, services: Services) -> None:
    ids = await many(services, 5)
    before = await services.db.fetch(
        "SELECT to_jsonb(job) AS job FROM delayed_jobs AS job WHERE id = ANY($1) ORDER BY id", ids
    )
    action = await confirm(admin, await ask(admin, "delete"))
    await run_jobs(services, "run_bulk_action")
    assert await states(services) == {}
    number = action["id"]
    path = f"/admin/jobs/bulk-actions/{number}"
    assert "Bring back 5 jobs" in (await admin.get(path)).text
    back = f"/admin/jobs/bulk-actions/{number}/restorations"
    assert (await admin.post(back, {"reason": "too many"})).status_code == 303
    await run_jobs(services, "restore_deleted_jobs")
    assert before == await services.db.fetch(
        "SELECT to_jsonb(job) AS job FROM delayed_jobs AS job WHERE id = ANY($1) ORDER BY id", ids
    )
    await counts.fold(services)
    assert (await admin.json("GET", "/admin/api/jobs?type=refresh_spot")).json()["total"] == 5
    assert (await admin.post(back, {"reason": "again"})).status_code == 409


async def test_deleted_jobs_are_gone_after_a_day(admin: Browser, services: Services) -> None:
    await many(services, 2)
    await confirm(admin, await ask(admin, "delete"))
    await run_jobs(services, "run_bulk_action")
    for hours, left in ((23, 2), (25, 0)):
        await services.db.execute(
            "UPDATE deleted_jobs SET created_at = now() - $1 * interval '1 hour'", hours
        )
        await retention.purge(services)
        assert await services.db.fetchval("SELECT count(*) FROM deleted_jobs") == left


async def test_without_a_filter_or_a_state_to_change_nothing_is_shown(admin: Browser) -> None:
    for body in ({"action": "delete", "filter": {}}, {"action": "delete", "filter": {"status": "pending"}},
                 {"action": "burn", "filter": {"queue": "LOW"}}, {"action": "retry", "filter": {"queue": "NONE"}}):  # fmt: skip
        assert (
            await admin.json("POST", "/admin/api/jobs/bulk-actions", body)
        ).status_code == 422, body


async def test_a_plain_form_leads_from_the_list_to_the_confirmation(
    admin: Browser, services: Services
) -> None:
    await many(services, 2)
    page = (await admin.get("/admin/jobs?type=refresh_spot&status=dead")).text
    assert 'name="filter.type" value="refresh_spot"' in page
    form = {"action": "retry", "filter.type": "refresh_spot", "filter.status": "dead"}
    where = (await admin.post("/admin/jobs/bulk-actions", form)).headers["location"]
    assert "Yes, retry them" in (await admin.get(where)).text
    assert (await admin.post(where + "/confirmation", {"reason": ""})).status_code == 422
    assert (
        "refresh_spot" in (await admin.get(where)).text
        and where in (await admin.get("/admin/jobs/bulk-actions")).text
    )
    acts = "SELECT array_agg(action) FROM audit_log WHERE target_kind = 'bulk_action'"
    await admin.post(where + "/confirmation", {"reason": "go"})
    assert await services.db.fetchval(acts) == ["bulk_action.confirmed"]
