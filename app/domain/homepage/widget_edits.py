"""Edits of widgets: what adding, placing, setting and removing make of a page, a person's or a template's. Pure."""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import placement, template_locks
from app.domain.homepage.page_rows import Item, at_boxes
from app.domain.homepage.phone_orders import in_phone_order, locked, movable, phone_order
from app.domain.homepage.placement import Box, Size, Step
from app.domain.homepage.widget_types import BY_NAME, WidgetType, checked
from app.errors import Invalid, NotFound

MEMBER_CEILING, VISITOR_CEILING = 24, 12
SETTINGS_CEILING = 4096

Column = Annotated[int, Meta(ge=0, le=placement.COLUMNS - 2)]
Row = Annotated[int, Meta(ge=0, lt=placement.ROWS)]
Width = Annotated[int, Meta(ge=1, le=placement.COLUMNS)]
Height = Annotated[int, Meta(ge=2, le=20)]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody wants a widget: a place, a step or a size. On the phone y is the place in the order, w 1 or 2."""

    x: Column | None = None
    y: Row | None = None
    w: Width | None = None
    h: Height | None = None
    move: Step | None = None
    size: Size | None = None
    screen: Literal["desktop", "phone"] = "desktop"


def free_key(kind: str, taken: set[str]) -> str:
    """The next key of a type by its kind: note, note_2, note_3 …"""
    numbered = (f"{kind}_{n}" for n in range(2, len(taken) + 3))
    return kind if kind not in taken else next(key for key in numbered if key not in taken)


def named(items: Sequence[Item], key: str) -> Item:
    """The widget of that key. Raises NotFound."""
    for item in items:
        if item.key == key:
            return item
    raise not_there()


def not_there() -> NotFound:
    """The problem of a key that no widget has."""
    return NotFound("This widget is not on your page any more.")


def with_new(
    items: Sequence[Item], key: str, kind: WidgetType, settings: dict[str, Any]
) -> Sequence[Item]:
    """The widgets with one more, where it stands highest."""
    box = placement.roomiest((item.box for item in items), key, kind.w, kind.h)
    item = Item(
        key=key, origin="own", type=kind.name, settings=settings, x=box.x, y=box.y, w=box.w, h=box.h
    )
    return [*items, item]


def with_copy(items: Sequence[Item], key: str, new: str) -> Sequence[Item]:
    """The widgets with a copy of one right below it."""
    item = named(items, key)
    box = item.box._replace(key=new, y=item.y + item.h, fixed=False)
    twin = msgspec.structs.replace(item, key=new, origin="own", phone_order=None, lock="free")
    return at_boxes([*items, twin], placement.moved((item.box for item in items), box))


def without(items: Sequence[Item], key: str) -> Sequence[Item]:
    """The widgets without one of them."""
    gone = named(items, key)
    return [item for item in items if item is not gone]


def refuse_locked(item: Item) -> None:
    """Refuse to move what the operator locked. Raises Conflict."""
    if item.lock == "locked":
        raise template_locks.refused(item)


def on_desktop(items: Sequence[Item], key: str, wish: Place) -> Sequence[Item]:
    """The widgets after one of them went to its new place on the desktop."""
    boxes = [item.box for item in items]
    box = named(items, key).box
    if wish.move:
        return at_boxes(items, placement.stepped(boxes, key, wish.move))
    if wish.size:
        return at_boxes(items, placement.sized(boxes, key, wish.size))
    given = {name: getattr(wish, name) for name in ("x", "y", "w", "h")}
    box = box._replace(**{name: value for name, value in given.items() if value is not None})
    refuse_overhang(box)
    return at_boxes(items, placement.moved(boxes, box))


def refuse_overhang(box: Box) -> None:
    """Refuse a place that leaves the grid. Raises Invalid."""
    if box.w < 2:
        raise Invalid("A widget is at least 2 columns wide.", errors={"w": "Please use 2 to 12."})
    if box.x + box.w > placement.COLUMNS:
        raise Invalid(
            "This would stand over the right edge.",
            errors={"x": "Column and width together go to 12."},
        )


def on_phone(items: Sequence[Item], key: str, wish: Place) -> Sequence[Item]:
    """The widgets after one of them went to its new place or width on the phone; locked ones stay between them."""
    named(items, key)
    width = {"s": 1, None: wish.w}.get(wish.size, 2)
    if width not in (None, 1, 2):
        raise Invalid("On the phone a widget is 1 or 2 columns wide.", errors={"w": "Use 1 or 2."})
    order = movable(items)
    at = order.index(key)
    steps = {"up": at - 1, "left": at - 1, "down": at + 1, "right": at + 1}
    to = steps[wish.move] if wish.move else at if wish.y is None else rank(items, key, wish.y)
    if (to := min(max(to, 0), len(order) - 1)) != at:
        order.insert(to, order.pop(at))
        items = in_phone_order(items, order)
    return [with_phone_width(item, width) if item.key == key else item for item in items]


def rank(items: Sequence[Item], key: str, place: int) -> int:
    """How many movable widgets stand before a place of the whole phone order, without the one that moves."""
    fixed = {item.key for item in locked(items)}
    order = [other for other in phone_order(items) if other != key]
    return sum(1 for other in order[:place] if other not in fixed)


def with_phone_width(item: Item, width: int | None) -> Item:
    """The widget as wide on the phone as asked, or as it was."""
    return item if width is None else msgspec.structs.replace(item, phone_w=width)


Put = Callable[[Sequence[Item], str, Place], Sequence[Item]]
PUTS: dict[str, Put] = {"desktop": on_desktop, "phone": on_phone}


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """What of a widget is set anew; what is not given stays. An empty title is the type's own."""

    title: Annotated[str, Meta(max_length=80)] | None | msgspec.UnsetType = msgspec.UNSET
    settings: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    phone_hidden: bool | msgspec.UnsetType = msgspec.UNSET
    phone_w: Literal[1, 2] | msgspec.UnsetType = msgspec.UNSET


def patched(items: Sequence[Item], key: str, asked: Patch) -> Sequence[Item]:
    """The widgets after one of them was set anew."""
    item = named(items, key)
    given = {name: value for name, value in set_fields(asked).items() if name != "settings"}
    new = msgspec.structs.replace(item, **given)
    if asked.settings is not msgspec.UNSET:
        new = msgspec.structs.replace(new, settings=sparing(BY_NAME[item.type], asked.settings))
    return [new if other.key == key else other for other in items]


def set_fields(asked: Patch) -> dict[str, Any]:
    """The fields that were given; an empty title is none."""
    given = {name: getattr(asked, name) for name in Patch.__struct_fields__}
    if given["title"] is not msgspec.UNSET:
        given["title"] = given["title"] or None
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}


def sparing(kind: WidgetType, settings: dict[str, Any] | None) -> dict[str, Any]:
    """The settings that differ from the type's defaults, checked. Raises Invalid."""
    default = msgspec.to_builtins(kind.settings())
    given = msgspec.to_builtins(checked(kind, settings))
    kept = {name: value for name, value in given.items() if value != default[name]}
    written = json.dumps(kept, ensure_ascii=False)
    if len(written) > SETTINGS_CEILING or any("\0" in str(value) for value in kept.values()):
        raise Invalid(
            "These settings cannot be kept.",
            errors={"settings": "Please write less, in plain text."},
        )
    return kept
