"""Rate limits: the one door that every limited act passes, and what admins see and change of them."""

import hashlib
from datetime import datetime
from typing import NamedTuple

import msgspec

from app.domain.platform import audit, bans, limiters
from app.domain.platform.limiters import TIERS, Limit, Limiter, Subject
from app.domain.platform.rate_windows import Window
from app.domain.platform.readers import Reader
from app.errors import Forbidden, Invalid, NotFound, SignInNeeded, TooMany
from app.services import Services

# Counted for the member and for the address (the stars of chapter 10 rule 26).
STARRED = frozenset(("login", "vote", "submission", "contact", "listing_create"))
# Counted in PostgreSQL too, so that neither a Redis that falls nor one that is emptied forgives a guess.
LASTING = frozenset(("bootstrap", "login", "login_address", "redemption"))
# Counted in memory and told to the others each second: docs/decisions/0003-limits-on-hot-pages.md.
TOLD_LATER = frozenset(("page",))

# 0 means "not for this tier": of these it would lock everybody out.
NEEDED = frozenset(("login", "login_address", "page"))

# Never refused: what is over the limit is served and not counted as a click (chapter 50 rule 32).
SERVED = frozenset(("click",))


class Verdict(NamedTuple):
    """How much of a limit is left: `reset` are the seconds until its window ends."""

    limit: int
    remaining: int
    reset: float
    window: int
    is_over: bool = False


class OverLimit(TooMany):
    """One limit is used up; `verdict` says which."""

    def __init__(self, verdict: Verdict, wait: float) -> None:
        seconds = int(wait) + 1
        super().__init__(
            f"That was a lot in a short time. Please try again in {said(seconds)}.",
            retry_after=seconds,
        )
        self.verdict = verdict


def said(seconds: int) -> str:
    """A length of time as people say it."""
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (size == 60 and seconds > 60):
            return f"{-(-seconds // size)} {name}s"
    return f"{seconds} second{'s' * (seconds != 1)}"


def is_trusted(who: Reader) -> bool:
    """Whether a member has level `trusted` (chapter 40) or is a verified seller (chapter 30): nobody yet."""
    return False


def tier_of(who: Reader | None) -> str:
    """The tier that limits are looked up by."""
    if who is None or who.kind == "visitor":
        return "anonymous"
    return "trusted" if is_trusted(who) else "logged_in"


async def spend(
    services: Services, who: Reader | None, action: str, *, caller: str = "", subject: str = ""
) -> Verdict | None:
    """Count one `action` of a reader who calls from an address, or of another subject (a mail address).

    Answers what is left, or None where nothing is limited. Raises TooMany; where an action is not for the reader's
    tier SignInNeeded or Forbidden. Admins are counted, not stopped.
    """
    limiter = limiters.of(services)
    if limiter is None:
        return None
    if action in TOLD_LATER:
        return spend_here(limiter, who, action, caller)
    tier = tier_of(who)
    limit = checked(limiter, who, action, tier)
    people = [] if subject else subjects(who, action, caller)
    words = [hashed(subject)] if subject else [name_of(person) for person in people]
    if words == ["unknown"] and not caller:
        return None
    names = [f"{action}:{tier}:{word}" for word in words]
    windows = await limiter.hit(names, limit)
    if windows is None and action not in LASTING:
        windows = [limiter.local.hit(name, *limit) for name in names]
    elif action in LASTING and (windows is None or all(window.allowed for window in windows)):
        windows = [await limiters.hit_for_good(services, name, limit) for name in names]
    assert windows is not None
    return judged(limiter, who, action, windows, people, limit)


def spend_here(limiter: Limiter, who: Reader | None, action: str, caller: str) -> Verdict:
    """Count in memory, without a wait. Raises TooMany, SignInNeeded, Forbidden."""
    tier = tier_of(who)
    limit = checked(limiter, who, action, tier)
    people = subjects(who, action, caller)
    windows = [limiter.local.hit(f"{action}:{tier}:{name_of(person)}", *limit) for person in people]
    return judged(limiter, who, action, windows, people, limit)


def checked(limiter: Limiter, who: Reader | None, action: str, tier: str) -> Limit:
    """The limit of an action for a reader. Raises SignInNeeded, Forbidden where it is 0."""
    limit = limiter.limit(action, tier)
    if limit.most == 0 and not (who and who.is_admin):
        if tier == "anonymous":
            raise SignInNeeded("This is for members. Please sign in; we will bring you back here.")
        raise Forbidden("This is not open to you yet.", code="not_for_tier")
    return limit


def subjects(who: Reader | None, action: str, caller: str) -> list[Subject]:
    """Whom an act is counted for: the member, a visitor's address, or for starred actions both."""
    address = Subject(None, bans.subject_of(caller) or None)
    if who is None or who.kind == "visitor":
        return [address]
    # An admin who sees the site as a member spends their own, and breaks no rule in the member's name.
    person = Subject(who.impersonator_id or who.id, None)
    return [person, address] if action in STARRED and caller else [person]


