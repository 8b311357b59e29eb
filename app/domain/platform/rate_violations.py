"""Violations: who went over which limit on which day, and the bans that follow by rule (chapter 10 rule 29)."""

import asyncio
import ipaddress
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec
import structlog

from app.domain.platform import bans, limiters, rate_windows
from app.domain.platform.limiters import Subject
from app.domain.platform.readers import Reader
from app.errors import Forbidden, Invalid, ServiceDown
from app.services import Services

log = structlog.get_logger("limits")

TURN_SECONDS = 1.0


class Rule(NamedTuple):
    """So many violations in so many seconds are a ban of so many seconds."""

    violations: int
    seconds: int
    ban_seconds: int
    reason: str


RULES = {
    "bootstrap": Rule(5, 3600, 86_400, "Too many tries to become the first admin."),
    "login": Rule(10, 900, 900, "Too many tries to sign in."),
    "listing_create": Rule(3, 3600, 3600, "Too many listings at once."),
}
MANY_ACTIONS = Rule(5, 3600, 3600, "Too much of too many kinds at once.")


async def tend_forever(services: Services) -> None:
    """Each second: tell Redis what was counted in memory, and write the violations down; ends when cancelled."""
    while True:
        await asyncio.sleep(TURN_SECONDS)
        try:
            await tend(services)
        # A fault in one turn must not end the limits of this process.
        except Exception:
            log.exception("limits not tended")


async def tend(services: Services) -> None:
    """One turn of the loop. What cannot be written while the database is away is counted again later."""
    limiter = limiters.of(services)
    if limiter is None:
        return
    await limiter.tell_pages()
    taken = limiter.violations.copy()
    limiter.violations.clear()
    for (subject, action, tier), count in taken.items():
        try:
            await write(services, subject, action, tier, count)
        except ServiceDown:
            limiter.violations[subject, action, tier] += count


WRITE = """
INSERT INTO rate_limit_violations (user_id, ip_address, action, tier, violation_count)
SELECT $1::bigint, $2::text::inet, $3, $4, $5 WHERE $1 IS NULL OR EXISTS (SELECT FROM users WHERE id = $1)
ON CONFLICT (user_id, ip_address, action, tier, day) DO UPDATE
SET violation_count = rate_limit_violations.violation_count + EXCLUDED.violation_count, last_at = now()
"""


async def write(services: Services, subject: Subject, action: str, tier: str, count: int) -> None:
    """Write one subject's violations down, and ban it where a rule says so. Raises ServiceDown."""
    async with services.tx() as tx:
        await tx.db.execute(WRITE, *subject, action, tier, count)
        if await may_be_banned(tx, subject):
            rule = await broken_rule(tx, subject, action, count)
            if rule is not None:
                await ban(tx, subject, rule)


async def may_be_banned(services: Services, subject: Subject) -> bool:
    """Whether rules may ban this subject: never loopback, our proxies, admins, or who is banned already."""
    if subject.address is not None and bans.never(services, ipaddress.ip_network(subject.address)):
        return False
    return bool(await services.db.fetchval(MAY_BE_BANNED, *subject))


MAY_BE_BANNED = """
SELECT ($1::bigint IS NULL OR EXISTS (SELECT FROM users WHERE id = $1 AND role IS NULL)) AND NOT EXISTS (
    SELECT FROM bans WHERE (user_id = $1 OR network >>= $2::text::inet) AND lifted_at IS NULL AND ends_at > now()
)
"""
ACTIONS = """
SELECT count(DISTINCT action) FROM rate_limit_violations
WHERE (user_id = $1 OR ip_address = $2::text::inet) AND last_at > now() - $3::int * interval '1 second'
"""


