"""Pages: adding, placing, setting, undoing, tabs and files, as people and scripts do it."""

import asyncio
import json
from typing import Any

import pytest

from app.domain.homepage import page_changes, page_widgets, pages
from app.domain.homepage.page_widgets import Place
from app.errors import Conflict
from app.services import Services
from tests.people import Browser, member


def places(page: dict[str, Any]) -> dict[str, tuple[int, int, int, int]]:
    """Where each widget of a page's JSON stands."""
    return {widget["key"]: tuple(widget[name] for name in "xywh") for widget in page["widgets"]}


async def page_of(browser: Browser, slug: str = "home") -> dict[str, Any]:
    """A page as its twin gives it."""
    return (await browser.json("GET", f"/api/pages/{slug}")).json()


async def put(browser: Browser, key: str, **wish: object) -> dict[str, Any]:
    """Place a widget of the front page; answer the page."""
    answer = await browser.json("PUT", f"/api/pages/home/widgets/{key}/place", wish)
    assert answer.status_code == 200, answer.text
    return answer.json()


HOME = {
    "search": (0, 0, 12, 2),
    "news": (0, 2, 8, 6),
    "weather": (8, 2, 4, 3),
    "links": (0, 8, 12, 2),
}


async def test_a_stranger_sees_the_built_in_page_and_leaves_no_trace(browser: Browser) -> None:
    page = await page_of(browser)
    assert places(page) == HOME and not page["is_touched"]
    assert await browser.services.db.fetchval("SELECT count(*) FROM pages") == 0


