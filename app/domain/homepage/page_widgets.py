"""Widgets of a page: adding, placing, setting, copying and removing them (chapter 20 rules 1 to 3, 7, 10)."""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import page_changes, pages, placement
from app.domain.homepage.page_changes import change
from app.domain.homepage.page_rows import Item, at_boxes, merged
from app.domain.homepage.pages import PageView, Widget, phone_order
from app.domain.homepage.placement import Box, Size, Step
from app.domain.homepage.widget_types import BY_NAME, WidgetType, by_name, checked
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

MEMBER_CEILING, VISITOR_CEILING = 24, 12
SETTINGS_CEILING = 4096

Column = Annotated[int, Meta(ge=0, le=placement.COLUMNS - 2)]
Row = Annotated[int, Meta(ge=0, lt=placement.ROWS)]
Width = Annotated[int, Meta(ge=1, le=placement.COLUMNS)]
Height = Annotated[int, Meta(ge=2, le=20)]


class Added(msgspec.Struct, frozen=True):
    """A new widget, and the page with it."""

    widget: Widget
    page: PageView


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody wants a widget: a place, a step or a size. On the phone y is the place in the order, w 1 or 2."""

    x: Column | None = None
    y: Row | None = None
    w: Width | None = None
    h: Height | None = None
    move: Step | None = None
    size: Size | None = None
    screen: Literal["desktop", "phone"] = "desktop"


async def add(
    services: Services,
    who: Reader,
    slug: str,
    name: str,
    settings: dict[str, Any] | None = None,
) -> Added:
    """Add a widget of that type where it stands highest. Raises Invalid, NotFound, and Conflict when the page is full."""
    kind = by_name(name)
    kept = sparing(kind, settings)

    def with_new(items: list[Item], key: str) -> Sequence[Item]:
        box = placement.roomiest((item.box for item in items), key, kind.w, kind.h)
        item = Item(
            key=key, origin="own", type=name, settings=kept, x=box.x, y=box.y, w=box.w, h=box.h
        )
        return [*items, item]

    return await added(services, who, slug, "add", lambda _: kind, with_new)


async def copy(services: Services, who: Reader, slug: str, key: str) -> Added:
    """Put a copy of a widget right below it. Raises NotFound, and Conflict when the page is full."""

    def with_copy(items: list[Item], new: str) -> Sequence[Item]:
        item = named(items, key)
        box = item.box._replace(key=new, y=item.y + item.h)
        twin = msgspec.structs.replace(item, key=new, origin="own", phone_order=None)
        return at_boxes([*items, twin], placement.moved((item.box for item in items), box))

    return await added(
        services, who, slug, "copy", lambda items: BY_NAME[named(items, key).type], with_copy
    )


async def added(
    services: Services,
    who: Reader,
    slug: str,
    op: str,
    kind_of: Callable[[list[Item]], WidgetType],
    edit: Callable[[list[Item], str], Sequence[Item]],
) -> Added:
    """The change that brings one more widget, within the ceiling of this person's pages."""
    ceiling = MEMBER_CEILING if who.is_member else VISITOR_CEILING
    async with services.tx() as tx:
        page = await page_changes.locked(tx, who, slug)
        items = merged(slug, page.rows)
        if len(items) >= ceiling:
            raise Conflict(
                f"A page holds at most {ceiling} widgets. Remove one to add another.",
                code="page_full",
            )
        key = free_key(kind_of(items), page.taken(slug))
        await page_changes.make(tx, who, slug, page, f"{op}:{key}", lambda items: edit(items, key))
        view = await pages.shown(tx, who, slug)
    return Added(next(widget for widget in view.widgets if widget.key == key), view)


def free_key(kind: WidgetType, taken: set[str]) -> str:
    """The next key of a type: note, note_2, note_3 …"""
    numbered = (f"{kind.kind}_{n}" for n in range(2, len(taken) + 3))
    return kind.kind if kind.kind not in taken else next(k for k in numbered if k not in taken)


def named(items: Sequence[Item], key: str) -> Item:
    """The widget of that key. Raises NotFound."""
    for item in items:
        if item.key == key:
            return item
    raise NotFound("This widget is not on your page any more.")


async def place(services: Services, who: Reader, slug: str, key: str, wish: Place) -> PageView:
    """Put a widget where somebody wants it; the others make room. Raises Invalid, NotFound."""
    if wish.screen == "phone":
        return await change(
            services, who, slug, f"phone:{key}", lambda items: on_phone(items, key, wish)
        )
    return await change(
        services, who, slug, f"place:{key}", lambda items: on_desktop(items, key, wish)
    )


def on_desktop(items: list[Item], key: str, wish: Place) -> Sequence[Item]:
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


