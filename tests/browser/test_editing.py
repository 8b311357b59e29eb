"""Arranging the page: mouse, finger, keyboard and plain forms reach the same layout in Chromium."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

WIDE = {"width": 1280, "height": 1500}
ROW = 88


@pytest.fixture
def editor(site: Any, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the editor for a new visitor: editor(has_touch=True)."""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> Page:
        contexts.append(chromium.new_context(**{"viewport": WIDE, **options}))
        page = contexts[-1].new_page()
        page.goto(f"{site.url}/?edit=1")
        return page

    yield opened
    for context in contexts:
        context.close()


def layout(page: Page) -> list[dict[str, Any]]:
    """The widgets of the page as its twin gives them."""
    origin = page.url.split("/?")[0].rstrip("/")
    return page.request.get(f"{origin}/api/pages/home").json()["widgets"]  # type: ignore[no-any-return]


def places(page: Page) -> dict[str, tuple[int, int, int, int]]:
    """Where each widget stands on the desktop."""
    return {w["key"]: (w["x"], w["y"], w["w"], w["h"]) for w in layout(page)}


def column(page: Page) -> float:
    """The width of one column with its gap, in px."""
    return (page.locator("#grid").bounding_box()["width"] + 8) / 12  # type: ignore[index]


def middle(page: Page, selector: str) -> tuple[float, float]:
    """The point in the middle of an element."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def placed(page: Page, act: Callable[[], None]) -> None:
    """Do something that the server answers with the page as it then stands."""
    with page.expect_response(lambda answer: answer.url.endswith("/place")):
        act()
    expect(page.locator("#arranged[aria-busy]")).to_have_count(0)


def by_mouse(page: Page, selector: str, columns: int, rows: int) -> None:
    """Drag an element by that many cells with the mouse."""
    x, y = middle(page, selector)

    def drag() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + columns * column(page), y + rows * ROW, steps=8)
        page.mouse.up()

    placed(page, drag)


def by_touch(page: Page, selector: str, columns: int, rows: int) -> None:
    """Drag an element by that many cells with one finger."""
    x, y = middle(page, selector)
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, part: float) -> None:
        points = [{"x": x + columns * column(page) * part, "y": y + rows * ROW * part}]
        devtools.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [] if kind == "touchEnd" else points},
        )

    def drag() -> None:
        touch("touchStart", 0)
        for step in range(1, 9):
            touch("touchMove", step / 8)
        touch("touchEnd", 1)

    placed(page, drag)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until that element has the focus."""
    for _ in range(60):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not come to {selector}")


def by_keys(page: Page, key: str, *presses: tuple[str, int]) -> None:
    """Take a widget by keyboard, press arrows, and drop it."""
    tab_to(page, f"#handle-{key}")
    page.keyboard.press("Space")
    for name, times in presses:
        for _ in range(times):
            page.keyboard.press(name)
    placed(page, lambda: page.keyboard.press("Space"))


def by_form(page: Page, key: str, label: str, times: int = 1) -> None:
    """Press one entry of a widget's menu."""
    for _ in range(times):
        page.locator(f"#arrange-{key}-button").click()
        page.locator(f"#arrange-{key}").get_by_role("button", name=label, exact=True).click()
        page.wait_for_load_state()


def arranged_by_pointer(page: Page, drag: Callable[..., None]) -> None:
    """The task of this file by mouse or finger: weather under the news and larger, the news to the top."""
    drag(page, "#handle-weather .icon", -8, 6)
    drag(page, "#at-weather .grow", 2, 1)
    drag(page, "#handle-news .icon", 0, -2)


ARRANGED = {
    "news": (0, 0, 8, 6),
    "search": (0, 6, 12, 2),
    "weather": (0, 8, 6, 4),
    "links": (0, 12, 12, 2),
}


