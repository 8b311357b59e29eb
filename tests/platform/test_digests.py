"""The daily digest: at 07:00 of one's own clock, once a day, never empty, wherever the worker was."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.platform import digests, notification_choices, notifications
from app.domain.platform.readers import Reader
from app.services import Services
from tests.people import member

# A Monday, 11:00 in UTC: 07:00 in New York, 12:00 in Berlin.
NOON = datetime(2027, 6, 7, 11, 0, tzinfo=UTC)


async def person(services: Services, zone: str, told_at: datetime | None) -> Reader:
    who = await member(services)
    await services.db.execute("UPDATE users SET time_zone = $2 WHERE id = $1", who.id, zone)
    if told_at:
        await told(services, who, told_at)
    return who


async def told(services: Services, who: Reader, at: datetime) -> None:
    async with services.tx() as tx:
        notice = await notifications.add(tx, who.id, "account", "A thing", "happened", "/feeds")
    await services.db.execute("UPDATE notifications SET created_at = $2 WHERE id = $1", notice, at)


async def letters(services: Services) -> list[Any]:
    return await services.db.fetch("SELECT subject, text_body FROM emails")


@pytest.mark.parametrize(
    ("zone", "now", "sent"),
    [
        ("America/New_York", NOON, 1),
        ("America/New_York", NOON - timedelta(hours=1), 0),
        ("America/New_York", NOON + timedelta(hours=3), 1),
        ("Asia/Kolkata", datetime(2027, 6, 7, 2, 0, tzinfo=UTC), 1),
        ("Nowhere/Land", datetime(2027, 6, 7, 7, 0, tzinfo=UTC), 1),
    ],
)
async def test_it_comes_at_seven_of_ones_own_clock(
    services: Services, zone: str, now: datetime, sent: int
) -> None:
    await person(services, zone, datetime(2027, 6, 6, 20, 0, tzinfo=UTC))
    # What was told in the evening waits for the morning.
    await digests.send_due(services, datetime(2027, 6, 6, 21, 0, tzinfo=UTC))
    await digests.send_due(services, now)
    assert len(await letters(services)) == sent


async def test_one_a_day_however_often_the_job_runs(services: Services) -> None:
    who = await person(services, "UTC", NOON - timedelta(hours=12))
    assert await digests.send_due(services, NOON) == 1
    await told(services, who, NOON - timedelta(hours=11))
    assert await digests.send_due(services, NOON + timedelta(hours=1)) == 0
    assert await digests.send_due(services, NOON + timedelta(days=1)) == 1
    assert await digests.send_due(services, NOON + timedelta(days=2)) == 0


async def test_it_is_never_empty(services: Services) -> None:
    who = await person(services, "UTC", NOON - timedelta(hours=12))
    await notifications.read(services, who)
    await digests.send_due(services, NOON)
    assert await letters(services) == []


async def test_it_says_what_happened_and_where(services: Services) -> None:
    await person(services, "UTC", NOON - timedelta(hours=12))
    await digests.send_due(services, NOON)
    [letter] = await letters(services)
    assert letter["subject"].startswith("One thing you have not read")
    assert f"{services.settings.public_url}/feeds" in letter["text_body"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET email_disabled_at = now()",
        "UPDATE users SET closed_at = now()",
        "UPDATE users SET email_verified_at = NULL",
    ],
)
async def test_who_cannot_get_it_gets_none(services: Services, change: str) -> None:
    await person(services, "UTC", NOON - timedelta(hours=12))
    await services.db.execute(change)
    await digests.send_due(services, NOON)
    assert await letters(services) == []


async def test_who_does_not_want_it_gets_none(services: Services) -> None:
    who = await person(services, "UTC", NOON - timedelta(hours=12))
    await notification_choices.switch_off_mail(services, who.id, "digest")
    await digests.send_due(services, NOON)
    assert await letters(services) == []