def on_phone(items: list[Item], key: str, wish: Place) -> Sequence[Item]:
    """The widgets after one of them went to its new place or width on the phone."""
    named(items, key)
    width = {"s": 1, None: wish.w}.get(wish.size, 2)
    if width not in (None, 1, 2):
        raise Invalid("On the phone a widget is 1 or 2 columns wide.", errors={"w": "Use 1 or 2."})
    order = phone_order(items)
    at = order.index(key)
    steps = {"up": at - 1, "left": at - 1, "down": at + 1, "right": at + 1}
    to = steps[wish.move] if wish.move else at if wish.y is None else wish.y
    if (to := min(max(to, 0), len(order) - 1)) != at:
        order.insert(to, order.pop(at))
        items = in_phone_order(items, order)
    return [with_phone_width(item, width) if item.key == key else item for item in items]


def in_phone_order(items: Sequence[Item], order: list[str]) -> list[Item]:
    """The widgets with the phone's own order written down."""
    return [msgspec.structs.replace(item, phone_order=order.index(item.key) + 1) for item in items]


def with_phone_width(item: Item, width: int | None) -> Item:
    """The widget as wide on the phone as asked, or as it was."""
    return item if width is None else msgspec.structs.replace(item, phone_w=width)


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """What of a widget is set anew; what is not given stays. An empty title is the type's own."""

    title: Annotated[str, Meta(max_length=80)] | None | msgspec.UnsetType = msgspec.UNSET
    settings: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    phone_hidden: bool | msgspec.UnsetType = msgspec.UNSET
    phone_w: Literal[1, 2] | msgspec.UnsetType = msgspec.UNSET


async def patch(services: Services, who: Reader, slug: str, key: str, asked: Patch) -> PageView:
    """Set a widget's title, settings or what the phone shows of it. Raises Invalid, NotFound."""
    given = {name: value for name, value in set_fields(asked).items() if name != "settings"}

    def patched(items: list[Item]) -> Sequence[Item]:
        item = named(items, key)
        new = msgspec.structs.replace(item, **given)
        if asked.settings is not msgspec.UNSET:
            kept = sparing(BY_NAME[item.type], asked.settings)
            new = msgspec.structs.replace(new, settings=kept)
        return [new if other.key == key else other for other in items]

    op = "phone" if given.keys() & {"phone_hidden", "phone_w"} else "settings"
    return await change(services, who, slug, f"{op}:{key}", patched)


def set_fields(asked: Patch) -> dict[str, Any]:
    """The fields that were given; an empty title is none."""
    given = {name: getattr(asked, name) for name in asked.__struct_fields__}
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


async def remove(services: Services, who: Reader, slug: str, key: str) -> PageView:
    """Take a widget off the page. Raises NotFound."""

    def without(items: list[Item]) -> Sequence[Item]:
        gone = named(items, key)
        return [item for item in items if item is not gone]

    return await change(services, who, slug, f"remove:{key}", without)


class Arranged(msgspec.Struct, frozen=True, kw_only=True):
    """The places of one widget in a whole layout."""

    key: str
    x: Column
    y: Row
    w: Annotated[int, Meta(ge=2, le=placement.COLUMNS)]
    h: Height
    phone_order: Annotated[int, Meta(ge=1, le=MEMBER_CEILING)] | None = None
    phone_w: Literal[1, 2] = 2
    phone_hidden: bool = False


async def arrange(
    services: Services, who: Reader, slug: str, version: int, widgets: Sequence[Arranged]
) -> PageView:
    """Place all widgets of a page at once, on its `version`. Raises Outdated, Invalid, NotFound."""
    by_key = {widget.key: widget for widget in widgets}
    for widget in widgets:
        refuse_overhang(Box(widget.key, widget.x, widget.y, widget.w, widget.h))

    def arranged(items: list[Item]) -> Sequence[Item]:
        if len(widgets) != len(by_key) or by_key.keys() != {item.key for item in items}:
            raise Invalid(
                "A layout names each widget of the page once.",
                errors={"widgets": "Please name each widget of the page once."},
            )
        return [
            msgspec.structs.replace(item, **msgspec.structs.asdict(by_key[item.key]))
            for item in items
        ]

    async with services.tx() as tx:
        page = await page_changes.locked(tx, who, slug)
        if page.version != version:
            raise Outdated(await pages.shown(tx, who, slug))
        await page_changes.make(tx, who, slug, page, "layout", arranged)
        return await pages.shown(tx, who, slug)


class Outdated(Conflict):
    """The page was changed since the caller saw it; `page` is how it stands now."""

    code = "page_changed"

    def __init__(self, page: PageView) -> None:
        super().__init__("This page was changed meanwhile. Please look at it again.")
        self.page = page
