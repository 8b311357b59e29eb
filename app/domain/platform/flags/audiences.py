"""Whom a flag reaches: who would gain or lose it, why one subject has it, and every flag of one subject."""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.domain.platform.flags import exposures, wishes
from app.domain.platform.flags.evaluation import (
    SENTENCES,
    bucket,
    rule_of,
    verdict,
)
from app.errors import Invalid, NotFound
from app.services import Services


class Preview(msgspec.Struct):
    """What a change would do to members: how many gain the flag, lose it, and have it then; in one sentence too."""

    gain: int
    lose: int
    reached: int
    members: int
    sentence: str


class Answer(msgspec.Struct):
    """Why a flag is on or off for one subject. `bucket` is 0 to 99."""

    flag: str
    subject: str
    on: bool
    reason: str
    sentence: str
    bucket: int
    rollout_percentage: int


class Cohort(msgspec.Struct):
    """One flag: how many subjects met it on and off today, and the answer for the subject that was asked about."""

    flag: str
    rollout_percentage: int
    enabled: bool
    on_today: int
    off_today: int
    answer: Answer | None


class CohortList(msgspec.Struct):
    """Every flag, by key."""

    items: list[Cohort]
    total: int | None
    next: str | None = None


STATES = """
SELECT key, enabled, rollout_percentage, whitelist, analytics_enabled FROM feature_flags
WHERE $1::text IS NULL OR key = $1 ORDER BY key
"""


async def state(services: Services, key: str) -> Any:
    """Return what an evaluation of a flag needs, as the database has it. Raises NotFound."""
    rows = await services.db.fetch(STATES, key)
    if not rows:
        raise NotFound("There is no flag of that name.")
    return rows[0]


# The same order as evaluation.verdict, for every member at once.
PREVIEW = """
SELECT count(*) AS members,
    count(*) FILTER (WHERE after) AS reached,
    count(*) FILTER (WHERE after AND NOT before) AS gain,
    count(*) FILTER (WHERE before AND NOT after) AS lose
FROM (
    SELECT $2 AND (subject = ANY($4::text[]) OR bucket < $3) AS before,
        $5 AND (subject = ANY($7::text[]) OR bucket < $6) AS after
    FROM (
        SELECT id::text AS subject,
            ('x' || left(md5($1 || ':' || id), 8))::bit(32)::bigint % 100 AS bucket
        FROM users WHERE kind = 'member' AND closed_at IS NULL
    ) AS members
) AS changed
"""


async def preview(services: Services, key: str, fields: Mapping[str, Any]) -> Preview:
    """Return what a change of switch, percentage or list would do to the members. Raises NotFound, Invalid."""
    now = await state(services, key)
    then = {**dict(now), **wishes.checked(fields)}
    row = await services.db.fetchrow(
        PREVIEW,
        key,
        *(now["enabled"], now["rollout_percentage"], now["whitelist"]),
        *(then["enabled"], then["rollout_percentage"], then["whitelist"]),
    )
    gain, lose = row["gain"], row["lose"]
    members = "member gains" if gain == 1 else "members gain"
    sentence = f"{gain:,} {members}, {lose:,} {'loses' if lose == 1 else 'lose'}"
    return Preview(gain, lose, row["reached"], row["members"], sentence)


async def evaluation(services: Services, key: str, subject: str) -> Answer:
    """Return why a flag is on or off for a subject. Raises NotFound, Invalid."""
    return answer(await state(services, key), checked(subject))


def checked(subject: str) -> str:
    """Return a subject. Raises Invalid."""
    if not wishes.SUBJECT.fullmatch(subject):
        says = {"subject": "A member's number, or the 16 hex digits of a visitor."}
        raise Invalid("This is no subject.", errors=says)
    return subject


def answer(found: Any, subject: str) -> Answer:
    """The answer of one flag for one subject."""
    on, reason = verdict(rule_of(found), subject)
    key, percentage = found["key"], found["rollout_percentage"]
    return Answer(key, subject, on, reason, SENTENCES[reason], bucket(key, subject), percentage)


async def cohorts(services: Services, subject: str | None = None) -> CohortList:
    """Return every flag with today's exposures, and the answer for a subject where one is given. Raises Invalid."""
    subject = checked(subject) if subject else None
    met = await exposures.of_today(services)
    items = []
    for found in await services.db.fetch(STATES, None):
        today = met.get(found["key"], {"on": 0, "off": 0})
        items.append(
            Cohort(
                found["key"],
                found["rollout_percentage"],
                found["enabled"],
                today["on"],
                today["off"],
                answer(found, subject) if subject else None,
            )
        )
    return CohortList(items, len(items))
