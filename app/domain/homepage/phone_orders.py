"""The phone's own order of a page's widgets (chapter 20 rule 3)."""

from collections.abc import Sequence

import msgspec

from app.domain.homepage.page_rows import Item


def phone_order(items: Sequence[Item]) -> list[str]:
    """The keys in the phone's own order. What came later, or all while untouched, follows the desktop.

    A widget that the operator locked keeps its place among them.
    """
    order = movable(items)
    for item in sorted(locked(items), key=lambda item: item.phone_order or 0):
        order.insert((item.phone_order or 1) - 1, item.key)
    return order


def movable(items: Sequence[Item]) -> list[str]:
    """The keys of the widgets that a person may put elsewhere, in the phone's order."""
    free = [item for item in items if item.lock != "locked"]
    last = len(items) + 1
    return [item.key for item in sorted(free, key=lambda item: item.phone_order or last)]


def locked(items: Sequence[Item]) -> list[Item]:
    """The widgets that only the operator moves."""
    return [item for item in items if item.lock == "locked"]


def in_phone_order(items: Sequence[Item], order: Sequence[str]) -> list[Item]:
    """The widgets with the phone's own order of the movable ones written down."""
    return [
        msgspec.structs.replace(item, phone_order=order.index(item.key) + 1)
        if item.key in order
        else item
        for item in items
    ]
