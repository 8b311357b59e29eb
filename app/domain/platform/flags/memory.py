"""The flags in this process's memory: asked without a statement or a wait, read again when they change."""

import asyncio
from datetime import date
from typing import Any

from prometheus_client import Counter

from app.domain.platform.flags import shipped
from app.domain.platform.flags.evaluation import Rule, Subject, rule_of, subject_of, verdict
from app.domain.platform.readers import Reader
from app.services import Services

EVALUATIONS = Counter(
    "feature_flag_evaluations_total", "Flags asked for, by result.", ("flag", "result")
)
DROPPED = Counter("feature_flag_exposures_dropped_total", "Exposures for which there was no room.")

BATCH = 500
# What waits while the database is away, and what one day's repeats are told by.
WAITING_CEILING = 10_000
SEEN_CEILING = 200_000

# Flag, subject, on, by consent as a person (with the id of the row), reason, percentage.
Exposure = tuple[str, str, bool, int | None, str, int]


class Flags:
    """The rules by key as last read, and what was asked since it was last written down."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = shipped.rules()
        self.asked: set[str] = set()
        self.told: set[str] = set()
        self.day: date | None = None
        self.seen: set[tuple[str, str, bool, int | None]] = set()
        self.waiting: list[Exposure] = []
        self.full = asyncio.Event()
        self.meters: dict[tuple[str, bool], Any] = {}

    def count(self, key: str, on: bool) -> None:
        """Count one evaluation of a flag that exists; others would make a label out of any word."""
        meter = self.meters.get((key, on))
        if meter is None:
            meter = EVALUATIONS.labels(key, "on" if on else "off")
            self.meters[key, on] = meter
        meter.inc()

    def expose(self, rule: Rule, subject: str, on: bool, person: int | None, reason: str) -> None:
        """Note an exposure, once a flag, subject, result and day in this process."""
        mark = (rule.key, subject, on, person)
        if mark in self.seen:
            return
        if len(self.waiting) >= WAITING_CEILING:
            DROPPED.inc()
            return
        if len(self.seen) >= SEEN_CEILING:
            self.seen.clear()
        self.seen.add(mark)
        self.waiting.append((rule.key, subject, on, person, reason, rule.rollout_percentage))
        if len(self.waiting) >= BATCH:
            self.full.set()


def of(services: Services) -> Flags:
    """Return the flags of this process."""
    found: Flags | None = services.memory.get("flags")
    if found is None:
        found = services.memory["flags"] = Flags()
    return found


def is_on(services: Services, who: Subject, key: str) -> bool:
    """Return whether a flag is on for a reader, a user id, a stored subject, or (None) nobody known.

    Asks no statement and waits for nothing: what it notes of exposures is written later.
    """
    flags = of(services)
    rule = flags.rules.get(key)
    subject = subject_of(who)
    on, reason = verdict(rule, subject)
    flags.asked.add(key)
    if rule is not None:
        flags.count(key, on)
        if subject is not None and rule.analytics_enabled:
            flags.expose(rule, subject, on, consenting(who), reason)
    return on


def consenting(who: Subject) -> int | None:
    """Return the id under which this reader agreed to be counted, None without such consent.

    A visitor has no number that a withdrawal could be found by: they stay a hash of the day.
    """
    if isinstance(who, Reader) and who.kind != "visitor" and "analytics" in who.consents:
        return who.id
    return None


RULES = "SELECT key, enabled, rollout_percentage, whitelist, analytics_enabled FROM feature_flags"


async def refresh(services: Services) -> bool:
    """Read all flags again; return whether they changed. Raises ServiceDown, and then the last known ones stay."""
    rows = await services.db.fetch(RULES)
    # A table without any flag was never seeded.
    flags, rules = of(services), {row["key"]: rule_of(row) for row in rows} or shipped.rules()
    changed = rules != flags.rules
    flags.rules = rules
    return changed
