"""Placement: where widgets stand on the three screens (chapter 20 rules 1 to 3). Pure: same input, same layout."""

from collections.abc import Callable, Collection, Iterable
from typing import Literal, NamedTuple

COLUMNS = 12
TABLET_COLUMNS = 6
ROWS = 1000

Step = Literal["up", "down", "left", "right"]
Size = Literal["s", "m", "l", "full"]


class Box(NamedTuple):
    """One widget's place: columns and rows from 0, width and height in cells. A fixed one gives way to nobody."""

    key: str
    x: int
    y: int
    w: int
    h: int
    fixed: bool = False


def compacted(boxes: Iterable[Box], first: Collection[str] = ()) -> list[Box]:
    """Slide each box up as far as it can. What would overlap goes down, never sideways; ties by y, x, key.

    Among boxes of one row `first` are placed before the others: who moves a widget wants it where they put it.
    Fixed boxes stay where they are, and the others go around them.
    """
    order = sorted(boxes, key=lambda box: (box.y, box.key not in first, box.x, box.key))
    fixed = sorted((box for box in order if box.fixed), key=lambda box: box.y)
    bottoms = [0] * COLUMNS
    placed = []
    for box in order:
        columns = slice(box.x, box.x + box.w)
        if box.fixed:
            # What was pushed below it fills some of its columns only: beside that there is room right under it.
            bottoms[columns] = [max(bottom, box.y + box.h) for bottom in bottoms[columns]]
        else:
            box = beneath(box._replace(y=max(bottoms[columns])), fixed)
            bottoms[columns] = [box.y + box.h] * box.w
        placed.append(box)
    placed.sort(key=lambda box: (box.y, box.x, box.key))
    return placed


def beneath(box: Box, fixed: list[Box]) -> Box:
    """The box where it stands, or lower: under every fixed one that it would lie on. `fixed` stand by their rows."""
    for other in fixed:
        if overlap(box, other):
            box = box._replace(y=other.y + other.h)
    return box


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share a cell."""
    return beside(one, other) and one.y < other.y + other.h and other.y < one.y + one.h


def moved(boxes: Iterable[Box], box: Box) -> list[Box]:
    """The layout once a box, new or known by its key, is put down where `box` says."""
    others = [other for other in boxes if other.key != box.key]
    tops = [other.y for other in others if beside(other, box) and in_upper_half(box.y, other)]
    return compacted([*others, box._replace(y=min(tops, default=box.y))], first=(box.key,))


def beside(other: Box, box: Box) -> bool:
    """Whether two boxes share a column."""
    return other.x < box.x + box.w and box.x < other.x + other.w


def in_upper_half(y: int, other: Box) -> bool:
    """Whether a box put down at y stands on the upper half of another: then it takes that one's place."""
    return other.y < y < other.y + other.h / 2


def stepped(boxes: Iterable[Box], key: str, step: Step) -> list[Box]:
    """The layout after one step: a column to the side, or past the next widget above or below."""
    boxes = list(boxes)
    [box] = [box for box in boxes if box.key == key]
    others = [other for other in boxes if other.key != key]
    now = compacted(boxes)
    # Where a fixed box leaves no room, the step goes on to the next place beyond it.
    layouts = (compacted([*others, wish], (key,)) for wish in STEPS[step](box, boxes))
    return next((layout for layout in layouts if layout != now), now)


def above(box: Box, boxes: list[Box]) -> list[Box]:
    """The box where the next one above it stands, or the next but one, up to the top."""
    rows = {other.y for other in boxes if beside(other, box) and other.y < box.y}
    return [box._replace(y=row) for row in sorted({0, *rows}, reverse=True)]


def below(box: Box, boxes: list[Box]) -> list[Box]:
    """The box one row under the top of the next one below it: placed after that one, it comes to stand under it."""
    rows = [other.y for other in boxes if beside(other, box) and other.y > box.y]
    return [box._replace(y=min(rows) + 1)] if rows else []


STEPS: dict[Step, Callable[[Box, list[Box]], list[Box]]] = {
    "up": above,
    "down": below,
    "left": lambda box, _: [box._replace(x=max(0, box.x - 1))],
    "right": lambda box, _: [box._replace(x=min(COLUMNS - box.w, box.x + 1))],
}

SIZES: dict[Size, tuple[int, int]] = {"s": (4, 3), "m": (6, 4), "l": (8, 6)}


def sized(boxes: Iterable[Box], key: str, size: Size) -> list[Box]:
    """The layout after a widget took one of the named sizes; `full` is the whole width at its height."""
    boxes = list(boxes)
    [box] = [box for box in boxes if box.key == key]
    w, h = SIZES.get(size, (COLUMNS, box.h))
    return moved(boxes, box._replace(x=min(box.x, COLUMNS - w), w=w, h=h))


def roomiest(boxes: Iterable[Box], key: str, w: int, h: int) -> Box:
    """The place for a new widget: where it comes to stand highest, then furthest to the left."""
    bottoms = [0] * COLUMNS
    for box in boxes:
        for column in range(box.x, box.x + box.w):
            bottoms[column] = max(bottoms[column], box.y + box.h)
    y, x = min((max(bottoms[x : x + w]), x) for x in range(COLUMNS - w + 1))
    return Box(key, x, y, w, h)


def tablet(boxes: Iterable[Box]) -> dict[str, Box]:
    """The same order on six columns: edges halved, at least 2 wide, each as high up as its order allows."""
    bottoms = [0] * TABLET_COLUMNS
    places = {}
    for key, x, _, w, h, _ in boxes:
        width = max(2, (x + w + 1) // 2 - (x + 1) // 2)
        left = highest(bottoms, min((x + 1) // 2, TABLET_COLUMNS - width), width)
        top = max(bottoms[left : left + width])
        bottoms[left : left + width] = [top + h] * width
        places[key] = Box(key, left, top, width, h)
    return places


def highest(bottoms: list[int], wish: int, width: int) -> int:
    """The column where a box comes to stand highest, as near as can be to the one it would have by halving."""
    if max(bottoms[wish : wish + width]) == min(bottoms):
        return wish
    columns = range(TABLET_COLUMNS - width + 1)
    return min(columns, key=lambda at: (max(bottoms[at : at + width]), abs(at - wish), at))