async def broken_rule(services: Services, subject: Subject, action: str, count: int) -> Rule | None:
    """The rule of the longest ban that these violations have broken, or None."""
    found = []
    rule = RULES.get(action)
    if rule is not None:
        name = window_name(subject, action)
        for _ in range(min(count, rule.violations)):
            window = await rate_windows.hit(services, name, rule.violations - 1, rule.seconds)
            if not window.allowed:
                found.append(rule)
                break
    actions = await services.db.fetchval(ACTIONS, *subject, MANY_ACTIONS.seconds)
    if actions >= MANY_ACTIONS.violations:
        found.append(MANY_ACTIONS)
    return max(found, key=lambda one: one.ban_seconds, default=None)


def window_name(subject: Subject, action: str) -> str:
    """The window in which a subject's violations of one action are counted."""
    return f"violations:{action}:{subject.user_id or subject.address}"


LENGTH = """
SELECT least(greatest(make_interval(secs => $3::int), 2 * max(ends_at - created_at)), interval '7 days')
FROM bans WHERE source = 'rule' AND (user_id = $1 OR network = $2::text::inet::cidr) AND ends_at > now() - interval '7 days'
"""
FORGET = "DELETE FROM rate_limit_windows WHERE name = ANY($1::text[])"


async def ban(services: Services, subject: Subject, rule: Rule) -> None:
    """Ban a subject; a repeat within 7 days is twice as long, up to 7 days.

    It then begins with a clean sheet.
    """
    length: timedelta = await services.db.fetchval(LENGTH, *subject, rule.ban_seconds)
    end = datetime.now(UTC) + length
    await bans.add(
        services,
        None,
        network=subject.address,
        user_id=subject.user_id,
        reason=rule.reason,
        ends_at=end,
    )
    await services.db.execute(FORGET, [window_name(subject, action) for action in RULES])


class Violation(msgspec.Struct):
    """One subject over one limit on one day."""

    id: int
    user_id: int | None
    ip_address: str | None
    action: str
    tier: str
    day: date
    violation_count: int
    first_at: datetime
    last_at: datetime


class ViolationList(msgspec.Struct):
    """Violations, newest first."""

    items: list[Violation]
    total: int | None
    next: str | None


class Filter(msgspec.Struct):
    """What to look for among violations."""

    user_id: int | None = None
    ip_address: Annotated[str, msgspec.Meta(max_length=50)] | None = None
    action: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    since: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    cursor: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


FOUND = """
SELECT id, user_id, ip_address::text, action, tier, day, violation_count, first_at, last_at FROM rate_limit_violations
WHERE ($1::bigint IS NULL OR user_id = $1) AND ($2::text IS NULL OR ip_address <<= $2::text::inet)
  AND ($3::text IS NULL OR action = $3) AND ($4::timestamptz IS NULL OR last_at >= $4) AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6
"""


async def found(services: Services, who: Reader, asked: Filter) -> ViolationList:
    """Violations by filter, newest first; whose they are shows only to those who may act. Raises Invalid, Forbidden."""
    sees_people = "manage_limits" in who.permissions
    if not sees_people and (asked.user_id is not None or asked.ip_address is not None):
        raise Forbidden("Your role sees how often, not who.")
    address = None if asked.ip_address is None else checked_address(asked.ip_address)
    since = None if asked.since is None else checked_moment(asked.since)
    rows = await services.db.fetch(
        FOUND, asked.user_id, address, asked.action, since, asked.cursor, asked.limit + 1
    )
    items = [Violation(**row) for row in rows[: asked.limit]]
    if not sees_people:
        items = [msgspec.structs.replace(one, user_id=None, ip_address=None) for one in items]
    return ViolationList(items, None, str(items[-1].id) if len(rows) > asked.limit else None)


def checked_address(text: str) -> str:
    """An address as it is counted, or a network. Raises Invalid."""
    try:
        return bans.subject_of(text.strip()) or str(
            ipaddress.ip_network(text.strip(), strict=False)
        )
    except ValueError:
        sentence = "Please write an address, as 203.0.113.7."
        raise Invalid(sentence, errors={"ip_address": sentence}) from None


def checked_moment(text: str) -> datetime:
    """A time with zone, UTC where none is said. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        sentence = "Please write a time, as 2026-01-24T12:00."
        raise Invalid(sentence, errors={"since": sentence}) from None
