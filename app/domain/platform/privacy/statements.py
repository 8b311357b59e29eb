"""The registry as SQL: what erases, counts, ages and reads the rows of one place."""

import functools

from app.domain.platform.privacy import kinds, registry
from app.domain.platform.privacy.kinds import Age, Erasure, Place
from app.services import Services

BATCH = 5000


def tables(step: str | None = None) -> list[Place]:
    """The places that are tables (or parts of them), of one step or of all, in the registry's order."""
    return [
        place for place in registry.PLACES if place.subject and (step is None or place.step == step)
    ]


@functools.cache
def counting(place: Place) -> str:
    """How many rows of a place are about person $1."""
    return f"SELECT count(*) FROM {place.name} WHERE {place.condition()}"  # noqa: S608


@functools.cache
def erasing(place: Place) -> str:
    """What erases a place of person $1."""
    return changing(place.name, place.erasure, place.condition())


def changing(table: str, erasure: Erasure, condition: str) -> str:
    """DELETE or UPDATE of the rows that a condition finds, or the function that does it."""
    if erasure.call:
        return f"SELECT {kinds.in_sql(erasure.call)}"
    if erasure.how == "delete":
        return f"DELETE FROM {table} WHERE {condition}"  # noqa: S608
    return f"UPDATE {table} SET {kinds.in_sql(erasure.sets)} WHERE {condition}"  # noqa: S608


@functools.cache
def ageing(table: str, age: Age) -> str:
    """What the nightly sweep does to one batch of rows that are too old."""
    if age.erasure.call:
        return f"SELECT {age.erasure.call}"
    old = f"SELECT ctid FROM {table} WHERE {age.where} LIMIT {BATCH}"  # noqa: S608
    return changing(table, age.erasure, f"ctid = ANY(ARRAY({old}))")


async def run(services: Services, statement: str, *values: object) -> int:
    """Run what `erasing` or `ageing` made; answer the rows."""
    if statement.startswith("SELECT"):
        return int(await services.db.fetchval(statement, *values))
    return int((await services.db.execute(statement, *values)).split()[-1])


COLUMNS = """
SELECT a.attname FROM pg_attribute a
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


async def reading(services: Services, place: Place) -> str | None:
    """What reads a place of person $1 for an export; None when all of it is withheld."""
    hidden = {*place.secrets.split(), *place.withheld.split()}
    if "*" in hidden:
        return None
    rows = await services.db.fetch(COLUMNS, place.name)
    given = ", ".join(f'"{row["attname"]}"' for row in rows if row["attname"] not in hidden)
    return f"SELECT {given} FROM {place.name} WHERE {place.condition()}"  # noqa: S608
