"""Sessions: replaced while in use, ended when an old value comes back, ended by a new secret."""

import asyncio
import dataclasses

from app.db import Database, open_pool
from app.domain.platform import sessions
from app.main import running
from app.services import Services
from app.web import session as cookies
from tests.people import Browser, cookie_of, member

AGE = "UPDATE sessions SET rotated_at = now() - interval '16 minutes', seen_at = now() - interval '2 minutes'"


async def replaced(browser: Browser, services: Services) -> tuple[str, str]:
    """The old and the new value of a session that was in use for 15 minutes."""
    old = browser.client.cookies[cookies.SESSION]
    await services.db.execute(AGE)
    await browser.get("/settings/sessions")
    return old, browser.client.cookies[cookies.SESSION]


async def seen_with(browser: Browser, value: str) -> int:
    browser.carry(value)
    return (await browser.json("GET", "/api/settings/sessions")).status_code


async def test_the_value_is_replaced_after_15_minutes(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    old, new = await replaced(browser, services)
    assert old != new
    assert await seen_with(browser, new) == 200


async def test_the_old_value_works_until_60_s_after_the_new_was_seen(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    old, new = await replaced(browser, services)
    assert await seen_with(browser, old) == 200
    assert await seen_with(browser, new) == 200
    assert await seen_with(browser, old) == 200


async def test_an_old_value_that_comes_back_ends_the_session_and_tells_the_member(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    old, new = await replaced(browser, services)
    await seen_with(browser, new)
    await services.db.execute("UPDATE sessions SET next_seen_at = now() - interval '61 seconds'")
    assert await seen_with(browser, old) == 401
    assert await seen_with(browser, new) == 401
    job = await services.db.fetchval(
        "SELECT count(*) FROM delayed_jobs WHERE job_type = 'tell_session_ended'"
    )
    assert job == 1


async def test_a_forged_or_foreign_cookie_is_no_reader(
    browser: Browser, services: Services
) -> None:
    value = await cookie_of(services, await member(services))
    for forged in (value[:-2] + "xx", "nonsense", value.split(".")[0]):
        assert await seen_with(browser, forged) == 401


async def test_a_new_secret_ends_every_session_and_is_audited(
    browser: Browser, services: Services
) -> None:
    value = await cookie_of(services, await member(services))
    await sessions.end_other_keys(services, "00000000")
    assert await seen_with(browser, value) == 401
    entry = await services.db.fetchrow("SELECT action, after FROM audit_log")
    assert (entry["action"], entry["after"]["count"]) == ("sessions.ended", 1)


async def test_an_admins_session_idles_out_after_an_hour(
    browser: Browser, services: Services
) -> None:
    value = await cookie_of(services, await member(services, role="ops"))
    await services.db.execute("UPDATE sessions SET seen_at = now() - interval '61 minutes'")
    assert await seen_with(browser, value) == 401


async def test_a_ban_is_felt_with_the_next_request(browser: Browser, services: Services) -> None:
    who = await member(services)
    await browser.sign_in(who)
    assert (await browser.json("PATCH", "/preferences", {"clock": "12"})).status_code == 200
    await services.db.execute(
        "UPDATE users SET banned_until = now() + interval '1 day' WHERE id = $1", who.id
    )
    refused = await browser.json("PATCH", "/preferences", {"clock": "24"})
    assert (refused.status_code, refused.json()["code"]) == (403, "banned")
    # Whoever is banned may still see what is kept about them.
    assert (await browser.get("/settings/sessions")).status_code == 200


async def test_one_members_session_cannot_be_ended_by_another(
    browser: Browser, services: Services
) -> None:
    value = await cookie_of(services, await member(services, "victim@example.org"))
    victim = await services.db.fetchval("SELECT id FROM sessions")
    await browser.sign_in(await member(services, "other@example.org"))
    assert (await browser.json("DELETE", f"/api/settings/sessions/{victim}")).status_code == 404
    assert await seen_with(browser, value) == 200


async def test_cookies_are_secure_but_for_http_on_loopback(
    browser: Browser, services: Services
) -> None:
    assert not services.settings.secure_cookies
    assert dataclasses.replace(
        services.settings, public_url="https://village.example"
    ).secure_cookies


async def test_the_first_start_with_a_new_secret_ends_older_sessions(services: Services) -> None:
    pool = await open_pool(services.settings)
    committed = dataclasses.replace(services, db=Database(pool))
    who = await member(committed, "rotated@example.org")
    await cookie_of(committed, who)
    renewed = dataclasses.replace(services.settings, jwt_session_secret="n" * 64)
    async with running(renewed) as state:
        while not state["hub"].listening:
            await asyncio.sleep(0.01)
        why = await pool.fetchval("SELECT ended_why FROM sessions WHERE user_id = $1", who.id)
    # Unlike other tests this one commits.
    await pool.execute("DELETE FROM users WHERE id = $1", who.id)
    await pool.execute("TRUNCATE audit_log")
    pool.terminate()
    assert why == "new_secret"
