"""Undo and redo of a page are byte-exact over any changes (chapter 20 rule 7)."""

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.homepage import page_changes, page_widgets, pages
from app.domain.homepage.page_widgets import Patch, Place
from app.domain.homepage.widget_types import TYPES
from app.domain.platform.readers import Reader
from app.errors import Problem
from app.services import Services
from tests.people import member

numbers = itertools.count()

ROWS = """
SELECT coalesce(jsonb_agg(to_jsonb(own) - 'page_id' ORDER BY own.key), '[]')::text
FROM page_widgets own JOIN pages p ON p.id = own.page_id WHERE p.user_id = $1 AND p.slug = 'home'
"""

WISHES = st.one_of(
    st.builds(
        Place,
        x=st.none() | st.integers(0, 10),
        y=st.none() | st.integers(0, 30),
        w=st.none() | st.integers(2, 12),
        h=st.none() | st.integers(2, 20),
    ),
    st.builds(Place, move=st.sampled_from(["up", "down", "left", "right"])),
    st.builds(Place, size=st.sampled_from(["s", "m", "l", "full"])),
    st.builds(Place, move=st.sampled_from(["up", "down"]), screen=st.just("phone")),
    st.builds(Place, size=st.sampled_from(["s", "full"]), screen=st.just("phone")),
)
PATCHES = st.one_of(
    st.builds(
        Patch,
        title=st.none()
        | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    ),
    st.builds(Patch, phone_hidden=st.booleans()),
)
CHANGES = st.one_of(
    st.tuples(st.just("place"), WISHES),
    st.tuples(st.just("place"), WISHES),
    st.tuples(st.just("patch"), PATCHES),
    st.tuples(st.just("add"), st.sampled_from([kind.name for kind in TYPES])),
    st.tuples(st.sampled_from(["copy", "remove", "reset"]), st.none()),
)


async def change(services: Services, who: Reader, act: str, what: Any, pick: int) -> None:
    """Make one change on some widget of the page; a refused one changes nothing."""
    keys = [widget.key for widget in (await pages.shown(services, who)).widgets] or ["none"]
    key = keys[pick % len(keys)]
    try:
        if act == "add":
            await page_widgets.add(services, who, "home", what)
        elif act == "reset":
            await page_changes.reset(services, who, "home")
        elif act in ("copy", "remove"):
            await getattr(page_widgets, act)(services, who, "home", key)
        else:
            await getattr(page_widgets, act)(services, who, "home", key, what)
    except Problem:
        pass


async def seen(services: Services, who: Reader) -> tuple[str, str]:
    """A page as it is stored and as it is shown, but for its version."""
    view = await pages.shown(services, who)
    return await services.db.fetchval(ROWS, who.id), repr(view.widgets)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(CHANGES, st.integers(0, 23)), min_size=1, max_size=20))
async def test_undo_and_redo_are_byte_exact(
    services: Services, changes: list[tuple[tuple[str, Any], int]]
) -> None:
    who = await member(services, f"m{next(numbers)}@example.org")
    states = [await seen(services, who)]
    for (act, what), pick in changes:
        await change(services, who, act, what, pick)
        now = await seen(services, who)
        if now[0] != states[-1][0]:
            states.append(now)
    for before in reversed(states[:-1]):
        await page_changes.undo(services, who, "home")
        assert await seen(services, who) == before
    assert not (await page_changes.reach(services, who, "home")).can_undo
    for after in states[1:]:
        await page_changes.redo(services, who, "home")
        assert await seen(services, who) == after
