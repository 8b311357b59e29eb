"""How times and numbers are said in templates."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

STEPS = ((60, "min"), (3600, "h"), (86_400, "d"))


def zone(name: str) -> ZoneInfo:
    """A time zone by name; UTC when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def iso(at: datetime) -> str:
    """2026-11-24T09:42:00Z, for <time datetime> and JSON."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(at: datetime, zone_name: str = "UTC", hours: str = "24") -> str:
    """09:42 or 9:42 am in that zone."""
    local = at.astimezone(zone(zone_name))
    return local.strftime("%H:%M") if hours == "24" else local.strftime("%-I:%M %p").lower()


def exact(at: datetime, zone_name: str = "UTC", hours: str = "24") -> str:
    """24 Nov 2026, 09:42 CET: the whole time, for titles."""
    local = at.astimezone(zone(zone_name))
    return f"{local:%-d %b %Y}, {clock(at, zone_name, hours)} {local:%Z}"


def as_of(at: datetime, zone_name: str = "UTC", hours: str = "24") -> str:
    """As of 09:42 — with the day where it is not today's."""
    local = at.astimezone(zone(zone_name))
    day = "" if local.date() == datetime.now(local.tzinfo).date() else f"{local:%-d %b} "
    return f"as of {day}{clock(at, zone_name, hours)}"


def until(at: datetime, zone_name: str = "UTC", hours: str = "24") -> str:
    """16:00 — with the day of the week where it is not today's."""
    local = at.astimezone(zone(zone_name))
    day = "" if local.date() == datetime.now(local.tzinfo).date() else f"{local:%a} "
    return f"{day}{clock(at, zone_name, hours)}"


def age(at: datetime, now: datetime | None = None) -> str:
    """How long ago, in one unit: now, 3 min ago, 5 h ago, 2 d ago, then the date."""
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    if seconds < 60:
        return "just now"
    for (size, unit), limit in zip(STEPS, (3600, 86_400, 7 * 86_400), strict=True):
        if seconds < limit:
            return f"{int(seconds // size)} {unit} ago"
    return f"{at:%-d %b}" if at.year == datetime.now(UTC).year else f"{at:%-d %b %Y}"


def grouped(number: int | float) -> str:
    """1,204 — digits in groups of three."""
    return f"{number:,}"


def decimal(text: str) -> str:
    """1,204.50 — a decimal text with its digits in groups of three and a true minus."""
    return f"{Decimal(text):,f}".replace("-", "−")


def signed(text: str) -> str:
    """+1.24 or −0.61: a decimal text with its sign; nothing before zero."""
    number = Decimal(text)
    return f"+{decimal(text)}" if number > 0 else decimal(text) if number else f"{abs(number):f}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """1 story, 5 stories."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def sized(size: int) -> str:
    """640 bytes, 12.3 kB, 1.2 MB: in powers of 1,000."""
    if size < 1000:
        return counted(size, "byte")
    one, unit = next(pair for pair in SIZES if size >= pair[0])
    return f"{size / one:,.1f} {unit}"


FILTERS: dict[str, Callable[..., Any]] = {
    "iso": iso,
    "clock": clock,
    "exact": exact,
    "as_of": as_of,
    "until": until,
    "age": age,
    "grouped": grouped,
    "decimal": decimal,
    "signed": signed,
    "counted": counted,
    "sized": sized,
}
