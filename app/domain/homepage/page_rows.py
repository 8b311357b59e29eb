"""Rows of a page: what is stored of it, and the widgets that template and rows make together (chapter 20 §2)."""

from collections.abc import Iterable, Sequence
from typing import Any

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

    @property
    def box(self) -> Box:
        """Where it stands on the desktop."""
        return Box(self.key, self.x, self.y, self.w, self.h)


def template_item(name: str, x: int, y: int) -> Item:
    """One widget of the built-in page, in its type's first size."""
    kind = BY_NAME[name]
    return Item(key=kind.kind, origin="template", type=name, x=x, y=y, w=kind.w, h=kind.h)


# The page of everybody who changed nothing (rule 6).
TEMPLATE: tuple[Item, ...] = (
    template_item("search_bar", 0, 0),
    template_item("news_feed", 0, 2),
    template_item("weather", 8, 2),
    template_item("quick_links", 0, 8),
)


def template_of(slug: str) -> tuple[Item, ...]:
    """What a page starts from: the front page from the built-in one, a tab from nothing."""
    return TEMPLATE if slug == HOME else ()


CHANGEABLE = ("title", "settings", "x", "y", "w", "h", "phone_order", "phone_w", "phone_hidden")


def merged(slug: str, rows: Iterable[Row]) -> list[Item]:
    """The widgets of a page, closed up. One of a type that the site does not have takes no room."""
    by_key = {row.key: row for row in rows}
    items = [with_difference(item, by_key.pop(item.key, None)) for item in template_of(slug)]
    own = [own_item(row) for row in by_key.values() if row.origin == "own" and row.type in BY_NAME]
    return closed_up([*(item for item in items if item), *own])


def with_difference(item: Item, row: Row | None) -> Item | None:
    """A template's widget as one person has it; None when they took it away."""
    if row is None:
        return item
    if row.removed:
        return None
    changes = {name: getattr(row, name) for name in CHANGEABLE}
    return msgspec.structs.replace(item, **{k: v for k, v in changes.items() if v is not None})


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


def closed_up(items: Sequence[Item]) -> list[Item]:
    """The same widgets without gaps between them, in the order of the page."""
    return at_boxes(items, placement.compacted(item.box for item in items))


def at_boxes(items: Iterable[Item], boxes: Iterable[Box]) -> list[Item]:
    """The widgets at those places, in the places' order."""
    by_key = {item.key: item for item in items}
    return [at_box(by_key[box.key], box) for box in boxes]


def at_box(item: Item, box: Box) -> Item:
    """The widget at that place."""
    if item.box == box:
        return item
    return msgspec.structs.replace(item, x=box.x, y=box.y, w=box.w, h=box.h)


def stored(slug: str, items: Iterable[Item], before: Iterable[Row]) -> list[Row]:
    """The rows that say this page, by key. Rows of types that the site does not have now are kept as they were."""
    by_key = {item.key: item for item in items}
    differences = [difference(item, by_key.pop(item.key, None)) for item in template_of(slug)]
    own = [own_row(item) for item in by_key.values()]
    resting = [row for row in before if row.origin == "own" and row.type not in BY_NAME]
    rows = [*(row for row in differences if row), *own, *resting]
    return sorted(rows, key=lambda row: row.key)


def difference(origin: Item, item: Item | None) -> Row | None:
    """The row of a template's widget; None when it is as the template says."""
    if item is None:
        return Row(key=origin.key, origin="template", removed=True)
    changes = {
        name: getattr(item, name)
        for name in CHANGEABLE
        if getattr(item, name) != getattr(origin, name)
    }
    if changes.keys() & {"x", "y", "w", "h"}:
        changes |= {"x": item.x, "y": item.y, "w": item.w, "h": item.h}
    return Row(key=item.key, origin="template", **changes) if changes else None


def own_row(item: Item) -> Row:
    """The whole row of a person's own widget."""
    return Row(
        key=item.key,
        origin="own",
        type=item.type,
        **{name: getattr(item, name) for name in CHANGEABLE},
    )