def test_the_four_ways_reach_the_same_layout(editor: Callable[..., Page]) -> None:
    mouse = editor()
    arranged_by_pointer(mouse, by_mouse)
    assert places(mouse) == ARRANGED

    finger = editor(has_touch=True)
    arranged_by_pointer(finger, by_touch)
    assert layout(finger) == layout(mouse)

    keys = editor()
    by_keys(keys, "weather", ("ArrowLeft", 8), ("ArrowDown", 6))
    by_keys(keys, "weather", ("Shift+ArrowRight", 2), ("Shift+ArrowDown", 1))
    by_keys(keys, "news", ("ArrowUp", 2))
    assert layout(keys) == layout(mouse)

    plain = editor(java_script_enabled=False)
    for key, label, times in (
        ("weather", "Move down", 1),
        ("weather", "Move left", 8),
        ("weather", "Move up", 1),
        ("weather", "Size M", 1),
        ("news", "Move up", 1),
    ):
        by_form(plain, key, label, times)
    assert layout(plain) == layout(mouse)


def test_the_live_region_says_where_a_widget_is(editor: Callable[..., Page]) -> None:
    page = editor()
    said = page.locator("#live-region")
    tab_to(page, "#handle-weather")
    page.keyboard.press("Space")
    expect(said).to_have_text("Taken. Weather, column 9, row 3, 4 by 3")
    page.keyboard.press("ArrowLeft")
    expect(said).to_have_text("Weather, column 8, row 3, 4 by 3")
    page.keyboard.press("Shift+ArrowDown")
    expect(said).to_have_text("Weather, column 8, row 3, 4 by 4")
    page.keyboard.press("Escape")
    expect(said).to_have_text("Put back. Weather, column 9, row 3, 4 by 3")
    assert places(page)["weather"] == (8, 2, 4, 3)
    expect(page.locator("#handle-weather")).to_be_focused()


def test_escape_puts_back_what_the_mouse_holds(editor: Callable[..., Page]) -> None:
    page = editor()
    before = layout(page)
    page.mouse.move(*middle(page, "#handle-weather .icon"))
    page.mouse.down()
    page.mouse.move(200, 900, steps=4)
    expect(page.locator(".ghost")).to_be_visible()
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator(".ghost")).to_have_count(0)
    assert layout(page) == before


def test_undo_and_redo_keep_the_page_and_the_focus(editor: Callable[..., Page]) -> None:
    page = editor()
    before = layout(page)
    by_mouse(page, "#handle-weather .icon", -8, 6)
    after = layout(page)
    page.locator("#undo").click()
    expect(page.locator("#at-weather")).to_have_attribute("data-x", "8")
    assert layout(page) == before
    page.locator("#redo").click()
    expect(page.locator("#at-weather")).to_have_attribute("data-x", "0")
    assert layout(page) == after
    expect(page.locator("#notices")).not_to_contain_text("could not")


def test_a_widget_is_added_and_takes_the_focus(editor: Callable[..., Page]) -> None:
    page = editor()
    page.locator("#picker > summary").click()
    page.get_by_role("button", name="Add Note").click()
    expect(page.locator("#handle-note")).to_be_focused()
    expect(page.locator("#notices")).to_contain_text("Saved on this browser for 30 days.")
    by_form(page, "note", "Remove")
    expect(page.locator("#at-note")).to_have_count(0)


def test_a_phone_has_its_own_order(editor: Callable[..., Page]) -> None:
    page = editor(viewport={"width": 390, "height": 844}, has_touch=True)
    before = places(page)
    by_keys(page, "links", ("ArrowUp", 2), ("Shift+ArrowLeft", 1))
    order = sorted(layout(page), key=lambda widget: widget["phone_order"])
    assert [widget["key"] for widget in order] == ["search", "links", "news", "weather"]
    assert order[1]["phone_w"] == 1 and places(page) == before


def test_a_tablet_arranges_the_twelve_columns(editor: Callable[..., Page]) -> None:
    page = editor(viewport={"width": 800, "height": 1500}, has_touch=True)
    by_touch(page, "#handle-weather .icon", -8, 6)
    assert places(page)["weather"] == (0, 8, 4, 3)


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_the_editor_is_never_wider_than_the_screen(editor: Callable[..., Page], width: int) -> None:
    page = editor(viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
