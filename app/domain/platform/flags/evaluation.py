"""Whether a flag is on for a subject: the order of chapter 10 rule 20 and the buckets of rule 21."""

import hashlib
from typing import Any

import msgspec

from app.domain.platform.readers import Reader

# Who is asked about: a reader, a user id, a subject as stored, or nobody known.
Subject = Reader | str | int | None

SENTENCES = {
    "flag_not_found": "There is no flag of that name.",
    "master_disabled": "The flag is switched off for everybody.",
    "whitelisted": "The subject is on the flag's list.",
    "full_rollout": "The flag is on for everybody.",
    "zero_rollout": "The flag is on for nobody but its list.",
    "missing_subject": "Nobody is known here, so no bucket can be told.",
    "cohort_enabled": "The subject's bucket lies below the percentage.",
    "cohort_disabled": "The subject's bucket does not lie below the percentage.",
}


class Rule(msgspec.Struct, frozen=True):
    """What an evaluation needs to know of one flag."""

    key: str
    enabled: bool
    rollout_percentage: int
    whitelist: frozenset[str] = frozenset()
    analytics_enabled: bool = True


def bucket(key: str, subject: str) -> int:
    """Return 0 to 99: the first four bytes of MD5("key:subject"), big-endian, modulo 100."""
    digest = hashlib.md5(f"{key}:{subject}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") % 100


def verdict(rule: Rule | None, subject: str | None) -> tuple[bool, str]:
    """Return whether the flag is on, and the reason by its name in rule 20."""
    if rule is None:
        return False, "flag_not_found"
    if not rule.enabled:
        return False, "master_disabled"
    if subject is not None and subject in rule.whitelist:
        return True, "whitelisted"
    if rule.rollout_percentage >= 100:
        return True, "full_rollout"
    if rule.rollout_percentage <= 0:
        return False, "zero_rollout"
    if subject is None:
        return False, "missing_subject"
    if bucket(rule.key, subject) < rule.rollout_percentage:
        return True, "cohort_enabled"
    return False, "cohort_disabled"


def subject_of(who: Subject) -> str | None:
    """Return the subject: a member's id, 16 hex digits of a visitor's hash, None for nobody known."""
    if isinstance(who, Reader):
        return str(who.id) if who.kind != "visitor" else who.anon or None
    return None if who is None else str(who)


def rule_of(state: Any) -> Rule:
    """Return what evaluation needs of a row, or of the state that a version keeps."""
    return Rule(
        key=state["key"],
        enabled=state["enabled"],
        rollout_percentage=state["rollout_percentage"],
        whitelist=frozenset(state["whitelist"]),
        analytics_enabled=state["analytics_enabled"],
    )