def name_of(person: Subject) -> str:
    """How a subject is called in the windows."""
    return f"u{person.user_id}" if person.user_id is not None else person.address or "unknown"


def hashed(subject: str) -> str:
    """A subject that is nobody's business in the names of windows."""
    return hashlib.blake2b(subject.lower().encode(), digest_size=16).hexdigest()


def judged(
    limiter: Limiter,
    who: Reader | None,
    action: str,
    windows: list[Window],
    people: list[Subject],
    limit: Limit,
) -> Verdict:
    """What the tightest window leaves. Raises OverLimit, and notes a violation for each subject that is over."""
    tightest = min(windows, key=lambda window: (window.allowed, window.remaining, -window.wait))
    verdict = Verdict(
        limit.most, tightest.remaining, tightest.reset, limit.seconds, not tightest.allowed
    )
    if tightest.allowed or action in SERVED:
        return verdict
    is_admin = who is not None and who.is_admin
    for person, window in zip(people, windows, strict=False):
        # An admin's address is shared with others, who are not to pay for what is never stopped.
        if not window.allowed and any(person) and not (is_admin and person.address):
            limiter.violations[person, action, tier_of(who)] += 1
    if is_admin:
        return verdict
    raise OverLimit(verdict, tightest.wait)


class RateLimit(msgspec.Struct):
    """How often one tier may do one thing."""

    action: str
    tier: str
    limit_count: int
    window_seconds: int
    updated_by: int | None = None
    updated_at: datetime | None = None


class RateLimitList(msgspec.Struct):
    """Every limit."""

    items: list[RateLimit]
    total: int
    next: None = None


ALL = """
SELECT action, tier, limit_count, window_seconds, updated_by, CASE WHEN updated_by IS NOT NULL THEN updated_at END AS updated_at
FROM rate_limits
"""


async def every(services: Services) -> RateLimitList:
    """Every limit, those that nobody changed as they were shipped."""
    found = {
        (action, tier): RateLimit(action, tier, *limit)
        for (action, tier), limit in limiters.shipped().items()
    }
    for row in await services.db.fetch(ALL):
        found[row["action"], row["tier"]] = RateLimit(**row)
    items = sorted(found.values(), key=lambda one: (one.action, TIERS.index(one.tier)))
    return RateLimitList(items, len(items))


async def one(services: Services, action: str, tier: str) -> RateLimit:
    """One limit. Raises NotFound."""
    for limit in (await every(services)).items:
        if (limit.action, limit.tier) == (action, tier):
            return limit
    raise NotFound("There is no such limit.")


CHANGE = """
INSERT INTO rate_limits (action, tier, limit_count, window_seconds, updated_by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (action, tier) DO UPDATE
SET limit_count = EXCLUDED.limit_count, window_seconds = EXCLUDED.window_seconds, updated_by = EXCLUDED.updated_by,
    updated_at = now()
"""
HOLD = "SELECT 1 FROM rate_limits WHERE action = $1 AND tier = $2 FOR UPDATE"


async def change(
    services: Services,
    who: Reader,
    action: str,
    tier: str,
    *,
    limit_count: int | None,
    window_seconds: int | None,
    reason: str,
) -> RateLimit:
    """Change a limit; every process feels it within seconds. Raises NotFound, Invalid."""
    if limit_count == 0 and action in NEEDED:
        sentence = "At least 1: with none at all nobody could sign in or see a page."
        raise Invalid("Please check the limit.", errors={"limit_count": sentence})
    async with services.tx() as tx:
        await tx.db.execute(HOLD, action, tier)
        before = await one(tx, action, tier)
        count = before.limit_count if limit_count is None else limit_count
        seconds = before.window_seconds if window_seconds is None else window_seconds
        await tx.db.execute(CHANGE, action, tier, count, seconds, who.id)
        await audit.add(
            tx,
            who,
            "rate_limit.changed",
            ("rate_limit", f"{action}:{tier}"),
            reason,
            before={"limit_count": before.limit_count, "window_seconds": before.window_seconds},
            after={"limit_count": count, "window_seconds": seconds},
        )
        return await one(tx, action, tier)


# What an admin changed stays: only rows that are missing come.
SEED = """
INSERT INTO rate_limits (action, tier, limit_count, window_seconds)
SELECT action, tier, most, seconds
FROM unnest($1::text[], $2::text[], $3::int[], $4::int[]) AS shipped (action, tier, most, seconds)
ON CONFLICT (action, tier) DO NOTHING RETURNING action
"""


async def seed(services: Services) -> int:
    """Write the shipped limits where there are none; answers how many were written."""
    rows = [(*key, *limit) for key, limit in limiters.shipped().items()]
    return len(await services.db.fetch(SEED, *map(list, zip(*rows, strict=True))))
