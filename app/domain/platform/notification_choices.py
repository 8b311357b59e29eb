"""What a person wants to hear of and how: a row a choice, the default without one."""

from datetime import datetime

import msgspec

from app.domain.platform.notification_types import CHANNELS, offered
from app.domain.platform.readers import Reader
from app.services import Services


class Choice(msgspec.Struct):
    """One type of notice; null where a way does not exist for it."""

    type: str
    label: str
    hint: str
    bell: bool | None
    mail: bool | None


class Choices(msgspec.Struct):
    """All choices of one person, and whether letters reach them at all."""

    items: list[Choice]
    address: str | None = None
    address_disabled_at: datetime | None = None
    address_disabled_why: str | None = None


MINE = "SELECT type, channel, wanted FROM notification_choices WHERE user_id = $1"
ADDRESS = """
SELECT email::text AS address, email_disabled_at AS address_disabled_at,
    CASE WHEN email_disabled_at IS NOT NULL THEN email_disabled_why END AS address_disabled_why
FROM users WHERE id = $1
"""


async def mine(services: Services, who: Reader) -> Choices:
    """The choices of one person."""
    rows = await services.db.fetch(MINE, who.id)
    said = {(row["type"], row["channel"]): row["wanted"] for row in rows}
    items = []
    for kind in offered(who):
        ways = {
            way: said.get((kind.name, way), True) if way in kind.channels else None
            for way in CHANNELS
        }
        items.append(Choice(kind.name, kind.label, kind.hint, **ways))
    address = await services.db.fetchrow(ADDRESS, who.id)
    return Choices(items, **dict(address or {}))


PUT = """
INSERT INTO notification_choices (user_id, type, channel, wanted)
SELECT users.id, given.type, given.channel, given.wanted
FROM unnest($2::text[], $3::text[], $4::boolean[]) AS given (type, channel, wanted)
JOIN users ON users.id = $1
ON CONFLICT (user_id, type, channel) DO UPDATE SET wanted = EXCLUDED.wanted, changed_at = now()
WHERE notification_choices.wanted <> EXCLUDED.wanted
"""


async def put(services: Services, who: Reader, bell: list[str], mail: list[str]) -> Choices:
    """Want exactly these types in the bell and by mail, of all that are offered to this person."""
    wanted = {"bell": bell, "mail": mail}
    rows = [
        (kind.name, way, kind.name in wanted[way]) for kind in offered(who) for way in kind.channels
    ]
    async with services.tx() as tx:
        types, ways, answers = zip(*rows, strict=True)
        await tx.db.execute(PUT, who.id, types, ways, answers)
        return await mine(tx, who)


async def switch_off_mail(services: Services, user_id: int, type: str) -> None:
    """Send this person no more letters of one type; twice is no error."""
    await services.db.execute(PUT, user_id, [type], ["mail"], [False])
