"""`python -m app ops rotate-secrets`, as an operator calls it: killed in the middle, twice at once, under wrong keys."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.domain.platform import secret_rotation, secrets
from app.services import Services
from tests.failures.conftest import Site
from tests.platform.jobs.conftest import until
from tests.platform.test_secret_rotation import NEW, OLD, STATE, under

ROWS = 3 * secret_rotation.BATCH
COMMAND = ("ops", "rotate-secrets")
STUCK = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE oauth_states%'"
AUDITED = """
SELECT coalesce(sum((after #>> '{places,oauth_states.verifier_enc,resealed}')::int), 0), count(*)
FROM audit_log WHERE action = 'secrets.rotated'
"""


def name_of(number: int) -> bytes:
    """The hash that stands for one trip, in the order of numbers."""
    return number.to_bytes(4, "big")


@pytest.fixture
async def sealed(ground: Services) -> AsyncIterator[Services]:
    """A database with secrets under the old key."""
    old = under(ground, OLD).settings
    await ground.db.execute("TRUNCATE oauth_states")
    rows = [
        (name_of(n), secrets.seal(old, "oauth_states", "verifier_enc", name_of(n).hex(), f"s{n}"))
        for n in range(ROWS)
    ]
    await ground.db.pool.executemany(STATE, rows)
    yield ground
    await ground.db.execute("TRUNCATE oauth_states")


async def by_key(services: Services) -> dict[str, int]:
    """How many secrets lie under which key; each opens, and holds what it held."""
    both, found = under(services, f"{NEW},{OLD}").settings, {"k1": 0, "k2": 0}
    for row in await services.db.fetch("SELECT state_hash, verifier_enc FROM oauth_states"):
        hashed, piece = row["state_hash"], row["verifier_enc"]
        text = secrets.unseal(both, "oauth_states", "verifier_enc", hashed.hex(), piece)
        assert text == f"s{int.from_bytes(hashed, 'big')}"
        found[piece[1:3].decode()] += 1
    return found


@contextlib.asynccontextmanager
async def held(site: Site, number: int) -> AsyncIterator[Any]:
    """One row that nobody can change meanwhile."""
    connection = await asyncpg.connect(site.settings.database_url)
    try:
        async with connection.transaction():
            await connection.fetch(
                "SELECT FROM oauth_states WHERE state_hash = $1 FOR UPDATE", name_of(number)
            )
            yield
    finally:
        await connection.close()


async def test_a_rotation_that_is_killed_leaves_every_secret_readable_and_goes_on(
    site: Site, sealed: Services
) -> None:
    async with held(site, ROWS // 2):
        child = site.begin("rotation", "app", *COMMAND, SECRET_KEYS=f"{NEW},{OLD}")
        await until(lambda: sealed.db.fetchval(STUCK), 40)
        child.kill()
    batch = secret_rotation.BATCH
    assert await by_key(sealed) == {"k1": ROWS - batch, "k2": batch}
    code, said = await site.finished(*COMMAND, SECRET_KEYS=f"{NEW},{OLD}")
    assert code == 0
    assert f"verifier_enc: {ROWS} seen, {ROWS - batch} sealed again, 0 unreadable" in said
    assert await by_key(sealed) == {"k1": 0, "k2": ROWS}


async def test_two_rotations_at_once_seal_each_secret_once(site: Site, sealed: Services) -> None:
    before = await sealed.db.fetchrow(AUDITED)
    async with held(site, 0):
        both = [
            asyncio.create_task(site.finished(*COMMAND, SECRET_KEYS=f"{NEW},{OLD}"))
            for _ in range(2)
        ]
        await until(lambda: is_stuck_twice(sealed), 40)
    assert [code for code, _ in await asyncio.gather(*both)] == [0, 0]
    after = await sealed.db.fetchrow(AUDITED)
    assert (after[0] - before[0], after[1] - before[1]) == (ROWS, 2)
    assert await by_key(sealed) == {"k1": 0, "k2": ROWS}


async def is_stuck_twice(services: Services) -> bool:
    """Whether two rotations wait for the same row."""
    return bool(await services.db.fetchval(STUCK) == 2)


@pytest.mark.parametrize("keys", [f"{NEW},k1:{'44' * 32}", f"k1:{'44' * 32}"])
async def test_under_a_wrong_key_nothing_changes_and_the_command_says_so(
    site: Site, sealed: Services, keys: str
) -> None:
    code, said = await site.finished(*COMMAND, SECRET_KEYS=keys)
    assert code == 1
    assert f"verifier_enc: {ROWS} seen, 0 sealed again, {ROWS} unreadable" in said
    assert "44" * 32 not in said and "11" * 32 not in said
    assert await by_key(sealed) == {"k1": ROWS, "k2": 0}


@pytest.mark.parametrize("keys", ["k1:short", f"{OLD},k1:{'44' * 32}", "11" * 32])
async def test_keys_that_are_none_end_the_start(site: Site, keys: str) -> None:
    code, said = await site.finished(*COMMAND, SECRET_KEYS=keys)
    assert code == 78
    assert "SECRET_KEYS is a list of NAME:64 hex digits" in said and "Traceback" not in said
