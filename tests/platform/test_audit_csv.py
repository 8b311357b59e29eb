"""The log as a file: whole, however slowly it is read, or broken off in a way that everybody sees."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pytest

from app.config import Settings
from app.db import Database, migrate, open_pool
from app.domain.platform import audit_rows
from app.domain.platform.audit_rows import AuditFilter
from app.main import application
from app.services import Services
from tests.conftest import new_database
from tests.people import cookie_of, member
from tests.world.servers import Site

# The log's rows take their time, and one of them more than there is.
SLOW = """
ALTER TABLE audit_log RENAME TO audit_lines;
CREATE TABLE stuck (act bigint);
CREATE FUNCTION slowly(id bigint) RETURNS boolean LANGUAGE sql VOLATILE
    AS $$ SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM stuck WHERE act = id) THEN 9 ELSE 0.004 END) IS NOT NULL $$;
CREATE VIEW audit_log AS SELECT * FROM audit_lines WHERE slowly(id);
INSERT INTO audit_lines (actor_kind, action, target_kind) SELECT 'system', 'queue.paused', 'queue' FROM generate_series(1, 300);
"""


@pytest.fixture
async def slow(services: Services, settings: Settings) -> AsyncIterator[Services]:
    """Services on a database of their own, whose log of 300 acts takes over a second to read."""
    url = await new_database(settings.database_url, "village_slow")
    there = dataclasses.replace(settings, database_url=url)
    await migrate(there)
    connection = await asyncpg.connect(url)
    await connection.execute(SLOW)
    await connection.close()
    pool = await open_pool(there, size=3)
    yield dataclasses.replace(services, settings=there, db=Database(pool))
    await asyncio.wait_for(pool.close(), 10)


async def test_a_log_that_takes_long_is_read_in_stretches(
    slow: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_rows, "WIDEST", 40)
    who = await member(slow, role="super_admin")
    found = [act.id async for act in audit_rows.every(slow, who, AuditFilter(action="queue"))]
    assert found == list(range(300, 0, -1))


async def test_a_file_that_cannot_be_whole_breaks_off(
    slow: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_rows, "WIDEST", 40)
    monkeypatch.setattr(audit_rows, "NARROWEST", 20)
    await slow.db.execute("INSERT INTO stuck VALUES (150)")
    cookie = await cookie_of(slow, await member(slow, role="super_admin"))
    site = Site(application(slow.settings, slow))
    await site.start()
    came = b""
    try:
        async with httpx2.AsyncClient(cookies={"vu_session": cookie}, timeout=30) as client:
            with pytest.raises(httpx2.RemoteProtocolError):
                async with client.stream("GET", f"{site.url}/admin/audit-log.csv") as answer:
                    assert answer.status_code == 200
                    async for part in answer.aiter_bytes():
                        came += part
    finally:
        await site.stop()
    assert b"\r\n300," in came and b"\r\n149," not in came
