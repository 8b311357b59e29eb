"""Accounts: what a member says of themselves — name, time zone, language."""

from datetime import datetime
from typing import Annotated
from zoneinfo import available_timezones

import msgspec
from msgspec import Meta

from app.domain.platform.lines import Name
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services

# The languages that pages and letters are written in.
LOCALES = {"en": "English"}


class Account(msgspec.Struct):
    """One member's account, as they see it."""

    email: str
    name: str
    locale: str
    time_zone: str | None
    created_at: datetime


class AccountChange(msgspec.Struct):
    """What a member may change of it; what is left out stays."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    time_zone: Annotated[str, Meta(max_length=60)] | None | msgspec.UnsetType = msgspec.UNSET
    locale: Annotated[str, Meta(max_length=10)] | msgspec.UnsetType = msgspec.UNSET


BY_ID = """
SELECT email::text, display_name AS name, locale, time_zone, created_at FROM users WHERE id = $1
"""


async def mine(services: Services, who: Reader) -> Account:
    """The member's own account."""
    return Account(**dict(await services.db.fetchrow(BY_ID, who.id)))


CHANGE = """
UPDATE users SET display_name = coalesce($2, display_name), locale = coalesce($3, locale),
    time_zone = CASE WHEN $4 THEN $5 ELSE time_zone END
WHERE id = $1
RETURNING email::text, display_name AS name, locale, time_zone, created_at
"""


async def change(services: Services, who: Reader, new: AccountChange) -> Account:
    """Change the member's name, time zone or language; answer the account as it now stands. Raises Invalid."""
    changes_zone = new.time_zone is not msgspec.UNSET
    zone = new.time_zone if isinstance(new.time_zone, str) else None
    if zone is not None and zone not in available_timezones():
        refuse("time_zone", "There is no such time zone.")
    if isinstance(new.locale, str) and new.locale not in LOCALES:
        refuse("locale", "This site does not speak that language yet.")
    row = await services.db.fetchrow(
        CHANGE,
        who.id,
        new.name if isinstance(new.name, str) else None,
        new.locale if isinstance(new.locale, str) else None,
        changes_zone,
        zone,
    )
    return Account(**dict(row))


def refuse(field: str, sentence: str) -> None:
    """Say what is wrong with one field. Raises Invalid."""
    raise Invalid(sentence, errors={field: sentence})
