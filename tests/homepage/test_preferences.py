"""Preferences: one checked document; the theme of the page; an accent that can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.homepage import accents, preferences
from app.services import Services
from tests.people import Browser, member


async def test_a_change_keeps_the_other_choices(browser: Browser) -> None:
    await browser.json("PUT", "/api/preferences", {"units": "imperial", "theme": {"mode": "dark"}})
    mine = (await browser.json("PATCH", "/api/preferences", {"theme": {"contrast": "high"}})).json()
    assert (mine["units"], mine["theme"]) == (
        "imperial",
        {"mode": "dark", "accent": None, "contrast": "high"},
    )
    assert (await browser.json("GET", "/api/preferences")).json() == mine


@pytest.mark.parametrize(
    "wrong",
    [{"colour": "red"}, {"theme": {"mode": "blue"}}, {"clock": "13"}, {"time_zone": "Mars/Base"}, {"theme": {"accent": "red"}},
     {"search_engine": {"name": "x", "template": "http://a.example/{q}"}}],
)  # fmt: skip
async def test_what_is_not_a_choice_is_refused_and_nothing_changes(
    browser: Browser, wrong: dict[str, object]
) -> None:
    before = (await browser.json("GET", "/api/preferences")).json()
    answer = await browser.json("PATCH", "/api/preferences", wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert (await browser.json("GET", "/api/preferences")).json() == before


async def test_the_theme_stands_in_the_page_and_the_form_saves_it(browser: Browser) -> None:
    form = {
        "_method": "PATCH",
        "theme.mode": "dark",
        "theme.contrast": "high",
        "theme.own_accent": "on",
        "theme.accent": "#ffee00",
        "density": "compact",
    }
    assert (await browser.post("/preferences", form)).status_code == 303
    page = (await browser.get("/preferences")).text
    assert 'data-theme="dark" data-contrast="high" data-density="compact"' in page
    assert "/accents/ffee00.css" in page
    css = (await browser.get("/accents/ffee00.css")).text
    assert "--accent: light-dark(" in css
    assert (await browser.get("/accents/javascript.css")).status_code == 404


async def test_a_corrupt_document_never_takes_the_page_down(
    browser: Browser, services: Services
) -> None:
    who = await member(services)
    await services.db.execute(
        "INSERT INTO preferences (user_id, doc) VALUES ($1, $2)",
        who.id,
        {"units": 7, "theme": {"mode": 3}},
    )
    await browser.sign_in(who)
    assert (await browser.get("/preferences")).status_code == 200
    assert (await browser.get("/")).status_code == 200


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_every_accent_can_be_read_on_its_ground(colour: str) -> None:
    for ground in (accents.LIGHT_GROUND, accents.DARK_GROUND):
        assert accents.contrast(accents.readable(colour, ground), ground) >= 4.5


def test_a_readable_accent_stays_as_it_is() -> None:
    assert accents.readable("#1464f4", "#ffffff") == "#1464f4"


def test_names_with_dots_become_a_document() -> None:
    assert preferences.nested({"a.b": "1", "c": "", "_method": "PUT"}) == {
        "a": {"b": "1"},
        "c": None,
    }
