"""Settings that are changed while the site runs: kept in memory, and felt in every process within two seconds."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from app.config import Settings
from app.domain.platform import audit
from app.domain.platform.lines import PLAIN
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=PLAIN)]
Address = Annotated[
    str, msgspec.Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$(?!\s)")
]
Version = Annotated[str, msgspec.Meta(max_length=20, pattern=r"^[0-9A-Za-z._-]+$(?!\s)")]
SignUp = Literal["open", "closed"]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class SiteSettings(msgspec.Struct, frozen=True):
    """What the site goes by now."""

    site_name: Name
    sign_up: SignUp
    contact_address: Address
    policy_version: Version
    # As AI_PRICES writes them, which holds while this is empty; changed at /admin/ai-usage/prices alone.
    ai_prices: str = ""


class SettingsChange(msgspec.Struct):
    """What is to be changed, and why. What is left out stays."""

    reason: Reason
    site_name: Name | None = None
    sign_up: SignUp | None = None
    contact_address: Address | None = None
    policy_version: Version | None = None


class Setting(msgspec.Struct):
    """One setting as it stands: its value, the one it has when nobody changed it, and who changed it last and why."""

    key: str
    value: str
    default: str
    updated_at: datetime | None = None
    updated_by: int | None = None
    reason: str | None = None


class SettingList(msgspec.Struct):
    """All settings that can be changed while the site runs."""

    items: list[Setting]
    total: int
    next: str | None = None


def defaults(settings: Settings) -> SiteSettings:
    """What holds where nobody changed anything."""
    return SiteSettings(settings.site_name, "open", settings.operator_address, "1")


def of(services: Services) -> SiteSettings:
    """The settings of this process as last read."""
    found: SiteSettings | None = services.memory.get("settings")
    return found or defaults(services.settings)


ROWS = "SELECT key, value, updated_at, updated_by, reason FROM site_settings"


async def refresh(services: Services) -> bool:
    """Read all settings again; return whether they changed. Raises ServiceDown, and then the last known ones stay."""
    changed = {row["key"]: row["value"] for row in await services.db.fetch(ROWS)}
    known = {key: changed[key] for key in changed if key in SiteSettings.__struct_fields__}
    found = msgspec.structs.replace(defaults(services.settings), **known)
    before = of(services)
    services.memory["settings"] = found
    return found != before


async def listed(services: Services) -> SettingList:
    """Every setting with its value, its default and its last change."""
    rows = {row["key"]: row for row in await services.db.fetch(ROWS)}
    items = []
    for key, default in msgspec.structs.asdict(defaults(services.settings)).items():
        row = dict(rows[key]) if key in rows else {"key": key, "value": default}
        items.append(Setting(default=default, **row))
    return SettingList(items, len(items))


PUT = """
INSERT INTO site_settings (key, value, updated_by, reason) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE
SET value = EXCLUDED.value, updated_by = EXCLUDED.updated_by, reason = EXCLUDED.reason, updated_at = now()
"""


async def put(tx: Services, who: Reader, key: str, value: object, reason: str) -> None:
    """Write one setting in the caller's transaction, which audits it."""
    await tx.db.execute(PUT, key, value, who.id, reason)


HELD = "SELECT key, value FROM site_settings FOR UPDATE"


async def change(services: Services, who: Reader, wish: SettingsChange) -> SettingList:
    """Change settings, each written down with its reason; return all as they then stand. Raises Invalid."""
    fields = msgspec.structs.asdict(wish)
    reason = fields.pop("reason").strip()
    if not reason:
        raise Invalid("Say why.", errors={"reason": "Say why: others will wonder."})
    async with services.tx() as tx:
        now = msgspec.structs.asdict(defaults(tx.settings))
        now |= {row["key"]: row["value"] for row in await tx.db.fetch(HELD)}
        for key, value in fields.items():
            if value is not None and value != now[key]:
                await put(tx, who, key, value, reason)
                target = ("setting", key)
                await audit.add(
                    tx, who, "setting.changed", target, reason, before=now[key], after=value
                )
    await refresh(services)
    return await listed(services)
