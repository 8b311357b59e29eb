"""Rows of a page: what is stored of it, and the widgets that template and rows make together (chapter 20 §2)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import msgspec

from app.domain.homepage import placement
from app.domain.homepage.placement import Box
from app.domain.homepage.widget_types import BY_NAME

HOME = "home"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of page_widgets: an own widget, or what differs from the template's (None: as the template says)."""

    key: str
    origin: str
    type: str | None = None
    title: str | None = None
    settings: dict[str, Any] | None = None
    x: int | None = None
    y: int | None = None
    w: int | None = None
    h: int | None = None
    phone_order: int | None = None
    phone_w: int | None = None
    phone_hidden: bool | None = None
    removed: bool = False


# What a person may do with a template's widget (rule 4).
Lock = Literal["locked", "pinned", "free"]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One widget as it stands on a page. Without any phone_order the phone follows the desktop."""

    key: str
    origin: str
    type: str
    title: str | None = None
    settings: dict[str, Any] = {}
    x: int
    y: int
    w: int
    h: int
    phone_order: int | None = None
    phone_w: int = 2
    phone_hidden: bool = False
    lock: Lock = "free"

    @property
    def box(self) -> Box:
        """Where it stands on the desktop; the operator's locked ones give way to nobody."""
        return Box(self.key, self.x, self.y, self.w, self.h, self.lock == "locked")


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What a page starts from: one version of a template (id 0: the built-in page, or nothing for a tab).

    `past` has, by key, widgets that templates had once: what a person had changed of them became theirs.
    """

    id: int = 0
    version: int = 0
    name: str = ""
    items: tuple[Item, ...] = ()
    past: dict[str, Item] = {}


def template_item(name: str, x: int, y: int) -> Item:
    """One widget of the built-in page, in its type's first size."""
    kind = BY_NAME[name]
    return Item(key=kind.kind, origin="template", type=name, x=x, y=y, w=kind.w, h=kind.h)


# The page of everybody who changed nothing (rule 6).
TEMPLATE: tuple[Item, ...] = (
    template_item("search_bar", 0, 0),
    template_item("news_feed", 0, 2),
    template_item("weather", 8, 2),
    template_item("stocks", 8, 5),
    template_item("quick_links", 0, 8),
)


BUILT_IN = Base(items=TEMPLATE, past={item.key: item for item in TEMPLATE})
NOTHING = Base()

PLACES = ("x", "y", "w", "h")
CHANGEABLE = ("title", "settings", *PLACES, "phone_order", "phone_w", "phone_hidden")


def own_item(row: Row) -> Item:
    """A widget that a person added; the schema sees to it that its place is whole."""
    assert row.type and row.x is not None and row.y is not None and row.w and row.h
    return Item(
        key=row.key,
        origin="own",
        type=row.type,
        title=row.title,
        settings=row.settings or {},
        x=row.x,
        y=row.y,
        w=row.w,
        h=row.h,
        phone_order=row.phone_order,
        phone_w=row.phone_w or 2,
        phone_hidden=row.phone_hidden or False,
    )


def closed_up(items: Sequence[Item], first: Collection[str] = ()) -> list[Item]:
    """The same widgets without gaps between them, in the order of the page; `first` go before others of their row."""
    return at_boxes(items, placement.compacted((item.box for item in items), first))


def at_boxes(items: Iterable[Item], boxes: Iterable[Box]) -> list[Item]:
    """The widgets at those places, in the places' order."""
    by_key = {item.key: item for item in items}
    return [at_box(by_key[box.key], box) for box in boxes]


def at_box(item: Item, box: Box) -> Item:
    """The widget at that place."""
    if item.box == box:
        return item
    return msgspec.structs.replace(item, x=box.x, y=box.y, w=box.w, h=box.h)


def own_row(item: Item) -> Row:
    """The whole row of a person's own widget."""
    return Row(
        key=item.key,
        origin="own",
        type=item.type,
        **{name: getattr(item, name) for name in CHANGEABLE},
    )
