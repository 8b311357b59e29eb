"""Consents: what a person agreed to, no until said otherwise (chapter 10 rule 19). Answers are only added.

A yes holds for the version of the policy that it was given to: a new version asks once, and is a no meanwhile.
A visitor's answer lives in a cookie of theirs, a member's in user_consents.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

import msgspec

from app.domain.platform import identities, site_settings
from app.domain.platform.flags import exposures
from app.domain.platform.readers import Reader
from app.services import Services

KINDS = ("analytics", "marketing", "personalisation")
Kind = Literal["analytics", "marketing", "personalisation"]

# What goes in the very request in which a member says no to analytics, in its transaction; each chapter that counts
# people adds its own.
WITHDRAWALS: list[Callable[[Services, int], Awaitable[object]]] = [exposures.forget]


class Choice(msgspec.Struct):
    """An answer: each consent by itself, or one word for all of them. What is not named is a no."""

    analytics: bool = False
    marketing: bool = False
    personalisation: bool = False
    all: Literal["yes", "no"] | None = None

    def agreed(self) -> frozenset[str]:
        """The consents that are given."""
        if self.all is not None:
            return frozenset(KINDS if self.all == "yes" else ())
        return frozenset(kind for kind in KINDS if getattr(self, kind))


class Consents(msgspec.Struct, kw_only=True):
    """What holds for a person now, and the answer that says so; without one all is no."""

    analytics: bool = False
    marketing: bool = False
    personalisation: bool = False
    # The policy as it stands, and the one that was answered.
    policy_version: str
    answered_version: str | None = None
    at: datetime | None = None
    source: str | None = None
    # The policy changed since the answer, so it is asked for again.
    asks: bool = False
    # The browser says no for its person (Global Privacy Control).
    refused_by_browser: bool = False


def allows(who: Reader | None, kind: Kind) -> bool:
    """Whether this reader agrees to analytics, marketing or personalisation in this request."""
    return who is not None and kind in who.consents


def heard(
    services: Services, who: Reader | None, cookie: str | None, *, refused: bool
) -> Reader | None:
    """Return the reader with the consents that hold in this request.

    `cookie` is a visitor's vu_consent; `refused` says that the browser sent Sec-GPC: 1.
    """
    if who is not None and who.kind == "visitor" and cookie:
        version, agreed = told(cookie)
        who = msgspec.structs.replace(who, consents=agreed, answered_policy=version)
    if who is None or not who.consents:
        return who
    if refused or who.answered_policy != site_settings.of(services).policy_version:
        return msgspec.structs.replace(who, consents=frozenset())
    return who


def told(cookie: str | None) -> tuple[str, frozenset[str]]:
    """Return the policy's version and the consents that a visitor's cookie tells of."""
    version, _, words = (cookie or "").partition(":")
    return version[:20], frozenset(words.split("+")) & frozenset(KINDS)


def as_cookie(services: Services, agreed: frozenset[str]) -> str:
    """Return a visitor's answer as their cookie keeps it: '1:analytics+marketing'."""
    words = "+".join(kind for kind in KINDS if kind in agreed)
    return f"{site_settings.of(services).policy_version}:{words}"


def asks_again(services: Services, answered: str) -> bool:
    """Return whether the policy changed since it was answered; who never answered is not asked, and all is no."""
    return bool(answered) and answered != site_settings.of(services).policy_version


def of_visitor(services: Services, cookie: str | None, *, refused: bool) -> Consents:
    """Return what a visitor's cookie says."""
    version, agreed = told(cookie)
    return shown(services, agreed, version or None, refused=refused)


LATEST = """
SELECT analytics, marketing, personalisation, policy_version, source, at FROM user_consents
WHERE user_id = $1 ORDER BY id DESC LIMIT 1
"""


async def mine(services: Services, who: Reader, *, refused: bool = False) -> Consents:
    """Return what a member agreed to."""
    row = await services.db.fetchrow(LATEST, who.id)
    if row is None:
        return shown(services, frozenset(), None, refused=refused)
    agreed = frozenset(kind for kind in KINDS if row[kind])
    found = shown(services, agreed, row["policy_version"], refused=refused)
    return msgspec.structs.replace(found, at=row["at"], source=row["source"])


def shown(
    services: Services, agreed: frozenset[str], answered: str | None, *, refused: bool
) -> Consents:
    """Return an answer as it holds now."""
    policy = site_settings.of(services).policy_version
    holds = agreed if answered == policy and not refused else frozenset()
    return Consents(
        analytics="analytics" in holds,
        marketing="marketing" in holds,
        personalisation="personalisation" in holds,
        policy_version=policy,
        answered_version=answered,
        asks=asks_again(services, answered or ""),
        refused_by_browser=refused,
    )


# The same answer twice is one; the row's time is that of the first.
ADD = """
INSERT INTO user_consents (user_id, analytics, marketing, personalisation, policy_version, source)
SELECT $1, $2::boolean, $3::boolean, $4::boolean, $5::text, $6
WHERE NOT EXISTS (
    SELECT FROM (
        SELECT analytics, marketing, personalisation, policy_version FROM user_consents
        WHERE user_id = $1 ORDER BY id DESC LIMIT 1
    ) AS last
    WHERE last.analytics = $2 AND last.marketing = $3 AND last.personalisation = $4 AND last.policy_version = $5
)
"""


async def answer(
    services: Services, who: Reader, agreed: frozenset[str], source: str, *, refused: bool = False
) -> Consents:
    """Write down a member's answer and return it. A browser that says no is believed whatever the form says.

    What was counted of a member who does not agree to it goes in the same transaction.
    """
    policy = site_settings.of(services).policy_version
    agreed = frozenset() if refused else agreed
    said = [kind in agreed for kind in KINDS]
    async with services.tx() as tx:
        await tx.db.execute(ADD, who.id, *said, policy, "browser" if refused else source)
        if "analytics" not in agreed:
            for withdraw in WITHDRAWALS:
                await withdraw(tx, who.id)
    return await mine(services, who, refused=refused)


# Whoever answered before keeps that answer and the version it was given to; for others all is no.
NOTE = """
INSERT INTO user_consents (user_id, analytics, marketing, personalisation, policy_version, source)
SELECT $1, coalesce(last.analytics, false), coalesce(last.marketing, false), coalesce(last.personalisation, false),
       coalesce(last.policy_version, $2), $3
FROM (SELECT) AS once LEFT JOIN LATERAL (
    SELECT analytics, marketing, personalisation, policy_version FROM user_consents
    WHERE user_id = $1 ORDER BY id DESC LIMIT 1
) AS last ON true
"""


async def note_first_sign_in(tx: Services, user_id: int, provider: str) -> None:
    """Write down what stood when a member first came in through a provider: each such sign-in has a row."""
    policy = site_settings.of(tx).policy_version
    await tx.db.execute(NOTE, user_id, policy, provider)


identities.FIRST_SIGN_INS.append(note_first_sign_in)
