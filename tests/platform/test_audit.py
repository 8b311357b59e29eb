"""Rule 36: what someone with power does is written down, cannot be changed, is sealed, and is read as far as the role allows."""

import ast
import csv
import dataclasses
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.domain.platform import audit, audit_scopes, audit_seals
from app.domain.platform.readers import Impersonation, Reader
from app.services import Services
from tests.people import Browser, member

ROOT = Path(__file__).resolve().parent.parent.parent
# As a forger with the database's own rights writes.
OPEN = "ALTER TABLE audit_log {0} TRIGGER USER; ALTER TABLE audit_seals {0} TRIGGER USER"


async def forged(services: Services, statement: str, *values: Any) -> None:
    """Change rows behind the triggers' back."""
    await services.db.execute(OPEN.format("DISABLE"))
    await services.db.execute(statement, *values)
    await services.db.execute(OPEN.format("ENABLE"))


async def wrote(
    services: Services, action: str = "job.retried", days_ago: int = 0, **more: Any
) -> int:
    """One act by a new admin; answer its id."""
    who = more.pop("who", None)
    target = more.pop("target", ("job", 7))
    here = dataclasses.replace(services, origin={"address": "192.0.2.7"})
    await audit.add(here, who, action, target, more.pop("reason", "because"), **more)
    found: int = await services.db.fetchval("SELECT max(id) FROM audit_log")
    if days_ago:
        past = timedelta(days=days_ago)
        await forged(
            services,
            "UPDATE audit_log SET timestamp = timestamp - $2::interval WHERE id = $1",
            found,
            past,
        )
    return found


