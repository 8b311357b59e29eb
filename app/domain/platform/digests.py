"""The daily digest: at 07:00 of a person's own clock, what they have not read yet; one a day, never empty."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain.platform import mail
from app.services import Services

HOUR = time(7)
LINES = 30
BATCH = 500

# Only people about whom something waits are looked at.
PEOPLE = """
SELECT u.id, u.email::text AS email, coalesce(p.doc ->> 'time_zone', u.time_zone) AS time_zone
FROM users u
LEFT JOIN preferences p ON p.user_id = u.id
WHERE u.id > $1 AND u.email IS NOT NULL AND u.email_verified_at IS NOT NULL AND u.email_disabled_at IS NULL
  AND u.closed_at IS NULL
  AND EXISTS (SELECT FROM notifications n
              WHERE n.user_id = u.id AND n.by_mail AND n.mailed_at IS NULL AND n.read_at IS NULL)
  AND NOT EXISTS (SELECT FROM notification_choices c
                  WHERE c.user_id = u.id AND c.type = 'digest' AND c.channel = 'mail' AND NOT c.wanted)
ORDER BY u.id LIMIT $2
"""


async def send_due(services: Services, now: datetime | None = None) -> int:
    """Send a digest to everybody whose 07:00 has passed since something was told; answer how many were sent.

    A run that comes late sends what was due at 07:00, so that a worker's night off costs nobody a digest.
    """
    now = now or datetime.now(UTC)
    sent, last = 0, 0
    while people := await services.db.fetch(PEOPLE, last, BATCH):
        for person in people:
            sent += await send_one(services, person, seven(now, person["time_zone"]))
        last = people[-1]["id"]
    return sent


def seven(now: datetime, zone: str | None) -> datetime:
    """The last 07:00 of a time zone; of UTC when the zone is unknown."""
    try:
        here = now.astimezone(ZoneInfo(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        here = now.astimezone(UTC)
    today = datetime.combine(here.date(), HOUR, here.tzinfo)
    if here >= today:
        return today
    return datetime.combine(here.date() - timedelta(days=1), HOUR, here.tzinfo)


# The rows are locked, so that two runs at once send them in one letter.
WAITING = """
SELECT id, title, body, url, count(*) OVER () AS total FROM (
    SELECT id, title, body, url FROM notifications
    WHERE user_id = $1 AND by_mail AND mailed_at IS NULL AND read_at IS NULL AND created_at < $2
    ORDER BY id DESC FOR UPDATE
) AS waiting ORDER BY id DESC LIMIT $3
"""
MAILED = """
UPDATE notifications SET mailed_at = now()
WHERE user_id = $1 AND by_mail AND mailed_at IS NULL AND created_at < $2
"""


async def send_one(services: Services, person: Any, due: datetime) -> bool:
    """Send one person what was told before `due`, once a day; False when there was nothing or it was sent."""
    async with services.tx() as tx:
        rows = await tx.db.fetch(WAITING, person["id"], due, LINES)
        if not rows:
            return False
        site = services.settings.public_url
        lines = [
            {"title": row["title"], "body": row["body"], "url": f"{site}{row['url'] or '/notifications'}"}
            for row in rows
        ]  # fmt: skip
        email_id = await mail.send(
            tx,
            "digest",
            person["email"],
            kind="digest",
            user_id=person["id"],
            dedupe_key=f"digest:{person['id']}:{due.date().isoformat()}",
            lines=lines,
            total=rows[0]["total"],
            link=f"{site}/notifications",
            choices=f"{site}/settings/notifications",
        )
        if email_id is not None:
            await tx.db.execute(MAILED, person["id"], due)
        return email_id is not None
