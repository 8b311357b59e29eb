"""Settings changed at run time: by one permission, with a reason, felt at once and in other processes by a notice."""

import dataclasses

import pytest

from app.domain.platform import memories, sign_ins, site_settings
from app.errors import Forbidden
from app.services import Services
from tests.people import Browser, member

ROW = "SELECT action, target_id, reason, before, after FROM audit_log ORDER BY id DESC LIMIT 1"


@pytest.fixture
async def admin(browser: Browser, services: Services) -> Browser:
    """A browser of an admin who may change settings."""
    await browser.sign_in(await member(services, "root@example.org", role="super_admin"))
    return browser


async def test_a_new_name_of_the_site_is_felt_at_once(admin: Browser, services: Services) -> None:
    form = {"_method": "PATCH", "site_name": "Dorfplatz", "reason": "We moved"}
    assert (await admin.post("/admin/settings", form)).status_code == 303
    assert ">Dorfplatz</a>" in (await admin.get("/admin/settings")).text
    assert tuple(await services.db.fetchrow(ROW)) == (
        "setting.changed", "site_name", "We moved", "Village", "Dorfplatz")  # fmt: skip


async def test_another_process_reads_a_change_again(admin: Browser, services: Services) -> None:
    other = dataclasses.replace(services, memory={})
    await admin.json("PATCH", "/admin/api/settings", {"policy_version": "2", "reason": "New text"})
    assert site_settings.of(other).policy_version == "1"
    assert await memories.read(other, ["settings"])
    assert site_settings.of(other).policy_version == "2"


async def test_a_change_needs_a_reason_and_a_value_that_can_be(admin: Browser) -> None:
    answer = await admin.json(
        "PATCH", "/admin/api/settings", {"sign_up": "maybe", "contact_address": "x"}
    )
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"sign_up", "contact_address", "reason"}
    form = {"_method": "PATCH", "site_name": "Kept input", "reason": " "}
    page = await admin.post("/admin/settings", form)
    assert page.status_code == 422 and "Kept input" in page.text


async def test_what_stays_as_it_was_is_no_change(admin: Browser, services: Services) -> None:
    await admin.json("PATCH", "/admin/api/settings", {"sign_up": "open", "reason": "Nothing"})
    assert await services.db.fetchval("SELECT count(*) FROM site_settings") == 0


async def test_a_closed_site_takes_members_back_and_no_new_ones(
    admin: Browser, services: Services
) -> None:
    await member(services, "old@example.org")
    await admin.json("PATCH", "/admin/api/settings", {"sign_up": "closed", "reason": "Full"})
    assert await sign_ins.member_of(services, "old@example.org")
    with pytest.raises(Forbidden):
        await sign_ins.member_of(services, "new@example.org")
    assert not await services.db.fetchval(
        "SELECT count(*) FROM users WHERE email = 'new@example.org'"
    )


async def test_others_may_not_see_settings(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services, role="ops"))
    assert (await browser.get("/admin/settings")).status_code == 403
