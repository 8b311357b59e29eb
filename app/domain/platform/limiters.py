"""The limiter of a process: limits and bans in memory, windows, and the violations that wait to be written."""

import ipaddress
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from app.domain.platform import bans, rate_windows
from app.domain.platform.rate_windows import MemoryWindows, Window, window_of
from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("limits")

# After Redis did not answer it is left alone for so long; meanwhile each process counts by itself.
AWAY_SECONDS = 1.0
TIERS = ("anonymous", "logged_in", "trusted")
# action: limits of the three tiers, and the window in seconds (chapter 10 rule 26; the last rows are chapter 20's).
SHIPPED: dict[str, tuple[int, int, int, int]] = {
    "bootstrap": (5, 5, 5, 3600),
    "login": (10, 20, 20, 900),
    "login_address": (5, 5, 5, 900),
    "search": (20, 50, 100, 60),
    "vote": (0, 100, 200, 3600),
    "submission": (0, 10, 20, 3600),
    "contact": (0, 20, 50, 3600),
    "listing_create": (0, 10, 20, 3600),
    "report": (0, 20, 40, 86_400),
    "upload": (0, 60, 120, 3600),
    "privacy": (0, 5, 5, 86_400),
    "widget_read": (60, 600, 600, 60),
    "page_edit": (120, 600, 1200, 3600),
    "click": (60, 120, 240, 60),
    "api": (60, 300, 600, 60),
    "page": (300, 600, 1200, 60),
    "feed_add": (0, 20, 60, 3600),
    "opml_import": (0, 5, 10, 86_400),
    "news_mark": (60, 600, 600, 60),
    "suggest": (60, 120, 120, 60),
}


class Limit(NamedTuple):
    """So many in so many seconds."""

    most: int
    seconds: int


class Subject(NamedTuple):
    """Who went over a limit: a member's number or an address."""

    user_id: int | None
    address: str | None


def shipped() -> dict[tuple[str, str], Limit]:
    """The limits as they are before anybody changed one."""
    return {
        (action, tier): Limit(count, row[3])
        for action, row in SHIPPED.items()
        for tier, count in zip(TIERS, row[:3], strict=True)
    }


class Limiter:
    """What one process knows and counts. `shared` are the windows in Redis, or None."""

    def __init__(self, shared: Any = None) -> None:
        self.shared = shared
        self.local = MemoryWindows()
        self.limits = shipped()
        # By version and length of prefix, so that an address is looked up once a length.
        self.networks: dict[tuple[int, int], dict[int, datetime]] = {}
        self.violations: Counter[tuple[Subject, str, str]] = Counter()
        self.away_until = 0.0

    def limit(self, action: str, tier: str) -> Limit:
        """The limit of one action for one tier; what nobody listed is limited like any other twin."""
        return self.limits.get((action, tier)) or self.limits["api", tier]

    def banned_until(self, address: str) -> datetime | None:
        """The end of the ban of the network that this address lies in, or None."""
        if not self.networks:
            return None
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return None
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        for (version, bits), ends in self.networks.items():
            if version == found.version:
                end = ends.get(int(found) >> (found.max_prefixlen - bits))
                if end is not None and end > datetime.now(UTC):
                    return end
        return None

    def learn_bans(self, networks: dict[str, datetime]) -> None:
        """Know these bans and no others."""
        found: dict[tuple[int, int], dict[int, datetime]] = {}
        for text, end in networks.items():
            network = ipaddress.ip_network(text)
            number = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
            found.setdefault((network.version, network.prefixlen), {})[number] = end
        self.networks = found

    async def hit(self, names: list[str], limit: Limit) -> list[Window] | None:
        """Count under each name in Redis; None when it is away."""
        if self.shared is None or time.monotonic() < self.away_until:
            return None
        try:
            states = await self.shared.hit(names, *limit)
        except ServiceDown:
            self.leave_alone()
            return None
        return [window_of_state(state, limit) for state in states]

    def leave_alone(self) -> None:
        """Do without Redis for a moment."""
        if self.away_until < time.monotonic() - 10 * AWAY_SECONDS:
            log.warning("limits are counted without Redis")
        self.away_until = time.monotonic() + AWAY_SECONDS

    async def tell_pages(self) -> None:
        """Bring what this process counted in memory to Redis, and learn what the others counted."""
        if self.shared is None or time.monotonic() < self.away_until:
            return
        for limit, names in self.untold().items():
            try:
                await self.tell(names, limit)
            except ServiceDown:
                self.leave_alone()
                return

    def untold(self) -> dict[Limit, list[str]]:
        """The names whose counts the other processes do not know yet, by limit."""
        found: dict[Limit, list[str]] = {}
        for name, half in self.local.halves.items():
            action, tier, _ = name.split(":", 2)
            if half.untold and action == "page":
                found.setdefault(self.limit(action, tier), []).append(name)
        return found

    async def tell(self, names: list[str], limit: Limit) -> None:
        """Add the untold counts in Redis, and take over its windows. Raises ServiceDown."""
        halves = [self.local.halves[name] for name in names]
        amounts = {name: half.untold for name, half in zip(names, halves, strict=True)}
        # What happened has happened: the sum may go over the limit, which is for the next hit to feel.
        states = await self.shared.add(amounts, 2**31, limit.seconds)
        for half, amount, state in zip(halves, amounts.values(), states, strict=True):
            half.untold -= amount
            half.previous, half.current = state.previous, state.current + half.untold
            half.began = time.monotonic() + state.current_left - 2 * limit.seconds


def window_of_state(state: Any, limit: Limit) -> Window:
    """A window as Redis tells it: the present half lives for two windows."""
    return window_of(
        state.allowed,
        limit.most,
        limit.seconds,
        previous=state.previous,
        current=state.current,
        left=state.current_left - limit.seconds,
    )


def of(services: Services) -> Limiter | None:
    """The limiter of this process; None where nothing is limited."""
    return services.memory.get("limits")


LIMITS = "SELECT action, tier, limit_count, window_seconds FROM rate_limits"


async def refresh(services: Services) -> bool:
    """Read limits and bans again; False, since no page shows them. Raises ServiceDown."""
    limiter = of(services)
    if limiter is None:
        return False
    rows = await services.db.fetch(LIMITS)
    changed = {
        (row["action"], row["tier"]): Limit(row["limit_count"], row["window_seconds"])
        for row in rows
    }
    limiter.limits = shipped() | changed
    limiter.learn_bans(await bans.live_networks(services))
    return False


async def hit_for_good(services: Services, name: str, limit: Limit) -> Window:
    """Count in PostgreSQL, and in memory where that is away too: no request fails because the limiter did."""
    try:
        return await rate_windows.hit(services, name, *limit)
    except ServiceDown:
        limiter = of(services)
        assert limiter is not None
        return limiter.local.hit(name, *limit)
