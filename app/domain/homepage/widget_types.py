"""The types of widgets: what each is called, how large it starts, and what can be set on it (chapter 20 rule 10)."""

from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from app.domain.homepage import teasers
from app.errors import Invalid, NotFound

Count = Annotated[int, Meta(ge=1, le=20)]


class Plain(msgspec.Struct, forbid_unknown_fields=True):
    """A widget with nothing to set."""


class NewsSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The news of all my feeds, or of one tag."""

    count: Count = 12
    tag: Annotated[str, Meta(max_length=40)] | None = None
    unread: bool = False
    # None: as the reader's preferences say.
    order: Literal["latest", "top"] | None = None
    look: Literal["paper", "list"] = "paper"


class FeedSettings(msgspec.Struct, forbid_unknown_fields=True):
    """One feed, or one folder of my feeds."""

    feed_id: int | None = None
    folder: Annotated[str, Meta(max_length=80)] | None = None
    count: Count = 8
    look: Literal["list", "social"] = "list"


class WeatherSettings(msgspec.Struct, forbid_unknown_fields=True):
    """One of my places (the first when none is named), and how much of it."""

    place_id: int | None = None
    hours: bool = True
    days: bool = True


class SocialSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The posts of all my accounts, or of one."""

    account_id: int | None = None
    count: Count = 6


class StocksSettings(msgspec.Struct, forbid_unknown_fields=True):
    """My watchlist, and how many rows of it."""

    rows: Count = 6


class LinksSettings(msgspec.Struct, forbid_unknown_fields=True):
    """One of my lists of links."""

    list: Annotated[str, Meta(min_length=1, max_length=40)] = "main"


class NoteSettings(msgspec.Struct, forbid_unknown_fields=True):
    """A note in Markdown."""

    text: Annotated[str, Meta(max_length=3000)] = ""


class WidgetType(NamedTuple):
    """One type: its name in the data, its short kind in addresses, its words and its first size."""

    name: str
    kind: str
    label: str
    says: str
    icon: str
    w: int
    h: int
    settings: type[msgspec.Struct]
    areas: tuple[str, ...] = ()  # what its content depends on: areas of versions.of_reader
    flag: str | None = None  # the flag that has to be on for a reader to have it (widget_offers)


TYPES: tuple[WidgetType, ...] = (
    WidgetType(
        "search_bar",
        "search",
        "Search",
        "Search this site and the web",
        "search",
        12,
        2,
        Plain,
        ("preferences",),
    ),
    WidgetType(
        "news_feed",
        "news",
        "News",
        "The news of all your feeds",
        "newspaper",
        8,
        6,
        NewsSettings,
        ("news", "preferences"),
    ),
    WidgetType(
        "rss_feed",
        "rss",
        "Feed",
        "One feed or one folder",
        "rss",
        4,
        5,
        FeedSettings,
        ("news", "preferences"),
    ),
    WidgetType(
        "weather",
        "weather",
        "Weather",
        "Now, the next hours and the week",
        "cloud-sun",
        4,
        3,
        WeatherSettings,
        ("weather", "preferences"),
    ),
    WidgetType(
        "stocks",
        "stocks",
        "Stocks",
        "The prices of the symbols you follow",
        "chart-line",
        4,
        3,
        StocksSettings,
        ("stocks", "preferences"),
        "stocks_widget",
    ),
    WidgetType(
        "social_feed",
        "social",
        "Social",
        "Posts of your own accounts",
        "users",
        4,
        6,
        SocialSettings,
        ("social", "preferences"),
        "social_integration",
    ),
    WidgetType(
        "quick_links",
        "links",
        "Links",
        "The places you go every day",
        "link",
        12,
        2,
        LinksSettings,
        ("links", "preferences"),
    ),
    WidgetType(
        "listings",
        "listings",
        "Listings",
        "What people near you offer and look for",
        "tag",
        4,
        5,
        teasers.ListingsSettings,
        ("teasers", "preferences"),
    ),
    WidgetType(
        "directory",
        "directory",
        "Good Sites",
        "New and well-liked sites of the directory",
        "globe",
        4,
        5,
        teasers.DirectorySettings,
        ("teasers", "preferences"),
    ),
    WidgetType(
        "scene_news",
        "scenes",
        "Scenes",
        "What is new in your scenes",
        "users",
        4,
        5,
        teasers.ScenesSettings,
        ("teasers", "preferences"),
    ),
    WidgetType(
        "campaign",
        "campaign",
        "Campaigns",
        "Campaigns that are open, and how you stand",
        "ticket",
        4,
        3,
        teasers.CampaignSettings,
        ("teasers", "preferences"),
    ),
    WidgetType("note", "note", "Note", "A text of your own", "sticky-note", 4, 3, NoteSettings),
)
BY_NAME = {widget.name: widget for widget in TYPES}
BY_KIND = {widget.kind: widget for widget in TYPES}


def by_name(name: str) -> WidgetType:
    """The type of that name. Raises Invalid."""
    if name not in BY_NAME:
        raise Invalid(
            "There is no such widget.", errors={"type": "Please choose one of the offered widgets."}
        )
    return BY_NAME[name]


def by_kind(kind: str) -> WidgetType:
    """The type of that kind. Raises NotFound."""
    if kind not in BY_KIND:
        raise NotFound("There is no such widget.")
    return BY_KIND[kind]


def checked(widget: WidgetType, settings: dict[str, Any] | None) -> Any:
    """The settings as the type's own struct. Raises Invalid with what does not fit."""
    try:
        return msgspec.convert(settings or {}, widget.settings, strict=False)
    except msgspec.ValidationError:
        raise Invalid(
            "These settings do not fit this widget.",
            errors={"settings": "Please check the settings."},
        ) from None


def lenient(widget: WidgetType, settings: dict[str, Any] | None) -> Any:
    """The settings, or the type's defaults where what is stored cannot be used: the page never falls."""
    try:
        return checked(widget, settings)
    except Invalid:
        return widget.settings()
