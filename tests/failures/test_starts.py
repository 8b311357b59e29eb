"""Starts that must fail do so at once, with one sentence and a code."""

import asyncio

import asyncpg
import msgspec
import pytest

from app import seeding
from app.db import SCHEMA_VERSION
from tests.conftest import SECRET, new_database
from tests.failures.conftest import Site, until

NOWHERE = "postgresql://village:secret-word@127.0.0.1:1/village"


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
async def test_another_schema_is_refused_with_the_command_that_mends(
    site: Site, version: int
) -> None:
    url = await new_database(site.settings.database_url, f"village_schema_{version}")
    if version:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE schema_versions (version integer PRIMARY KEY)")
        await connection.execute("INSERT INTO schema_versions VALUES ($1)", version)
        await connection.close()
    ended = await asyncio.gather(
        *(site.finished(command, DATABASE_URL=url, PORT="0") for command in ("serve", "work"))
    )
    for code, said in ended:
        assert code == 78
        assert said.count("python -m app migrate") == 1
        assert str(SCHEMA_VERSION) in said
        assert "Traceback" not in said


async def test_an_unreachable_database_is_one_sentence(site: Site) -> None:
    commands = ("migrate", "first-admin-link", "seed")
    ended = await asyncio.gather(*(site.finished(one, DATABASE_URL=NOWHERE) for one in commands))
    for code, said in ended:
        assert code
        assert len(said.strip().splitlines()) == 1, said
        assert "database" in said
        assert "secret-word" not in said


CALLS = """
SELECT target_id, replace(after::text, '", "', '","'), actor_kind, ip ->> 'host' IS NOT NULL AND ip ->> 'caller' IS NOT NULL AS is_signed
FROM audit_log WHERE action = 'cli.called' ORDER BY id
"""


async def test_commands_that_write_are_written_down_with_who_called_them(site: Site) -> None:
    url = await new_database(site.settings.database_url, "village_called")
    for command in (("migrate",), ("seed", "limits")):
        code, said = await site.finished(*command, DATABASE_URL=url)
        assert code == 0, said
    connection = await asyncpg.connect(url)
    rows = [tuple(row) for row in await connection.fetch(CALLS)]
    await connection.close()
    assert rows == [
        ("migrate", msgspec.json.encode(seeding.NEEDED).decode(), "cli", True),
        ("seed", '["limits"]', "cli", True),
    ]


@pytest.mark.parametrize("missing", ["JWT_SESSION_SECRET", "SECRET_KEYS"])
async def test_beta_and_prod_do_not_start_without_secrets(site: Site, missing: str) -> None:
    given = {missing: "", "PUBLIC_URL": "https://v.example"}
    ended = await asyncio.gather(
        *(site.finished("serve", ENVIRONMENT=where, **given) for where in ("beta", "prod"))
    )
    for code, said in ended:
        assert code == 78
        assert missing in said
        assert len(said.strip().splitlines()) == 1
        assert SECRET["link_secret"] not in said


WRITES_PLACES = """
SELECT pid FROM pg_stat_activity
WHERE datname = 'village_places' AND state = 'active' AND query LIKE '%INSERT INTO geo_places%' AND pid <> pg_backend_pid()
"""
LEFT = "SELECT (SELECT count(*) FROM geo_places) + (SELECT count(*) FROM seeds)"


async def test_places_whose_loading_was_killed_are_loaded_by_the_next_start(site: Site) -> None:
    url = await new_database(site.settings.database_url, "village_places")
    assert (await site.finished("migrate", DATABASE_URL=url))[0] == 0
    connection = await asyncpg.connect(url)
    seeding = site.begin("places", "app", "seed", "places", DATABASE_URL=url)
    await until(lambda: connection.fetchval(WRITES_PLACES))
    seeding.kill()
    await until(lambda: gone(connection))
    assert await connection.fetchval(LEFT) == 0
    await connection.close()


async def gone(connection: asyncpg.Connection) -> bool:
    return await connection.fetchval(WRITES_PLACES) is None