async def test_an_act_tells_who_what_why_and_from_where(
    browser: Browser, services: Services
) -> None:
    who = await member(services, "ops@example.org", role="ops")
    await browser.sign_in(who)
    trace = {
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "user-agent": "Lynx",
    }
    form = {"_method": "PUT", "reason": "Too much"}
    answer = await browser.post("/admin/queues/BULK/pause", form, headers=trace)
    row = await services.db.fetchrow("SELECT * FROM audit_log ORDER BY id DESC LIMIT 1")
    assert (row["actor_id"], row["actor_kind"], row["actor_role"]) == (who.id, "member", "ops")
    assert (row["action"], row["target_id"], row["reason"]) == ("queue.paused", "BULK", "Too much")
    assert row["ip"] == {"address": "127.0.0.1", "agent": "Lynx"}
    assert row["request_id"] == answer.headers["x-request-id"]
    assert row["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_seeing_the_site_as_someone_names_both(services: Services) -> None:
    seen = await member(services)
    stretch = Impersonation(1, None, 5, True, None, "super_admin")  # type: ignore[arg-type]
    who = Reader(id=seen.id, kind="member", impersonator_id=4711, impersonation=stretch)
    act = await wrote(services, "member.changed", who=who)
    row = await services.db.fetchrow(
        "SELECT actor_id, as_user_id, actor_role FROM audit_log WHERE id = $1", act
    )
    assert tuple(row) == (4711, seen.id, "super_admin")


@pytest.mark.parametrize("change", ["UPDATE audit_log SET reason = 'x'", "DELETE FROM audit_log",
    "UPDATE audit_log SET cleared_for = '{1}', ip = NULL", "DELETE FROM audit_seals",
    # The words of a statement name no caller.
    "DO 'BEGIN DELETE FROM audit_log WHERE true /* function audit_expire(interval) line 1 at SQL statement */; END'",
    "DO 'BEGIN UPDATE audit_log SET ip = NULL /* function audit_forget(bigint) line 1 at SQL statement */; END'"])  # fmt: skip
async def test_nobody_changes_what_was_written(services: Services, change: str) -> None:
    await wrote(services, days_ago=1)
    await audit_seals.seal(services)
    with pytest.raises(asyncpg.RaiseError, match="rows are only added"):
        async with services.tx() as tx:
            await tx.db.execute(change)


async def test_each_ended_day_is_sealed_once_and_the_present_one_not(services: Services) -> None:
    await wrote(services, days_ago=3)
    await wrote(services)
    assert await audit_seals.seal(services) == 3
    assert await audit_seals.seal(services) == 0
    verdict = await audit_seals.verify(services)
    assert (verdict.days, verdict.rows, verdict.broken) == (3, 1, None)


@pytest.mark.parametrize("change", [
    "target_id = '8'", "reason = 'Because'", "after = '{\"a\": 2}'", "ip = NULL", "actor_role = 'ops'",
    "timestamp = timestamp + interval '1 microsecond'", "person_salt = NULL, reason = NULL, ip = NULL, cleared_for = '{5}'",
])  # fmt: skip
async def test_one_changed_byte_is_found(services: Services, change: str) -> None:
    await wrote(services, days_ago=3)
    act = await wrote(services, days_ago=2, after={"a": 1})
    day = await services.db.fetchval(
        "SELECT (timestamp AT TIME ZONE 'UTC')::date FROM audit_log WHERE id = $1", act
    )
    await audit_seals.seal(services)
    assert (await audit_seals.verify(services)).broken is None
    await forged(services, f"UPDATE audit_log SET {change} WHERE id = $1", act)
    assert (await audit_seals.verify(services)).broken == day


async def test_a_row_that_is_gone_or_came_later_is_found(services: Services) -> None:
    act = await wrote(services, days_ago=3)
    await wrote(services, days_ago=2)
    await audit_seals.seal(services)
    await forged(services, "DELETE FROM audit_log WHERE id = $1", act)
    assert (await audit_seals.verify(services)).why == "1 rows were sealed, 0 are there"


async def test_a_seal_that_is_changed_or_gone_is_found(services: Services) -> None:
    await wrote(services, days_ago=3)
    await audit_seals.seal(services)
    await forged(services, "DELETE FROM audit_seals WHERE day = current_date - 2")
    assert "missing" in (await audit_seals.verify(services)).why


async def test_an_erased_person_s_texts_go_and_the_seals_still_fit(services: Services) -> None:
    who, other = await member(services), await member(services, "op@example.org", role="support")
    about = await wrote(
        services, "member.banned", 2, who=other, target=("member", who.id), after={"name": "Ada"}
    )
    own = await wrote(
        services, "flag.changed", 2, who=who, target=("flag", "x"), after={"enabled": True}
    )
    await audit_seals.seal(services)
    assert await services.db.fetchval("SELECT audit_forget($1)", who.id) == 2
    assert await services.db.fetchval("SELECT audit_forget($1)", who.id) == 0
    rows = {row["id"]: row for row in await services.db.fetch("SELECT * FROM audit_log")}
    assert (rows[about]["reason"], rows[about]["after"]) == (None, None)
    assert (rows[own]["reason"], rows[own]["after"]) == (None, {"enabled": True})
    assert (await audit_seals.verify(services)).broken is None


async def test_old_acts_go_but_roles_stay_and_two_years_are_kept(services: Services) -> None:
    old = await wrote(services, days_ago=1200)
    kept = await wrote(services, "role.changed", days_ago=1200)
    await audit_seals.seal(services)
    assert await services.db.fetchval("SELECT audit_expire('3 years')") == 1
    assert await services.db.fetchval(
        "SELECT array_agg(id) FROM audit_log WHERE id IN ($1, $2)", old, kept
    ) == [kept]
    assert (await audit_seals.verify(services)).broken is None
    with pytest.raises(asyncpg.RaiseError, match="730 days"):
        async with services.tx() as tx:
            await tx.db.fetchval("SELECT audit_expire('700 days')")


async def test_every_filter_finds_its_act(browser: Browser, services: Services) -> None:
    who = await member(services, "root@example.org", role="super_admin")
    act = await wrote(services, "flag.changed", 2, who=who, target=("flag", "radar"))
    await wrote(services, who=await member(services))
    await browser.sign_in(who)
    for words in (f"actor={who.id}", "action=flag.changed", "action=flag", "target=flag:radar", "target=flag",
                  "to=" + await services.db.fetchval("SELECT (current_date - 1)::text")):  # fmt: skip
        found = (await browser.json("GET", f"/admin/api/audit-log?{words}")).json()["items"]
        assert [one["id"] for one in found] == [act], words
    assert (await browser.get("/admin/audit-log?from=yesterday")).status_code == 422
    page = await browser.get("/admin/audit-log?limit=1")
    assert "cursor=" in page.text and "because" in page.text


async def test_a_role_reads_its_part_of_the_log(browser: Browser, services: Services) -> None:
    for action in ("member.banned", "queue.paused", "unheard.of"):
        await wrote(services, action)
    seen = {}
    for role in ("super_admin", "support", "ops", "read_only"):
        await browser.sign_in(await member(services, f"{role}@example.org", role=role))
        found = (await browser.json("GET", "/admin/api/audit-log")).json()["items"]
        seen[role] = {one["action"] for one in found}
    assert seen["super_admin"] >= {"member.banned", "queue.paused", "unheard.of"}
    assert seen["support"] == {"member.banned"}
    assert seen["ops"] == seen["read_only"] == {"queue.paused"}


async def test_the_log_is_taken_as_csv_and_that_is_an_act(
    browser: Browser, services: Services
) -> None:
    for number in range(3):
        await wrote(services, "member.changed", reason=f"=1+{number}")
    await browser.sign_in(await member(services, role="support"))
    answer = await browser.get("/admin/audit-log.csv?action=member")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["reason"] for row in rows] == ["'=1+2", "'=1+1", "'=1+0"]
    assert (
        await services.db.fetchval("SELECT count(*) FROM audit_log WHERE action = 'audit.exported'")
        == 1
    )


async def test_the_seals_are_shown(browser: Browser, services: Services) -> None:
    await wrote(services, days_ago=2)
    await audit_seals.seal(services)
    await browser.sign_in(await member(services, role="read_only"))
    seal = await services.db.fetchval("SELECT encode(sha256, 'hex') FROM audit_seals LIMIT 1")
    assert seal in (await browser.get("/admin/audit-log/seals")).text
    found = (await browser.json("GET", "/admin/api/audit-log/seals?limit=1")).json()
    assert len(found["items"]) == 1 and found["next"]


def test_every_act_that_code_writes_has_its_readers() -> None:
    actions = set()
    for path in [*(ROOT / "app").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.add":
                actions |= set(re.findall(r"['\"]([a-z_]+)\.[a-z_]+['\"]", ast.unparse(node)))
    assert actions > {"job", "feed"}
    assert actions <= set(audit_scopes.SCOPES)
