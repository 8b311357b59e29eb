"""Preferences: one person's choices as one checked document; unknown keys are refused, older ones are upgraded."""

from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import msgspec
from msgspec import Meta

from app.domain.homepage import recent_searches, versions
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services

SCHEMA_VERSION = 1

# How many first steps a document remembers.
MOST_STEPS = 10


class Theme(msgspec.Struct, forbid_unknown_fields=True):
    """How pages look."""

    mode: Literal["light", "dark", "system"] = "system"
    accent: Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")] | None = None
    contrast: Literal["standard", "high"] = "standard"


class News(msgspec.Struct, forbid_unknown_fields=True):
    """How news is listed."""

    order: Literal["latest", "top"] = "latest"
    hide_read: bool = False
    topics: Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(max_length=16)] = []


class SearchEngine(msgspec.Struct, forbid_unknown_fields=True):
    """A web engine of one's own: an https address with {q} where the words go."""

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    template: Annotated[str, Meta(pattern=r"^https://[^\s<>\"']+\{q\}[^\s<>\"']*$", max_length=300)]


class Preferences(msgspec.Struct, forbid_unknown_fields=True):
    """All choices of one person, version 1."""

    theme: Theme = msgspec.field(default_factory=Theme)
    density: Literal["comfortable", "compact"] = "comfortable"
    units: Literal["metric", "imperial"] = "metric"
    clock: Literal["12", "24"] = "24"
    time_zone: Annotated[str, Meta(max_length=60)] | None = None
    news: News = msgspec.field(default_factory=News)
    search_engine: SearchEngine | None = None
    keep_searches: bool = True
    live: bool = True
    onboarding: Annotated[
        list[Annotated[str, Meta(max_length=20)]], Meta(max_length=MOST_STEPS)
    ] = []


def of(who: Reader | None) -> Preferences:
    """The reader's choices; where what is stored cannot be used, the defaults: the page never falls."""
    try:
        return msgspec.convert(upgraded(who.preferences if who else {}), Preferences)
    except msgspec.ValidationError:
        return Preferences()


def upgraded(doc: dict[str, Any]) -> dict[str, Any]:
    """A stored document of any version as one of today's."""
    return dict(doc)


PUT = """
INSERT INTO preferences (user_id, schema_version, doc) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE SET schema_version = EXCLUDED.schema_version, doc = EXCLUDED.doc, updated_at = now()
"""


async def put(services: Services, who: Reader, new: Preferences) -> Preferences:
    """Replace the person's choices. Raises Invalid."""
    if new.time_zone is not None and new.time_zone not in available_timezones():
        sentence = "Please choose one of the offered time zones."
        raise Invalid(sentence, errors={"time_zone": sentence})
    async with services.tx() as tx:
        await tx.db.execute(PUT, who.id, SCHEMA_VERSION, msgspec.to_builtins(new))
        if not new.keep_searches:
            await recent_searches.forget(tx, who)
        await versions.bump(tx, who.id, "preferences")
    return new


async def patch(services: Services, who: Reader, changes: dict[str, Any]) -> Preferences:
    """Change some choices; nested ones are merged. Raises Invalid."""
    return await put(services, who, checked(merged(msgspec.to_builtins(of(who)), changes)))


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The old document with the new one's values, one level into its parts."""
    result = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(old.get(key), dict)
        result[key] = merged(old[key], value) if both else value
    return result


def checked(doc: dict[str, Any]) -> Preferences:
    """The document as preferences. Raises Invalid with the field."""
    try:
        return msgspec.convert(doc, Preferences, strict=False)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`") or (text.split("`")[1] if "`" in text else "")
        sentence = (
            "There is no such choice."
            if "unknown field" in text
            else "Please choose one of the offered values."
        )
        raise Invalid(sentence, errors={field: sentence}) from None


# A form says the same by names with dots: theme.mode=dark.
def nested(fields: dict[str, Any]) -> dict[str, Any]:
    """Names with dots as a document; what a form left empty is null."""
    doc: dict[str, Any] = {}
    for name, value in fields.items():
        if name.startswith("_"):
            continue
        target = doc
        *path, last = name.split(".")
        for part in path:
            found = target.setdefault(part, {})
            target = found if isinstance(found, dict) else {}
        target[last] = None if value == "" else value
    return doc
