"""A released schema that is migrated equals a fresh one."""

import dataclasses
from pathlib import Path

import asyncpg
import pytest

from app.config import Settings
from app.db import SCHEMA_VERSION, migrate
from tests.conftest import new_database

RELEASED = Path(__file__).resolve().parent.parent / "released"

# Everything that makes two databases differ, but for the order of columns, which no statement of ours depends on.
SHAPES = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
               a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0
          AND NOT a.attisdropped
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    """,
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    "triggers": "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": """
        SELECT p.proname, pg_get_functiondef(p.oid) FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    """,
    "comments": """
        SELECT c.relname, obj_description(c.oid) FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    """,
}


async def shape(url: str) -> dict[str, set[tuple[object, ...]]]:
    """What a database is made of, without its partitions."""
    connection = await asyncpg.connect(url)
    try:
        found = {}
        for name, query in SHAPES.items():
            rows = await connection.fetch(query)
            found[name] = {tuple(row) for row in rows if "_20" not in str(row[0])}
        return found
    finally:
        await connection.close()


@pytest.mark.parametrize("released", sorted(RELEASED.glob("*.sql")), ids=lambda file: file.stem)
async def test_a_released_schema_migrated_equals_a_fresh_one(
    settings: Settings, released: Path
) -> None:
    urls = {}
    for name in ("fresh", "migrated"):
        urls[name] = await new_database(settings.database_url, f"village_{name}")
    connection = await asyncpg.connect(urls["migrated"])
    await connection.execute(released.read_text())
    await connection.execute(
        "INSERT INTO schema_versions (version) VALUES ($1)", int(released.stem)
    )
    await connection.close()
    for url in urls.values():
        await migrate(dataclasses.replace(settings, database_url=url))
    fresh, migrated = await shape(urls["fresh"]), await shape(urls["migrated"])
    for name in SHAPES:
        assert migrated[name] - fresh[name] == fresh[name] - migrated[name] == set(), name


def test_every_version_has_its_file() -> None:
    folder = Path("app/migrations")
    assert sorted(int(file.stem) for file in folder.glob("*.sql")) == [
        *range(2, SCHEMA_VERSION + 1)
    ]
