"""Stale flags: whoever answers for one is told once a week (chapter 10 rule 23)."""

from collections import defaultdict
from typing import Any

from app.domain.platform import mail
from app.domain.platform.flags.listing import ALL, stale
from app.services import Services

STALE = f"""
SELECT flag.key, flag.stale, flag.review_on, owner.id AS owner_id, owner.email::text AS email,
    to_char(now(), 'IYYY-"W"IW') AS week
FROM ({ALL}) AS flag
LEFT JOIN users AS owner ON owner.id = flag.owner_id AND owner.closed_at IS NULL AND owner.email IS NOT NULL
WHERE flag.stale IS NOT NULL
ORDER BY flag.key
"""  # noqa: S608 - joined from our own constants


async def send(services: Services) -> int:
    """Write to each owner of stale flags, for those of nobody to the operator; return how many letters."""
    by_owner: dict[int | None, list[Any]] = defaultdict(list)
    for row in await services.db.fetch(STALE):
        by_owner[row["owner_id"]].append(row)
    sent = 0
    async with services.tx() as tx:
        for owner_id, rows in by_owner.items():
            sent += await write(tx, owner_id, rows)
    return sent


async def write(services: Services, owner_id: int | None, rows: list[Any]) -> bool:
    """Write one letter, once a week; return whether it was new."""
    email_id = await mail.send(
        services,
        "flag_review",
        rows[0]["email"] or services.settings.operator_address,
        kind="ops",
        user_id=owner_id,
        dedupe_key=f"flag_review:{owner_id or 'nobody'}:{rows[0]['week']}",
        flags=[{"key": row["key"], "why": stale(row["stale"], row["review_on"])} for row in rows],
        link=f"{services.settings.public_url}/admin/feature-flags",
    )
    return email_id is not None
