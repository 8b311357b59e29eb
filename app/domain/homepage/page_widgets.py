"""Widgets of a page: adding, placing, setting, copying and removing them (chapter 20 rules 1 to 3, 7, 10)."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import page_changes, pages, placement, widget_offers
from app.domain.homepage.page_changes import Outdated, change
from app.domain.homepage.page_rows import PLACES, Item
from app.domain.homepage.pages import PageView, Widget
from app.domain.homepage.placement import Box
from app.domain.homepage.widget_edits import (
    MEMBER_CEILING,
    PUTS,
    VISITOR_CEILING,
    Column,
    Height,
    Patch,
    Place,
    Row,
    free_key,
    named,
    patched,
    refuse_locked,
    refuse_overhang,
    sparing,
    with_copy,
    with_new,
    without,
)
from app.domain.homepage.widget_types import BY_NAME, WidgetType
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid
from app.services import Services


class Added(msgspec.Struct, frozen=True):
    """A new widget, and the page with it."""

    widget: Widget
    page: PageView


async def add(
    services: Services,
    who: Reader,
    slug: str,
    name: str,
    settings: dict[str, Any] | None = None,
) -> Added:
    """Add a widget of that type where it stands highest. Raises Invalid, NotFound, and Conflict when the page is full."""
    kind = widget_offers.named(services, who, name)
    kept = sparing(kind, settings)

    return await added(
        services,
        who,
        slug,
        "add",
        lambda _: kind,
        lambda items, key: with_new(items, key, kind, kept),
    )


async def copy(services: Services, who: Reader, slug: str, key: str) -> Added:
    """Put a copy of a widget right below it. Raises NotFound, and Conflict when the page is full."""

    return await added(
        services,
        who,
        slug,
        "copy",
        lambda items: BY_NAME[named(items, key).type],
        lambda items, new: with_copy(items, key, new),
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
        items = page.items
        if len(items) >= ceiling:
            raise Conflict(
                f"A page holds at most {ceiling} widgets. Remove one to add another.",
                code="page_full",
            )
        key = free_key(kind_of(items).kind, page.taken())
        await page_changes.make(tx, who, page, f"{op}:{key}", lambda items: edit(items, key))
        view = await pages.shown(tx, who, slug)
    return Added(next(widget for widget in view.widgets if widget.key == key), view)


async def place(services: Services, who: Reader, slug: str, key: str, wish: Place) -> PageView:
    """Put a widget where somebody wants it; the others make room. Raises Invalid, NotFound, Conflict for a locked one."""
    put, op = PUTS[wish.screen], "phone" if wish.screen == "phone" else "place"

    def placed(items: list[Item]) -> Sequence[Item]:
        refuse_locked(named(items, key))
        return put(items, key, wish)

    return await change(services, who, slug, f"{op}:{key}", placed)


async def patch(services: Services, who: Reader, slug: str, key: str, asked: Patch) -> PageView:
    """Set a widget's title, settings or what the phone shows of it. Raises Invalid, NotFound."""
    is_phone = {asked.phone_hidden, asked.phone_w} != {msgspec.UNSET}
    op = "phone" if is_phone else "settings"
    return await change(services, who, slug, f"{op}:{key}", lambda now: patched(now, key, asked))


async def remove(services: Services, who: Reader, slug: str, key: str) -> PageView:
    """Take a widget off the page. Raises NotFound."""

    return await change(services, who, slug, f"remove:{key}", lambda now: without(now, key))


class Arranged(msgspec.Struct, frozen=True, kw_only=True):
    """The places of one widget in a whole layout."""

    key: str
    x: Column
    y: Row
    w: Annotated[int, Meta(ge=2, le=placement.COLUMNS)]
    h: Height
    phone_order: Annotated[int, Meta(ge=1, le=2 * MEMBER_CEILING)] | None = None
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
        return [at_place(item, by_key[item.key]) for item in items]

    async with services.tx() as tx:
        page = await page_changes.locked(tx, who, slug)
        if page.version != version:
            raise Outdated(await pages.shown(tx, who, slug))
        await page_changes.make(tx, who, page, "layout", arranged)
        return await pages.shown(tx, who, slug)


def at_place(item: Item, place: Arranged) -> Item:
    """The widget at its place of a layout. What the phone shows of a locked one is not the caller's to say."""
    given = msgspec.structs.asdict(place)
    if item.lock == "locked":
        given = {name: given[name] for name in PLACES}
    return msgspec.structs.replace(item, **given)
