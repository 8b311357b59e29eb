"""Roles and grants: by others, with a reason and a fresh sign-in; the last super_admin stays, also in a race."""

import asyncio
import dataclasses

import pytest

from app.db import Database, open_pool
from app.domain.platform import roles
from app.errors import Problem
from app.services import Services
from tests.people import Browser, cookie_of, member

ROLES = "/admin/api/users/roles"


async def test_a_role_is_felt_at_once_written_down_and_told(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    theirs = await cookie_of(services, ada)
    root = await member(services, "root@example.org", "super_admin")
    await browser.sign_in(root)
    wish = {"role": "ops", "reason": "Runs the queues"}
    answer = await browser.json("PUT", f"{ROLES}/{ada.id}", wish)
    assert answer.status_code == 200 and "manage_system" in answer.json()["permissions"]
    row = await services.db.fetchrow("SELECT actor_id, action, before, after FROM audit_log")
    assert (row["actor_id"], row["action"]) == (root.id, "role.changed")
    assert (row["before"]["role"], row["after"]["role"]) == (None, "ops")
    assert "Runs the queues" in await services.db.fetchval("SELECT text_body FROM emails")
    browser.carry(theirs)
    assert (await browser.json("GET", "/admin/api/jobs")).status_code == 200


async def test_a_session_opened_as_a_member_does_not_outlast_an_admins(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    await cookie_of(services, ada)
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    await browser.json("PUT", f"{ROLES}/{ada.id}", {"role": "ops", "reason": "x"})
    left = "SELECT max(ends_at - now()) <= interval '24 hours' FROM sessions WHERE user_id = $1"
    assert await services.db.fetchval(left, ada.id)


async def test_nobody_changes_their_own(browser: Browser, services: Services) -> None:
    root = await member(services, "root@example.org", "super_admin")
    await browser.sign_in(root)
    role = {"role": "ops", "reason": "x"}
    grant = {"permission": "moderate", "reason": "x"}
    for method, path, body in (
        ("PUT", f"{ROLES}/{root.id}", role),
        ("DELETE", f"{ROLES}/{root.id}", role),
        ("POST", f"/admin/api/users/{root.id}/grants", grant),
        ("DELETE", f"/admin/api/users/{root.id}/grants", grant),
    ):
        answer = await browser.json(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "own_rights")


async def test_the_last_super_admin_stays(browser: Browser, services: Services) -> None:
    root = await member(services, "root@example.org", "super_admin")
    helper = await member(services, "helper@example.org", "ops")
    await services.db.execute(
        "INSERT INTO admin_grants (user_id, permission, reason) VALUES ($1, 'manage_roles', 'x')",
        helper.id,
    )
    await browser.sign_in(helper)
    for method in ("PUT", "DELETE"):
        answer = await browser.json(method, f"{ROLES}/{root.id}", {"role": "ops", "reason": "x"})
        assert (answer.status_code, answer.json()["code"]) == (409, "last_super_admin")


async def test_each_change_needs_a_reason_and_a_fresh_sign_in(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    answer = await browser.json("PUT", f"{ROLES}/{ada.id}", {"role": "ops"})
    assert answer.json()["errors"].keys() == {"reason"}
    assert (await browser.json("DELETE", f"{ROLES}/{ada.id}", {})).status_code == 422
    await services.db.execute("UPDATE sessions SET fresh_until = now()")
    wish = {"role": "ops", "permission": "moderate", "reason": "x"}
    for method, path in (
        ("PUT", f"{ROLES}/{ada.id}"),
        ("DELETE", f"{ROLES}/{ada.id}"),
        ("POST", f"/admin/api/users/{ada.id}/grants"),
        ("DELETE", f"/admin/api/users/{ada.id}/grants"),
    ):
        answer = await browser.json(method, path, wish)
        assert (answer.status_code, answer.json()["code"]) == (401, "step_up_needed")


async def test_a_grant_adds_one_permission_and_ends(browser: Browser, services: Services) -> None:
    ops = await member(services, "ops@example.org", "ops")
    theirs = await cookie_of(services, ops)
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    mine = await cookie_of(services, await member(services, "r2@example.org", "super_admin"))
    path = f"/admin/api/users/{ops.id}/grants"
    wish = {"permission": "view_users", "reason": "Helps support"}
    assert (await browser.json("POST", path, wish)).status_code == 200
    assert (await browser.json("POST", path, wish)).status_code == 409
    browser.carry(theirs)
    assert (await browser.json("GET", "/admin/api/users")).status_code == 200
    browser.carry(mine)
    assert (await browser.json("DELETE", path, wish)).status_code == 200
    assert (await browser.json("DELETE", path, wish)).status_code == 404
    browser.carry(theirs)
    assert (await browser.json("GET", "/admin/api/users")).status_code == 403


async def test_a_grant_that_ran_out_counts_no_more_and_can_be_given_again(
    browser: Browser, services: Services
) -> None:
    ops = await member(services, "ops@example.org", "ops")
    await services.db.execute(
        "INSERT INTO admin_grants (user_id, permission, reason, expires_at) VALUES ($1, 'moderate', 'x', now())",
        ops.id,
    )
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    assert (await browser.json("GET", f"{ROLES}/{ops.id}")).json()["grants"] == []
    path = f"/admin/api/users/{ops.id}/grants"
    wish = {"permission": "moderate", "reason": "x"}
    assert (await browser.json("POST", path, wish)).status_code == 200


@pytest.mark.parametrize(
    ("permission", "status"),
    [("fly", 422), ("impersonate_writing", 422), ("manage_system", 409), ("moderate", 200)],
)
async def test_only_what_the_role_lacks_is_granted(
    browser: Browser, services: Services, permission: str, status: int
) -> None:
    ops = await member(services, "ops@example.org", "ops")
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    wish = {"permission": permission, "reason": "x"}
    answer = await browser.json("POST", f"/admin/api/users/{ops.id}/grants", wish)
    assert answer.status_code == status


async def test_taking_the_role_takes_every_grant(browser: Browser, services: Services) -> None:
    ops = await member(services, "ops@example.org", "ops")
    await services.db.execute(
        "INSERT INTO admin_grants (user_id, permission, reason) VALUES ($1, 'moderate', 'x')",
        ops.id,
    )
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    form = {"_method": "DELETE", "reason": "Left"}
    assert (await browser.post(f"/admin/users/roles/{ops.id}", form)).status_code == 303
    await browser.json("PUT", f"{ROLES}/{ops.id}", {"role": "ops", "reason": "Back"})
    assert (await browser.json("GET", f"{ROLES}/{ops.id}")).json()["grants"] == []


async def test_the_pages_show_who_may_do_what(browser: Browser, services: Services) -> None:
    ops = await member(services, "ops@example.org", "ops")
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    text = (await browser.get("/admin/users/roles")).text
    assert "ops@example.org" in text and "manage_money" in text
    assert "Change the role" in (await browser.get(f"/admin/users/roles/{ops.id}")).text
    listed = (await browser.json("GET", ROLES)).json()
    assert listed["total"] == 2 and "view_system" in listed["roles"]["read_only"]


async def test_two_who_take_the_role_from_each_other_leave_one(services: Services) -> None:
    pool = await open_pool(services.settings)
    committed = dataclasses.replace(services, db=Database(pool))
    people = [await member(committed, f"racer{n}@example.org", "super_admin") for n in (1, 2)]
    one, other = people
    try:
        ended = await asyncio.gather(
            roles.change(committed, one, other.id, "ops", "race"),
            roles.change(committed, other, one.id, None, "race"),
            return_exceptions=True,
        )
        left = await pool.fetchval("SELECT count(*) FROM users WHERE role = 'super_admin'")
    finally:
        # Unlike other tests this one commits.
        ids = [who.id for who in people]
        await pool.execute("DELETE FROM emails WHERE user_id = ANY($1)", ids)
        await pool.execute("DELETE FROM delayed_jobs WHERE job_type = 'send_email'")
        await pool.execute("DELETE FROM users WHERE id = ANY($1)", ids)
        await pool.execute("TRUNCATE audit_log")
        pool.terminate()
    assert left == 1
    assert sum(isinstance(end, Problem) for end in ended) == 1
