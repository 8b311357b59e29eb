"""Rule 24: one row a flag, subject, result and day; people by consent only; written beside the requests."""

import asyncio
import dataclasses
from typing import Any

import msgspec
import pytest

from app.db import Database
from app.domain.platform import flags
from app.domain.platform.flags import exposures, memory
from app.domain.platform.jobs import retention
from app.domain.platform.readers import Reader
from app.errors import ServiceDown
from app.services import Services
from tests.people import member
from tests.platform.flags.conftest import set_flag

ROWS = """
SELECT flag_key, subject_type, subject_id, result, reason, consent_granted, rollout_percentage_snapshot
FROM feature_flag_evaluations ORDER BY flag_key, result
"""
SAYS_NO = Reader(id=42, kind="member")


async def rows(services: Services) -> list[Any]:
    """Write what waits, and answer what is there."""
    await exposures.write(services)
    return await services.db.fetch(ROWS)


async def test_asking_many_times_is_one_exposure_a_result(services: Services) -> None:
    for _ in range(3):
        flags.is_on(services, SAYS_NO, "stocks_widget")
    [row] = await rows(services)
    assert (row["flag_key"], row["result"], row["reason"]) == ("stocks_widget", "off", "master_disabled")  # fmt: skip
    await set_flag(services, enabled=True, rollout_percentage=50)
    for _ in range(3):
        flags.is_on(services, SAYS_NO, "stocks_widget")
    off, on = await rows(services)
    assert (on["result"], on["reason"], on["rollout_percentage_snapshot"]) == ("on", "cohort_enabled", 50)  # fmt: skip
    # Another process, or this one started anew, tells the same again.
    memory.of(services).seen.clear()
    flags.is_on(services, SAYS_NO, "stocks_widget")
    assert len(await rows(services)) == 2


@pytest.mark.parametrize("who", [SAYS_NO, 42, "42"], ids=["reader", "id", "subject"])
async def test_without_consent_nothing_leads_to_the_person(services: Services, who: Any) -> None:
    flags.is_on(services, who, "marketplace")
    [row] = await rows(services)
    assert (row["subject_type"], row["consent_granted"]) == ("session", False)
    key = await services.db.fetchval("SELECT key FROM flag_day_keys")
    assert row["subject_id"] == exposures.session_hash(key, "42")
    # With the key of another day the same person is somebody else.
    assert row["subject_id"] != exposures.session_hash(bytes(32), "42")


async def answer(services: Services, who: Reader, *, analytics: bool) -> Reader:
    """The reader once they have said yes or no."""
    await services.db.execute(
        "INSERT INTO user_consents (user_id, analytics, policy_version, source) VALUES ($1, $2, '1', 'test')",
        who.id,
        analytics,
    )
    return msgspec.structs.replace(who, consents=frozenset(["analytics"] if analytics else []))


async def test_with_consent_the_subject_is_the_person(services: Services) -> None:
    ada = await answer(services, await member(services), analytics=True)
    flags.is_on(services, ada, "marketplace")
    [row] = await rows(services)
    assert (row["subject_type"], row["subject_id"]) == ("user", str(ada.id))
    assert row["consent_granted"] is True


async def test_a_withdrawal_takes_every_evaluation_with_it(services: Services) -> None:
    ada = await answer(services, await member(services), analytics=True)
    elsewhere = dataclasses.replace(services, memory={})
    flags.is_on(services, ada, "marketplace")
    await exposures.write(services)
    flags.is_on(services, ada, "scenes")
    flags.is_on(elsewhere, ada, "profiles")
    async with services.tx() as tx:
        await answer(tx, ada, analytics=False)
        assert await exposures.forget(tx, ada.id) == 1
    # Neither this process nor another one brings the person back.
    assert await rows(services) == []
    assert await rows(elsewhere) == []


async def test_the_key_of_a_day_is_destroyed_after_two_days(services: Services) -> None:
    await services.db.execute(
        "INSERT INTO flag_day_keys (day, key) SELECT current_date - n, sha256(n::text::bytea) FROM generate_series(1, 5) AS n"
    )
    flags.is_on(services, SAYS_NO, "marketplace")
    await rows(services)
    ages = await services.db.fetch("SELECT current_date - day AS age FROM flag_day_keys ORDER BY 1")
    assert [row["age"] for row in ages] == [0, 1]


async def test_nobody_known_leaves_no_row(services: Services) -> None:
    flags.is_on(services, None, "marketplace")
    flags.is_on(services, SAYS_NO, "no_such_flag")
    assert await rows(services) == []


async def test_a_flag_that_is_not_to_be_counted_is_not(services: Services) -> None:
    await set_flag(services, "marketplace", analytics_enabled=False)
    flags.is_on(services, SAYS_NO, "marketplace")
    assert await rows(services) == []


async def test_what_was_asked_for_is_remembered_for_the_review(services: Services) -> None:
    flags.is_on(services, None, "scenes")
    await exposures.write(services)
    asked = await services.db.fetch("SELECT key FROM feature_flags WHERE asked_at IS NOT NULL")
    assert [row["key"] for row in asked] == ["scenes"]


class Away(Database):
    """A database that does not answer."""

    def held(self) -> Any:
        raise ServiceDown("away")


async def test_exposures_wait_while_the_database_is_away(services: Services) -> None:
    away = dataclasses.replace(services, db=Away(None))
    flags.is_on(away, SAYS_NO, "marketplace")
    with pytest.raises(ServiceDown):
        await exposures.write(away)
    with pytest.raises(ServiceDown):
        await memory.refresh(away)
    assert flags.is_on(away, SAYS_NO, "marketplace")
    assert len(await rows(services)) == 1


async def test_a_request_never_waits_and_a_full_store_drops(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "WAITING_CEILING", 3)
    for subject in range(1, 6):
        assert flags.is_on(services, subject, "marketplace")
    assert len(await rows(services)) == 3


async def test_five_hundred_exposures_are_written_at_once(services: Services) -> None:
    loop = asyncio.create_task(exposures.keep_writing(services))
    await asyncio.sleep(0)
    for subject in range(500):
        flags.is_on(services, subject, "marketplace")
    async with asyncio.timeout(4):
        while memory.of(services).waiting:
            await asyncio.sleep(0.01)
    flags.is_on(services, 501, "marketplace")
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    # The last one was written as the loop ended.
    assert await services.db.fetchval("SELECT count(*) FROM feature_flag_evaluations") == 501


async def test_evaluations_past_ninety_days_go(services: Services) -> None:
    await services.db.execute("SELECT make_month_partitions('feature_flag_evaluations', (now() - interval '100 days')::date, 5)")  # fmt: skip
    await services.db.execute(
        "INSERT INTO feature_flag_evaluations (day, flag_key, subject_type, subject_id, result, reason,"
        " rollout_percentage_snapshot, consent_granted)"
        " SELECT current_date - age, 'scenes', 'session', 'x', 'on', 'full_rollout', 100, false"
        " FROM unnest('{90,91,99}'::int[]) AS age"
    )
    assert await exposures.purge(services) == 2
    assert await services.db.fetchval("SELECT count(*) FROM feature_flag_evaluations") == 1


async def test_every_table_that_is_kept_by_month_is_maintained(services: Services) -> None:
    rows = await services.db.fetch("SELECT relname FROM pg_class WHERE relkind = 'p'")
    assert {row["relname"] for row in rows} == retention.MONTHLY.keys()
    await retention.maintain_partitions(services)
    made = await services.db.fetch(retention.PARTITIONS, "feature_flag_evaluations")
    assert len(made) == 3
