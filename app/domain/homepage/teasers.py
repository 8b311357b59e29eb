"""Teasers: what other parts of the site put on the homepage (chapter 20 rule 11).

A part registers one source for its type of widget. While none is registered the type is not offered and takes no room.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from app.domain.platform.readers import Reader
from app.services import Services

Count = Annotated[int, Meta(ge=1, le=12)]
Slug = Annotated[str, Meta(max_length=60)]


class ListingsSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Listings around a place, of a category, or those of a saved search."""

    place_id: int | None = None
    radius_km: Annotated[int, Meta(ge=1, le=500)] = 40
    category: Slug | None = None
    order: Literal["newest", "nearest"] = "newest"
    saved_search_id: int | None = None
    count: Count = 5


class DirectorySettings(msgspec.Struct, forbid_unknown_fields=True):
    """Sites of a category, the newest or those with the most votes."""

    category: Slug | None = None
    order: Literal["new", "top"] = "new"
    count: Count = 5


class ScenesSettings(msgspec.Struct, forbid_unknown_fields=True):
    """News of one scene, or of all of mine."""

    scene: Slug | None = None
    count: Count = 5


class CampaignSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Campaigns that are open, and how I stand in them."""

    count: Count = 3


class TeaserItem(msgspec.Struct, frozen=True):
    """One line: where it leads, a short muted line, and perhaps a picture and a time."""

    title: str
    url: str
    meta: str = ""
    image: str | None = None
    at: datetime | None = None


class Teaser(msgspec.Struct, frozen=True):
    """What a source says: its items, when they were so, and what stands there when there are none."""

    items: list[TeaserItem]
    as_of: datetime | None
    empty: str
    more: str = "/"

    @property
    def state(self) -> str:
        """Fresh, or empty."""
        return "fresh" if self.items else "empty"


Fill = Callable[[Services, Reader | None, Any, int], Awaitable[Teaser]]
# Equal answers mean equal content for this reader; whatever changes it tells the site by tell_change().
Version = Callable[[Services, Reader | None], Awaitable[object]]


class Source(NamedTuple):
    """What a part of the site registers: its items with the reader's rights in the SQL, and their version."""

    fill: Fill
    version: Version


TYPES = ("listings", "directory", "scene_news", "campaign")
SOURCES: dict[str, Source] = {}


def register(name: str, source: Source) -> None:
    """Let a part of the site fill its type of widget from now on."""
    if name not in TYPES:
        raise ValueError(f"{name} is no teaser; there are {', '.join(TYPES)}.")
    SOURCES[name] = source


def missing() -> frozenset[str]:
    """The types that nobody fills."""
    return frozenset(name for name in TYPES if name not in SOURCES)


async def versions(services: Services, who: Reader | None) -> tuple[object, ...]:
    """How far all sources have come for this reader; costs nothing while there is none."""
    return tuple([await source.version(services, who) for source in SOURCES.values()])


BY_SETTINGS: dict[type[Any], str] = {
    ListingsSettings: "listings",
    DirectorySettings: "directory",
    ScenesSettings: "scene_news",
    CampaignSettings: "campaign",
}


async def filled(services: Services, who: Reader | None, wishes: Sequence[Any]) -> list[Teaser]:
    """The teasers of one page, each asked of the source that its settings belong to."""
    return [
        await SOURCES[BY_SETTINGS[type(wish)]].fill(services, who, wish, wish.count)
        for wish in wishes
    ]
