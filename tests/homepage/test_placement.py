"""Placement: widgets slide up, never sideways, and the same input is the same layout."""

import random

from hypothesis import given
from hypothesis import strategies as st

from app.domain.homepage import placement
from app.domain.homepage.placement import Box, compacted, moved, sized, stepped, tablet

HOME = [
    Box("search", 0, 0, 12, 2),
    Box("news", 0, 2, 8, 6),
    Box("weather", 8, 2, 4, 3),
    Box("links", 0, 8, 12, 2),
]


@st.composite
def a_box(draw: st.DrawFn, key: str) -> Box:
    """A box somewhere on the desktop."""
    w = draw(st.integers(2, 12))
    return Box(
        key, draw(st.integers(0, 12 - w)), draw(st.integers(0, 40)), w, draw(st.integers(2, 20))
    )


@st.composite
def pages(draw: st.DrawFn) -> list[Box]:
    """A page of up to 24 boxes, overlapping as they like."""
    return [draw(a_box(f"w{n}")) for n in range(draw(st.integers(1, 24)))]


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share a cell."""
    rows = one.y < other.y + other.h and other.y < one.y + one.h
    return rows and placement.beside(one, other)


def place_of(boxes: list[Box], key: str) -> tuple[int, int]:
    """Column and row of a box."""
    return next((box.x, box.y) for box in boxes if box.key == key)


@given(pages())
def test_nothing_overlaps_and_nothing_goes_sideways(boxes: list[Box]) -> None:
    placed = compacted(boxes)
    assert not any(overlap(a, b) for n, a in enumerate(placed) for b in placed[n + 1 :])
    assert sorted((b.key, b.x, b.w, b.h) for b in placed) == sorted(
        (b.key, b.x, b.w, b.h) for b in boxes
    )


@given(pages())
def test_each_widget_slides_up_as_far_as_it_can(boxes: list[Box]) -> None:
    placed = compacted(boxes)
    for box in placed:
        higher = box._replace(y=box.y - 1)
        assert box.y == 0 or any(overlap(higher, other) for other in placed if other != box)


@given(pages(), st.randoms())
def test_the_same_widgets_in_any_order_are_the_same_layout(
    boxes: list[Box], order: random.Random
) -> None:
    shuffled = order.sample(boxes, len(boxes))
    assert repr(compacted(shuffled)) == repr(compacted(boxes))


@given(pages())
def test_a_layout_that_stands_is_left_alone(boxes: list[Box]) -> None:
    placed = compacted(boxes)
    assert compacted(placed) == placed


@given(pages(), st.data())
def test_who_moves_a_widget_gets_its_column_and_the_rest_stays_in_order(
    boxes: list[Box], drawn: st.DataObject
) -> None:
    placed = compacted(boxes)
    wish = drawn.draw(a_box(drawn.draw(st.sampled_from(placed)).key))
    after = moved(placed, wish)
    assert compacted(after) == after
    assert next(b for b in after if b.key == wish.key)[3:] == wish[3:]
    assert place_of(after, wish.key)[0] == wish.x


@given(pages(), st.data())
def test_steps_and_sizes_keep_every_widget_on_the_grid(
    boxes: list[Box], drawn: st.DataObject
) -> None:
    placed = compacted(boxes)
    key = drawn.draw(st.sampled_from(placed)).key
    for after in (
        *(stepped(placed, key, step) for step in ("up", "down", "left", "right")),
        *(sized(placed, key, size) for size in ("s", "m", "l", "full")),
    ):
        assert len(after) == len(placed)
        assert all(box.x >= 0 and box.x + box.w <= 12 and box.w >= 2 for box in after)


@given(pages())
def test_a_step_down_comes_under_the_next_widget_and_a_step_up_above_it(boxes: list[Box]) -> None:
    placed = compacted(boxes)
    for box in placed:
        under = [other for other in placed if placement.beside(other, box) and other.y > box.y]
        after = {other.key: other for other in stepped(placed, box.key, "down")}
        if under:
            nearest = min(under, key=lambda other: other.y)
            assert after[nearest.key].y < after[box.key].y
        else:
            assert list(after.values()) == placed


@given(pages())
def test_the_tablet_keeps_order_and_halves_width(boxes: list[Box]) -> None:
    placed = compacted(boxes)
    places = list(tablet(placed).values())
    assert [box.key for box in places] == [box.key for box in placed]
    assert not any(overlap(a, b) for n, a in enumerate(places) for b in places[n + 1 :])
    for wide, box in zip(placed, places, strict=True):
        assert box.x >= 0 and box.x + box.w <= 6 and box.h == wide.h
        assert box.w == 2 or abs(box.w - wide.w / 2) <= 0.5


def test_a_widget_put_on_the_upper_half_of_another_takes_its_place() -> None:
    after = moved(HOME, Box("weather", 0, 4, 4, 3))
    assert place_of(after, "weather") == (0, 2)
    assert place_of(after, "news") == (0, 5)
    assert place_of(after, "links") == (0, 11)


def test_a_widget_put_on_the_lower_half_of_another_goes_below_it() -> None:
    after = moved(HOME, Box("weather", 0, 5, 4, 3))
    assert place_of(after, "news") == (0, 2)
    assert place_of(after, "weather") == (0, 8)


def test_up_down_left_and_right_go_one_step() -> None:
    assert place_of(stepped(HOME, "weather", "left"), "weather") == (7, 2)
    assert place_of(stepped(HOME, "weather", "right"), "weather") == (8, 2)
    assert place_of(stepped(HOME, "weather", "up"), "weather") == (8, 0)
    assert place_of(stepped(HOME, "weather", "down"), "weather") == (8, 10)


def test_a_new_widget_finds_the_highest_room() -> None:
    assert placement.roomiest(HOME[:3], "note", 4, 3) == Box("note", 8, 5, 4, 3)
    assert placement.roomiest(HOME, "note", 4, 3) == Box("note", 0, 10, 4, 3)
