"""First steps: the five things that a new member is shown once, until they are done or the list is put away (chapter 20 §6)."""

from typing import NamedTuple

import msgspec

from app.domain.homepage import preferences, versions, widget_offers
from app.domain.platform.readers import Reader
from app.services import Services

# Stands in the preferences' `onboarding` beside the names of steps.
PUT_AWAY = "put_away"


class Kind(NamedTuple):
    """One of the five: what it says, where it leads, and the type of widget without which the site does not have it."""

    name: str
    label: str
    says: str
    href: str
    part: str = ""


KINDS = (
    Kind("arrange", "Arrange your page", "Move, add and remove its parts.", "/?edit=1"),
    Kind("topics", "Choose your topics", "They come first among the top news.", "/preferences#topics"),
    Kind("stocks", "Follow a stock", "Its price and its last days.", "/stocks", "stocks"),
    Kind("sites", "See the Good Sites", "What members recommend.", "/good-sites", "directory"),
    Kind("profile", "Say who you are", "The name beside what you publish.", "/settings/account"),
)  # fmt: skip


class Step(msgspec.Struct, frozen=True):
    """One step as the list shows it."""

    name: str
    label: str
    says: str
    href: str
    done: bool


def of(services: Services, who: Reader | None) -> tuple[Step, ...]:
    """The steps of a member who has not done all and not put the list away; else none. Asks nothing of the database."""
    if who is None or not who.is_member:
        return ()
    mine = preferences.of(who)
    if PUT_AWAY in mine.onboarding:
        return ()
    hidden, done = widget_offers.hidden(services, who), done_by(who, mine)
    steps = tuple(
        Step(kind.name, kind.label, kind.says, kind.href, kind.name in done)
        for kind in KINDS
        if kind.part not in hidden
    )
    return () if all(step.done for step in steps) else steps


def done_by(who: Reader, mine: preferences.Preferences) -> frozenset[str]:
    """The steps that a member has done: their page and their watchlist changed, topics are chosen, the rest is noted."""
    seen = {"arrange": "page", "stocks": "stocks"}
    changed = {name for name, area in seen.items() if who.own.get(area)}
    topics = {"topics"} if mine.news.topics else set()
    return frozenset(changed | topics | set(mine.onboarding))


NOTE = """
INSERT INTO preferences (user_id, schema_version, doc) VALUES ($1, $2, jsonb_build_object('onboarding', jsonb_build_array($3::text)))
ON CONFLICT (user_id) DO UPDATE SET updated_at = now(),
    doc = jsonb_set(preferences.doc, '{onboarding}', coalesce(preferences.doc -> 'onboarding', '[]') || to_jsonb($3::text))
WHERE NOT coalesce(preferences.doc -> 'onboarding', '[]') ? $3 AND jsonb_array_length(coalesce(preferences.doc -> 'onboarding', '[]')) < $4
"""


async def note(services: Services, who: Reader, name: str) -> None:
    """Remember that a member has done a step of which nothing else tells."""
    async with services.tx() as tx:
        if (
            await tx.db.execute(
                NOTE, who.id, preferences.SCHEMA_VERSION, name, preferences.MOST_STEPS
            )
            != "INSERT 0 0"
        ):
            await versions.bump(tx, who.id, "preferences")


async def put_away(services: Services, who: Reader) -> None:
    """Show the list to this member no more."""
    await note(services, who, PUT_AWAY)
