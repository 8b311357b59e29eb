"""A template published over many people's edits: locks as the template, differences kept, nothing overlaps (§9 line 11)."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.domain.homepage import (
    page_changes,
    pages,
    placement,
    template_choice,
    template_drafts,
    template_merging,
)
from app.domain.homepage.page_rows import Base, Item, Row
from app.domain.homepage.placement import Box, compacted
from app.domain.homepage.template_drafts import LockPatch
from app.domain.homepage.widget_types import BY_NAME
from app.domain.platform.readers import Reader
from app.errors import Problem
from app.services import Services
from tests.homepage.test_page_changes import CHANGES, WISHES, change, seen
from tests.homepage.test_templates import ROOT, designed, publish
from tests.people import member

PEOPLE, EDITS, STEPS = 50, 100, 20
numbers = itertools.count()
ROWS = """
SELECT coalesce(jsonb_agg(to_jsonb(own) - 'page_id'), '[]') FROM page_widgets own
JOIN pages p ON p.id = own.page_id WHERE p.user_id = $1
"""
LOCKS = st.sampled_from(["locked", "pinned", "free"])
DESIGNS = st.one_of(
    st.tuples(st.just("place"), WISHES),
    st.tuples(st.just("patch"), st.builds(LockPatch, lock=LOCKS)),
    st.tuples(st.just("patch"), st.builds(LockPatch, lock=LOCKS, title=st.just("Ours"))),
    st.tuples(st.sampled_from(["remove", "add"]), st.none()),
)


async def redesigned(services: Services, slug: str, act: str, what: Any, pick: int) -> None:
    """Change one widget of a draft; what is refused changes nothing."""
    keys = [widget.key for widget in (await template_drafts.shown(services, slug)).widgets]
    key = keys[pick % len(keys)]
    try:
        if act == "add":
            await template_drafts.add(services, ROOT, slug, "note", {"text": "from the site"})
        elif act == "remove":
            await template_drafts.remove(services, ROOT, slug, key)
        else:
            await getattr(template_drafts, act)(services, ROOT, slug, key, what)
    except Problem:
        pass


def check_page(base: Base, rows: list[Row], shown: list[pages.Widget]) -> None:
    """Locks as the template, differences kept, no overlap."""
    found = {widget.key: widget for widget in shown}
    for item in (item for item in base.items if BY_NAME[item.type].flag is None):
        if item.lock == "locked":
            mine = found[item.key]
            names = ("x", "y", "w", "h", "title", "settings", "phone_hidden")
            assert [getattr(mine, name) for name in names] == [
                getattr(item, name) for name in names
            ]
        assert item.lock == "free" or item.key in found
    for row in rows:
        locked = [item for item in base.items if item.key == row.key and item.lock != "free"]
        if row.removed and not locked:
            assert row.key not in found
        elif row.key in found and not locked:
            check_kept(row, found[row.key])
    boxes = [Box(w.key, w.x, w.y, w.w, w.h) for w in shown]
    assert not any(placement.overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    assert all(box.x >= 0 and box.x + box.w <= 12 for box in boxes)


def check_kept(row: Row, widget: pages.Widget) -> None:
    """What a person changed of a widget is as they changed it; only its row may be another."""
    for name in ("x", "w", "h", "settings", "phone_w", "phone_hidden"):
        assert getattr(row, name) in (None, getattr(widget, name))
    assert row.title in (None, widget.title) or (row.title == "" and widget.title is None)


async def walked(services: Services, who: Reader) -> None:
    """Twenty steps back and all of them forth again lead to the same bytes."""
    before, steps = await seen(services, who), 0
    for _ in range(STEPS):
        try:
            await page_changes.undo(services, who, "home")
        except Problem:
            break
        steps += 1
    for _ in range(steps):
        try:
            await page_changes.redo(services, who, "home")
        except Problem:
            break
    assert await seen(services, who) == before


@settings(
    max_examples=6,
    deadline=None,
    # An example of fifty people takes a second: making a failing one smaller would take an hour.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(CHANGES, st.integers(0, 23), st.integers(0, PEOPLE - 1)),
        min_size=EDITS,
        max_size=EDITS,
    ),
    st.lists(st.tuples(DESIGNS, st.integers(0, 23)), min_size=1, max_size=8),
)
async def test_a_template_published_over_random_edits(
    services: Services, edits: list[Any], designs: list[Any]
) -> None:
    slug = await designed(
        services, f"Front {next(numbers)}", audience="members", priority=next(numbers) % 1000
    )
    people = [await member(services, f"p{next(numbers)}@example.org") for _ in range(PEOPLE)]
    for (act, what), pick, number in edits:
        # A third of the edits are one person's, so that somebody has twenty steps to walk.
        await change(services, people[0 if number % 3 == 0 else number], act, what, pick)
    kept = {who.id: await services.db.fetchval(ROWS, who.id) for who in people}
    for (act, what), pick in designs:
        await redesigned(services, slug, act, what, pick)
    try:
        await publish(services, slug)
    except Problem:
        return
    base = template_choice.chosen(services, people[0])
    for who in people:
        rows = await services.db.fetchval(ROWS, who.id)
        assert rows == kept[who.id]
        view = await pages.shown(services, who)
        check_page(base, msgspec.convert(rows, list[Row]), view.widgets)
    await walked(services, people[0])


@st.composite
def fixed_and_free(draw: st.DrawFn) -> list[Box]:
    """A closed-up page, some of whose boxes are fixed."""
    boxes = []
    for n in range(draw(st.integers(1, 14))):
        w = draw(st.integers(2, 12))
        x, y, h = draw(st.integers(0, 12 - w)), draw(st.integers(0, 30)), draw(st.integers(2, 8))
        boxes.append(Box(f"w{n}", x, y, w, h))
    return [box._replace(fixed=draw(st.booleans())) for box in compacted(boxes)]


@given(fixed_and_free(), st.data())
def test_fixed_boxes_stay_and_the_others_go_around_them(
    boxes: list[Box], data: st.DataObject
) -> None:
    assert compacted(boxes) == boxes
    wish = data.draw(st.sampled_from(boxes))
    x, y = data.draw(st.integers(0, 12 - wish.w)), data.draw(st.integers(0, 40))
    after = placement.moved(boxes, wish._replace(x=x, y=y, fixed=False))
    assert {b for b in boxes if b.fixed and b.key != wish.key} <= set(after)
    assert not any(placement.overlap(a, b) for a, b in itertools.combinations(after, 2))
    assert compacted(after) == after


def test_what_is_pushed_below_a_fixed_box_leaves_the_room_beside_it() -> None:
    boxes = [Box("top", 0, 0, 2, 2), Box("next", 0, 2, 2, 2), Box("fixed", 1, 4, 2, 2, fixed=True)]
    boxes += [Box("left", 0, 6, 2, 2), Box("right", 2, 6, 2, 2)]
    assert compacted(boxes) == boxes
    after = placement.moved(boxes, Box("new", 0, 1, 2, 2))
    assert Box("right", 2, 6, 2, 2) in after
    assert compacted(after) == after


def note(key: str, y: int, **fields: Any) -> Item:
    """A note of a template."""
    return Item(key=key, origin="template", type="note", x=0, y=y, w=4, h=3, **fields)


@pytest.mark.parametrize("lock", ["locked", "pinned"])
def test_what_a_lock_sets_aside_comes_back_when_it_is_lifted(lock: Any) -> None:
    free = Base(items=(note("a", 0), note("b", 3)))
    rows = [
        Row(key="a", origin="template", removed=True),
        Row(key="b", origin="template", title="B"),
    ]
    barred = Base(items=(note("a", 0, lock=lock), note("b", 3)))
    items = template_merging.merged(barred, rows)
    assert [item.key for item in items] == ["a", "b"]
    moved = [
        msgspec.structs.replace(item, title="C") if item.key == "b" else item for item in items
    ]
    after = template_merging.stored(barred, items, moved, rows, acted="b")
    assert [item.key for item in template_merging.merged(free, after)] == ["b"]