async def test_a_visitors_first_change_makes_their_row_and_says_so_once(browser: Browser) -> None:
    form = {"_method": "PUT", "x": "0", "y": "4"}
    answer = await browser.post("/pages/home/widgets/weather/place", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?edit=1#at-weather")
    assert "vu_anon_id" in answer.cookies and answer.cookies["vu_said"] == "saved_visitor"
    assert places(await page_of(browser))["weather"] == (0, 2, 4, 3)
    again = await browser.post("/pages/home/widgets/weather/place", form | {"x": "3"})
    assert "vu_said" not in again.cookies


async def test_a_fragment_shows_the_arranged_page_and_the_first_notice(browser: Browser) -> None:
    headers = {"hx-request": "true"}
    answer = await browser.post("/widgets", {"type": "note"}, headers=headers)
    assert answer.status_code == 200
    assert 'id="arranged"' in answer.text and 'id="at-note"' in answer.text
    assert "Saved on this browser for 30 days. Sign in to keep it." in answer.text
    again = await browser.post("/widgets", {"type": "note"}, headers=headers)
    assert 'id="at-note_2"' in again.text and "Saved on this browser" not in again.text


async def test_what_is_refused_makes_no_visitor(browser: Browser) -> None:
    count = "SELECT count(*) FROM users WHERE kind = 'visitor'"
    before = await browser.services.db.fetchval(count)
    wrong = [
        await browser.json("PUT", "/api/pages/home/widgets/news/place", {"x": 11}),
        await browser.json("POST", "/api/widgets", {"type": "nothing"}),
        await browser.json("POST", "/api/widgets", {"type": "note", "settings": {"colour": 1}}),
        await browser.json("POST", "/api/pages/home/undos"),
    ]
    assert [answer.status_code for answer in wrong] == [422, 422, 422, 409]
    assert await browser.services.db.fetchval(count) == before


async def test_the_moved_widget_stays_and_the_others_go_down(browser: Browser) -> None:
    page = await put(browser, "weather", x=0, y=2)
    assert places(page) == {
        "search": (0, 0, 12, 2),
        "weather": (0, 2, 4, 3),
        "news": (0, 5, 8, 6),
        "links": (0, 11, 12, 2),
    }
    assert page["version"] == 1


async def test_steps_and_sizes_place_as_coordinates_do(browser: Browser) -> None:
    await put(browser, "weather", move="down")
    for _ in range(8):
        page = await put(browser, "weather", move="left")
    assert places(page)["weather"] == (0, 10, 4, 3)
    page = await put(browser, "weather", size="full")
    assert places(page)["weather"] == (0, 10, 12, 3)


async def test_a_place_over_the_edge_is_refused_with_a_sentence(browser: Browser) -> None:
    answer = await browser.json("PUT", "/api/pages/home/widgets/news/place", {"x": 5, "w": 8})
    assert answer.status_code == 422
    assert answer.json()["errors"] == {"x": "Column and width together go to 12."}


async def test_a_change_that_changes_nothing_is_no_change(browser: Browser) -> None:
    page = await put(browser, "news", x=0, y=2)
    assert page["version"] == 0
    assert (await browser.json("GET", "/api/pages/home/history")).json()["items"] == []


async def test_the_phone_follows_the_desktop_until_it_is_touched(browser: Browser) -> None:
    def order(page: dict[str, Any]) -> list[str]:
        return [w["key"] for w in sorted(page["widgets"], key=lambda w: w["phone_order"])]

    page = await put(browser, "weather", x=0, y=2)
    assert order(page) == ["search", "weather", "news", "links"]
    page = await put(browser, "links", move="up", screen="phone")
    assert order(page) == ["search", "weather", "links", "news"]
    page = await put(browser, "news", x=0, y=2)
    assert order(page) == ["search", "weather", "links", "news"]
    page = await put(browser, "links", size="s", screen="phone")
    assert "pw-1" in next(w["classes"] for w in page["widgets"] if w["key"] == "links")


async def test_a_widget_hidden_on_the_phone_says_so_in_its_classes(browser: Browser) -> None:
    answer = await browser.json("PATCH", "/api/pages/home/widgets/news", {"phone_hidden": True})
    [news] = [w for w in answer.json()["widgets"] if w["key"] == "news"]
    assert news["phone_hidden"] and news["classes"].endswith("phone-hidden")


async def test_settings_come_from_the_form_and_what_is_not_ticked_is_off(browser: Browser) -> None:
    form = await browser.get("/pages/home/widgets/weather")
    assert 'name="settings.hours"' in form.text and 'name="settings.place_id"' in form.text
    sent = {"_method": "PATCH", "whole": "on", "title": " Outside ", "settings.days": "on"}
    answer = await browser.post("/pages/home/widgets/weather", sent)
    assert answer.headers["location"] == "/?edit=1#at-weather"
    [weather] = [w for w in (await page_of(browser))["widgets"] if w["key"] == "weather"]
    assert (weather["title"], weather["settings"]) == ("Outside", {"hours": False})


async def test_wrong_settings_come_back_with_sentence_and_input(browser: Browser) -> None:
    sent = {"_method": "PATCH", "whole": "on", "title": "Mine", "settings.count": "99"}
    answer = await browser.post("/pages/home/widgets/news", sent)
    assert answer.status_code == 422
    assert "Please choose a number of at most 20." in answer.text
    assert 'value="99"' in answer.text and 'value="Mine"' in answer.text


async def test_settings_over_four_kilobytes_are_refused(browser: Browser) -> None:
    text = "\n" * 2_500
    answer = await browser.json(
        "POST", "/api/widgets", {"type": "note", "settings": {"text": text}}
    )
    assert answer.status_code == 422


async def test_a_copy_stands_right_below_with_the_same_settings(browser: Browser) -> None:
    await browser.json("PATCH", "/api/pages/home/widgets/weather", {"settings": {"days": False}})
    answer = await browser.json("POST", "/api/pages/home/widgets/weather/copies")
    assert answer.status_code == 201
    widget = answer.json()["widget"]
    assert (widget["key"], widget["x"], widget["y"]) == ("weather_2", 8, 5)
    assert widget["settings"] == {"days": False} and widget["origin"] == "own"


async def test_a_removed_widget_leaves_no_gap_and_comes_back_by_undo(browser: Browser) -> None:
    page = (await browser.json("DELETE", "/api/pages/home/widgets/search")).json()
    assert places(page) == {"news": (0, 0, 8, 6), "weather": (8, 0, 4, 3), "links": (0, 6, 12, 2)}
    page = (await browser.json("POST", "/api/pages/home/undos")).json()
    assert places(page) == HOME
    page = (await browser.json("POST", "/api/pages/home/redos")).json()
    assert "search" not in places(page)


async def test_a_page_is_full_at_12_for_visitors_and_24_for_members(browser: Browser) -> None:
    async def fill() -> int:
        while (await browser.json("POST", "/api/widgets", {"type": "note"})).status_code == 201:
            pass
        return len((await page_of(browser))["widgets"])

    assert await fill() == 12
    await browser.sign_in(await member(browser.services))
    assert await fill() == 24
    answer = await browser.json("POST", "/api/pages/home/widgets/news/copies")
    assert (answer.status_code, answer.json()["code"]) == (409, "page_full")


async def test_a_new_change_drops_what_could_be_redone(services: Services) -> None:
    ada = await member(services)
    await page_widgets.place(services, ada, "home", "weather", Place(x=0, y=2))
    await page_changes.undo(services, ada, "home")
    assert (await page_changes.reach(services, ada, "home")).can_redo
    await page_widgets.remove(services, ada, "home", "links")
    with pytest.raises(Conflict, match="nothing to redo"):
        await page_changes.redo(services, ada, "home")


async def test_the_history_ends_after_50_steps_and_30_days(services: Services) -> None:
    ada = await member(services)
    for n in range(52):
        await page_widgets.place(services, ada, "home", "weather", Place(x=n % 2, y=2))
    assert (await page_changes.history(services, ada, "home")).total == 50
    await services.db.execute("UPDATE page_changes SET made_at = now() - interval '31 days'")
    assert not (await page_changes.reach(services, ada, "home")).can_undo
    await page_widgets.remove(services, ada, "home", "links")
    assert await services.db.fetchval("SELECT count(*) FROM page_changes") == 1


async def test_a_reset_brings_the_built_in_page_back_and_can_be_undone(browser: Browser) -> None:
    await browser.json("POST", "/api/widgets", {"type": "note"})
    moved = places(await put(browser, "weather", x=0, y=2))
    page = (await browser.json("POST", "/api/pages/home/resets")).json()
    assert places(page) == HOME and not page["is_touched"]
    assert places((await browser.json("POST", "/api/pages/home/undos")).json()) == moved
    history = await browser.get("/pages/home/history")
    assert "Set the page back" in history.text and "Added Note" in history.text


async def test_two_people_moving_different_widgets_both_win(services: Services) -> None:
    ada = await member(services)
    await page_widgets.place(services, ada, "home", "weather", Place(x=0, y=2))
    view = await page_widgets.place(services, ada, "home", "links", Place(y=0))
    found = {widget.key: (widget.x, widget.y) for widget in view.widgets}
    assert found == {"links": (0, 0), "search": (0, 2), "weather": (0, 4), "news": (0, 7)}


async def test_a_layout_on_an_old_version_is_refused_with_the_newer_page(browser: Browser) -> None:
    seen = await put(browser, "weather", x=0, y=2)
    newer = await put(browser, "links", y=0)
    names = ("key", "x", "y", "w", "h")
    widgets = [{name: widget[name] for name in names} for widget in seen["widgets"]]
    layout = {"version": seen["version"], "widgets": widgets}
    answer = await browser.json("PUT", "/api/pages/home/layout", layout)
    assert (answer.status_code, answer.json()["code"]) == (409, "page_changed")
    assert answer.json()["page"]["version"] == newer["version"]
    layout["version"] = newer["version"]
    answer = await browser.json("PUT", "/api/pages/home/layout", layout)
    assert places(answer.json()) == places(seen)


async def test_a_layout_names_every_widget_once(browser: Browser) -> None:
    widgets = [{"key": "news", "x": 0, "y": 0, "w": 4, "h": 4}]
    answer = await browser.json("PUT", "/api/pages/home/layout", {"version": 0, "widgets": widgets})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["widgets"])


