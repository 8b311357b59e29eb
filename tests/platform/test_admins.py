"""The first admin: by the printed link or the token, once."""

import re

import asyncpg
import pytest

from app.domain.platform import admins
from app.services import Services
from tests.people import Browser, member


async def bootstrap(browser: Browser, token: str, email: str = "root@example.org") -> int:
    answer = await browser.json("POST", "/api/bootstrap", {"token": token, "email": email})
    return answer.status_code


async def test_the_printed_link_makes_the_first_admin_once(
    browser: Browser, services: Services
) -> None:
    link = await admins.new_link(services)
    assert link is not None
    token = re.search(r"token=([\w-]+)", link)[1]  # type: ignore[index]
    assert "first admin" in (await browser.get(f"/auth/link?token={token}")).text
    answer = await browser.post("/auth/link", {"token": token, "email": "root@example.org"})
    assert answer.status_code == 303
    assert (
        await services.db.fetchval("SELECT role FROM users WHERE email = 'root@example.org'")
        == "super_admin"
    )
    assert (
        await browser.post("/auth/link", {"token": token, "email": "b@example.org"})
    ).status_code == 401
    assert await admins.new_link(services) is None


async def test_bootstrap_is_403_for_ever_after(browser: Browser, services: Services) -> None:
    assert await bootstrap(browser, "wrong") == 403
    assert await bootstrap(browser, services.settings.bootstrap_token) == 200
    browser.sign_out()
    assert await bootstrap(browser, services.settings.bootstrap_token) == 403
    await services.db.execute("UPDATE users SET role = NULL")
    assert await bootstrap(browser, services.settings.bootstrap_token) == 403


async def test_bootstrap_is_audited_and_sends_a_letter_to_prove_the_address(
    browser: Browser, services: Services
) -> None:
    await bootstrap(browser, services.settings.bootstrap_token)
    assert await services.db.fetchval("SELECT action FROM audit_log") == "role.first_admin"
    assert await services.db.fetchval("SELECT template FROM emails") == "verify_address"
    assert (
        await services.db.fetchval("SELECT email_verified_at FROM users WHERE role = 'super_admin'")
        is None
    )


async def test_an_existing_member_can_become_the_first_admin(
    browser: Browser, services: Services
) -> None:
    who = await member(services, "root@example.org")
    await bootstrap(browser, services.settings.bootstrap_token)
    assert await services.db.fetchval("SELECT id FROM users WHERE role = 'super_admin'") == who.id


async def test_the_audit_log_only_grows(services: Services, browser: Browser) -> None:
    await bootstrap(browser, services.settings.bootstrap_token)
    for statement in ("UPDATE audit_log SET reason = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(asyncpg.RaiseError, match="only added"):
            async with services.tx() as tx:
                await tx.db.execute(statement)


async def test_what_a_first_admin_had_open_as_a_member_ends_within_a_day(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, "root@example.org"))
    await bootstrap(browser, services.settings.bootstrap_token)
    longest = "SELECT max(ends_at) <= now() + interval '24 hours' FROM sessions"
    assert await services.db.fetchval(longest)
