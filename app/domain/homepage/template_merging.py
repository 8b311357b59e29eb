"""A template and one person's differences make their page; the page makes the differences again (chapter 20 rule 5)."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from app.domain.homepage import placement
from app.domain.homepage.page_rows import (
    CHANGEABLE,
    PLACES,
    Base,
    Item,
    Row,
    closed_up,
    own_item,
    own_row,
)
from app.domain.homepage.widget_types import BY_NAME

# The phone's order is written down for all widgets at once, so it tells nothing of one.
TELLING = tuple(name for name in CHANGEABLE if name != "phone_order")


def merged(base: Base, rows: Iterable[Row], hidden: Collection[str] = ()) -> list[Item]:
    """The widgets of a page, closed up. One of a type that the site or this reader does not have takes no room."""
    by_key = {row.key: row for row in rows}
    found: list[Item | None] = []
    placed = set()
    for item in base.items:
        row = by_key.get(item.key)
        if row is not None and is_about(row, item):
            del by_key[item.key]
            found.append(with_difference(item, row))
            if row.x is not None and item.lock != "locked":
                placed.add(item.key)
        else:
            found.append(item)
    taken = {item.key for item in base.items}
    for row in by_key.values():
        own = theirs(base, row, taken)
        found.append(own)
        placed.add(own.key if own else row.key)
    return settled([item for item in found if item and is_there(item, hidden)], placed)


def is_there(item: Item, hidden: Collection[str]) -> bool:
    """Whether the site has this widget's type, and the reader too."""
    return item.type in BY_NAME and item.type not in hidden


def is_about(row: Row, item: Item) -> bool:
    """Whether a row says how one person has this widget of the template: a difference, or what became theirs before
    the template had it again."""
    return row.origin == "template" or row.type == item.type


def with_difference(item: Item, row: Row) -> Item | None:
    """A template's widget as one person has it; None when they took it away. What a lock forbids counts for nothing."""
    if item.lock == "locked":
        return item
    if row.removed and item.lock == "free":
        return None
    changes = {name: getattr(row, name) for name in CHANGEABLE if getattr(row, name) is not None}
    if changes.get("title") == "":
        changes["title"] = None
    if item.lock == "pinned":
        changes.pop("phone_hidden", None)
    return msgspec.structs.replace(item, **changes)


def theirs(base: Base, row: Row, taken: set[str]) -> Item | None:
    """A widget that is the person's alone: added by them, or changed by them before the template dropped it."""
    if row.origin == "own":
        item = own_item(row)
        return (
            item
            if item.key not in taken
            else msgspec.structs.replace(item, key=beside(row.key, taken))
        )
    before = base.past.get(row.key)
    if before is None or row.removed or not is_changed(row):
        return None
    free = msgspec.structs.replace(before, origin="own", lock="free")
    return with_difference(free, row)


def is_changed(row: Row) -> bool:
    """Whether a difference says that the person changed the widget itself."""
    return any(getattr(row, name) is not None for name in TELLING)


def beside(key: str, taken: set[str]) -> str:
    """Another key for a widget whose own the template has for something else."""
    numbered = (f"{key[:28]}_{n}" for n in range(2, len(taken) + 3))
    return next(found for found in numbered if found not in taken)


def settled(items: Sequence[Item], placed: Collection[str]) -> list[Item]:
    """The widgets closed up: where one of the template comes in on what the person placed, that one goes down."""
    mine = [item.box for item in items if item.key in placed]
    coming = {
        item.key: top_of(item.box, mine)
        for item in items
        if item.key not in placed and item.lock != "locked"
    }
    asked = [
        msgspec.structs.replace(item, y=coming[item.key])
        if coming.get(item.key, item.y) != item.y
        else item
        for item in items
    ]
    return closed_up(asked, coming)


def top_of(box: placement.Box, others: Iterable[placement.Box]) -> int:
    """The row from which a box pushes down what it would lie on."""
    return min([box.y, *(other.y for other in others if placement.overlap(box, other))])


def stored(
    base: Base,
    before: Sequence[Item],
    items: Sequence[Item],
    rows: Iterable[Row],
    hidden: Collection[str] = (),
    acted: str = "",
) -> list[Row]:
    """The rows that say this page, by key.

    A widget's place is written down where the person put it: if the others come to stand where they are by themselves,
    they go on following the template. `before` are the widgets until now, `acted` the one that the change was about.
    """
    was = {row.key: row for row in rows}
    known = {item.key for item in before}
    still = {row.key: row for row in was.values() if rests(base, row, known, hidden)}
    kept = {row.key for row in was.values() if row.x is not None} | {acted}
    boxes = {item.key: item.box for item in before}
    pushed = {item.key for item in items if boxes.get(item.key) != item.box}
    there = msgspec.structs.replace(
        base, items=tuple(item for item in base.items if is_there(item, hidden))
    )
    for places in (kept, kept | pushed):
        found = rows_of(there, items, was, still, places)
        if merged(base, found, hidden) == list(items):
            return found
    return rows_of(there, items, was, still, {item.key for item in items})


def rests(base: Base, row: Row, known: Collection[str], hidden: Collection[str]) -> bool:
    """Whether nobody sees this row now, and it stays as it was: of a widget that is locked, that is no more, or of a
    type that the reader does not have."""
    for item in base.items:
        if item.key == row.key:
            return item.lock == "locked" or not is_there(item, hidden)
    return row.key not in known


def rows_of(
    base: Base,
    items: Iterable[Item],
    was: Mapping[str, Row],
    still: Mapping[str, Row],
    places: Collection[str],
) -> list[Row]:
    """The rows of a page, by key; of the widgets in `places` with their place."""
    by_key = {item.key: item for item in items}
    rows = {}
    for origin in base.items:
        item = by_key.pop(origin.key, None)
        if origin.key in still or origin.lock == "locked":
            continue
        row = difference(origin, item, was.get(origin.key), origin.key in places)
        if row is not None:
            rows[row.key] = row
    rows |= {key: own_row(item) for key, item in by_key.items()}
    rows |= still
    return [rows[key] for key in sorted(rows)]


def difference(origin: Item, item: Item | None, was: Row | None, with_place: bool) -> Row | None:
    """The row of a template's widget; None when it is as the template says."""
    if item is None:
        return Row(key=origin.key, origin="template", removed=True)
    changes = {
        name: getattr(item, name)
        for name in CHANGEABLE
        if name not in PLACES and getattr(item, name) != getattr(origin, name)
    }
    if "title" in changes:
        changes["title"] = changes["title"] or ""
    if with_place and item.box != origin.box:
        changes |= {name: getattr(item, name) for name in PLACES}
    # Taken away before the operator said that it must stay: free again, it is away again.
    removed = origin.lock == "pinned" and was is not None and was.removed
    if not changes and not removed:
        return None
    return Row(key=item.key, origin="template", removed=removed, **changes)