async def test_the_same_page_is_read_in_one_query_and_the_built_in_one_in_none(
    services: Services,
) -> None:
    ada = await member(services)
    await page_widgets.place(services, ada, "home", "weather", Place(x=0, y=2))
    asked: list[str] = []
    services.db.connection.add_query_logger(lambda record: asked.append(record.query))
    await pages.shown(services, ada)
    await asyncio.sleep(0)  # the logger is called in the loop's next turn
    assert len(asked) == 1
    await pages.shown(services, None)
    await asyncio.sleep(0)
    assert len(asked) == 1


async def test_members_have_ten_tabs_and_visitors_none(browser: Browser) -> None:
    assert (await browser.json("POST", "/api/pages", {"name": "Work"})).status_code == 401
    await browser.sign_in(await member(browser.services))
    answers = [await browser.json("POST", "/api/pages", {"name": "Work"}) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [201] * 9 + [409]
    assert [answer.json()["slug"] for answer in answers[:3]] == ["work", "work-2", "work-3"]
    tabs = await browser.get("/pages")
    assert tabs.text.count('href="/pages/work') >= 9


async def test_a_tab_is_renamed_moved_and_removed(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    for name in ("Work", "Reading"):
        await browser.post("/pages", {"name": name})
    await browser.post("/pages/work", {"_method": "PATCH", "name": "Büro"})
    await browser.post("/pages/reading", {"_method": "PATCH", "position": "1"})
    tabs = (await browser.json("GET", "/api/pages")).json()["items"]
    assert [tab["name"] for tab in tabs] == ["Home", "Reading", "Büro"]
    assert (await browser.json("DELETE", "/api/pages/work")).json()["total"] == 2
    assert (await browser.json("DELETE", "/api/pages/home")).status_code == 409
    assert (await browser.json("PATCH", "/api/pages/home", {"name": "Start"})).status_code == 200


async def test_tabs_lead_from_page_to_page_and_an_empty_one_says_so(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    assert 'aria-label="My pages"' not in (await browser.get("/")).text
    await browser.post("/pages", {"name": "Work"})
    home, work = await browser.get("/"), await browser.get("/pages/work")
    assert '<a href="/pages/work">Work</a>' in home.text and "This page is empty." not in home.text
    assert '<a href="/pages/work" aria-current="page">Work</a>' in work.text
    assert "This page is empty." in work.text
    await browser.json("POST", "/api/widgets", {"type": "note", "page": "work"})
    assert "This page is empty." not in (await browser.get("/pages/work")).text


async def test_a_tab_without_a_name_is_asked_for_again(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    answer = await browser.post("/pages", {"name": "  "})
    assert answer.status_code == 422 and "Please fill this in." in answer.text


async def test_another_persons_page_and_widget_do_not_exist(browser: Browser) -> None:
    ada = await member(browser.services)
    await pages.add(browser.services, ada, "Secret plans")
    note = await page_widgets.add(browser.services, ada, "secret-plans", "note")
    await browser.sign_in(await member(browser.services, "bob@example.org"))
    at = "/api/pages/secret-plans"
    for method, path, body in (
        ("GET", at, None),
        ("PATCH", at, {"name": "Mine"}),
        ("DELETE", at, None),
        ("GET", f"{at}/history", None),
        ("GET", f"{at}/export", None),
        ("POST", f"{at}/undos", None),
        ("DELETE", f"{at}/widgets/{note.widget.key}", None),
        ("PUT", f"/api/pages/home/widgets/{note.widget.key}/place", {"x": 1}),
        ("POST", "/api/widgets", {"type": "note", "page": "secret-plans"}),
    ):
        assert (await browser.json(method, path, body)).status_code == 404, path


async def test_a_page_leaves_as_a_file_and_comes_back_as_a_tab(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    await browser.json("POST", "/api/widgets", {"type": "note", "settings": {"text": "Grüße"}})
    await put(browser, "links", move="up", screen="phone")
    before = await put(browser, "weather", x=0, y=2)
    file = await browser.get("/pages/home/export")
    assert file.headers["content-disposition"].startswith("attachment")
    answer = await browser.post("/pages/imports", files={"file": ("page.json", file.content)})
    assert answer.headers["location"] == "/pages/home-2?edit=1"
    after = await page_of(browser, "home-2")
    for page in (before, after):
        for widget in page["widgets"]:
            del widget["origin"]
    assert after["widgets"] == before["widgets"]


async def test_a_file_that_is_no_page_is_refused(browser: Browser) -> None:
    await browser.sign_in(await member(browser.services))
    good = (await browser.json("GET", "/api/pages/home/export")).json()
    for wrong in (
        b"{}",
        b"[" * 100_000,
        b"\xff",
        json.dumps(good | {"version": 2}).encode(),
        json.dumps(good | {"widgets": good["widgets"] * 2}).encode(),
        json.dumps(good | {"widgets": [good["widgets"][0] | {"type": "x"}]}).encode(),
        json.dumps(good | {"name": "a\u0000"}).encode(),
    ):
        answer = await browser.post("/pages/imports", files={"file": ("page.json", wrong)})
        assert answer.status_code == 422, wrong[:40]
    assert (await browser.json("GET", "/api/pages")).json()["total"] == 1


async def test_the_widgets_and_what_can_be_added_are_listed(browser: Browser) -> None:
    found = (await browser.json("GET", "/api/widgets")).json()
    assert [widget["key"] for widget in found["widgets"]] == list(HOME)[:1] + [
        "news",
        "weather",
        "links",
    ]
    assert {"search_bar", "news_feed", "rss_feed", "weather", "quick_links", "note"} <= {
        offer["type"] for offer in found["types"]
    }
    assert "Add Note" in (await browser.get("/widgets")).text


async def test_a_type_that_the_site_no_longer_has_takes_no_room_and_is_kept(
    services: Services,
) -> None:
    ada = await member(services)
    note = await page_widgets.add(services, ada, "home", "note")
    await services.db.execute("UPDATE page_widgets SET type = 'tickers' WHERE key = 'note'")
    view = await page_widgets.place(services, ada, "home", "weather", Place(x=0, y=2))
    assert note.widget.key not in [widget.key for widget in view.widgets]
    kept = await services.db.fetchval("SELECT type FROM page_widgets WHERE key = 'note'")
    assert kept == "tickers"


async def test_the_editor_works_without_a_script(browser: Browser) -> None:
    page = await browser.get("/?edit=1")
    for words in ("Editing", "Add widget", "Undo", "Redo", "Phone layout", "Done"):
        assert words in page.text
    assert page.text.count('class="handled ') == 4
    assert "style=" not in page.text and "onclick" not in page.text
