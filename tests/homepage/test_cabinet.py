"""The cabinet: each widget in each state that it can take, in the words of chapter 20 §6."""

import re

import pytest

from app.domain.homepage.widget_types import BY_NAME
from app.web import cabinet_widgets
from tests.people import Browser

# What each type says of itself, by what fills it.
STATES = {
    "search_bar": {"fresh"},
    "news_feed": {"fresh", "waiting", "empty", "stale", "failing", "paused"},
    "rss_feed": {"fresh", "empty", "failing"},
    "weather": {"fresh", "waiting", "empty", "ageing", "stale", "failing"},
    "stocks": {"fresh", "waiting", "empty", "ageing", "stale", "failing", "off"},
    "social_feed": {"fresh", "waiting", "empty", "ageing", "stale", "failing", "off"},
    "quick_links": {"fresh", "empty"},
    "note": {"fresh", "empty"},
}
CARD = re.compile(r'<section [^>]*id="widget-(cabinet-[a-z-]+)".*?</section>', re.S)


@pytest.fixture
async def cards(browser: Browser) -> dict[str, str]:
    """The cards of the cabinet's widgets by their keys."""
    page = (await browser.get("/cabinet")).text
    return {found[1]: found[0] for found in CARD.finditer(page)}


def test_every_type_is_there_in_every_state(cards: dict[str, str]) -> None:
    wanted = {
        f"cabinet-{name}-{state}".replace("_", "-")
        for name, states in STATES.items()
        for state in states
    }
    assert cards.keys() == wanted
    assert cabinet_widgets.STATES.keys() == STATES.keys() <= BY_NAME.keys()
    for key, card in cards.items():
        assert f'data-state="{key.rsplit("-", 1)[1]}"' in card


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("weather-waiting", ["First look under way", "waiting-line"]),
        ("weather-empty", ["Add a place"]),
        ("stocks-empty", ["Add symbols"]),
        ("news-feed-empty", ["Find feeds"]),
        ("weather-stale", ["state-stale", "12°"]),
        ("weather-failing", ["12°", "took too long", "Next try 10:02"]),
        ("news-feed-failing", ["Coastal towns", "Next try 10:02"]),
        ("news-feed-paused", ["AI tagging is paused because this month&#39;s budget has been reached.", ">untagged<"]),
        ("stocks-off", ["Stocks are not set up on this site."]),
        ("stocks-failing", ["231.40", "does not answer"]),
        ("social-feed-stale", ["Reconnect"]),
    ],
)  # fmt: skip
def test_a_state_is_said_in_the_words_of_the_chapter(
    cards: dict[str, str], key: str, words: list[str]
) -> None:
    card = cards[f"cabinet-{key}"]
    assert [word for word in words if word not in card] == []


def test_only_stories_without_a_tag_are_called_untagged_and_only_in_a_pause(
    cards: dict[str, str],
) -> None:
    assert [key for key, card in cards.items() if ">untagged<" in card] == [
        "cabinet-news-feed-paused"
    ]
    assert cards["cabinet-news-feed-paused"].count(">untagged<") == 1


async def test_a_refused_position_is_said_and_what_to_do(browser: Browser) -> None:
    page = (await browser.get("/cabinet")).text.replace("&#39;", "'")
    assert "We couldn't access your location. Enter a city to see weather." in page
