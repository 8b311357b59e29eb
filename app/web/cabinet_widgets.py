"""What the cabinet shows of widgets: each type in each of its states, by the fragments and the words of the front page."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from app.domain.homepage import feed_errors, news_widgets, stock_words, stocks, weather_words
from app.domain.homepage.links import Link, LinksWidget
from app.domain.homepage.news import Story, Tag
from app.domain.homepage.news_widgets import NewsWidget
from app.domain.homepage.notes import NoteWidget, html_of
from app.domain.homepage.pages import lone
from app.domain.homepage.search import SearchWidget
from app.domain.homepage.social import SocialPost, SocialWidget, off
from app.domain.homepage.stocks import Quote, StocksWidget
from app.domain.homepage.weather import Day, Hour, Now, WeatherWidget
from app.domain.homepage.widget_types import BY_NAME
from app.domain.platform.ai import usage
from app.web.homepage import widgets
from app.web.pages import Frame

MOMENT = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
SOON = MOMENT + timedelta(minutes=20)
WAITING = "First look under way"


def weather(state: str, sentence: str = "", **more: Any) -> WeatherWidget:
    """The weather of one place with its last good values."""
    hours = [Hour(f"{(9 + n) % 24:02d}", 12 - n // 3, n < 8, "Cloudy") for n in range(24)]
    kept = {
        "as_of": MOMENT,
        "next_try": SOON if sentence else None,
        "time_zone": "UTC",
        "is_mine": True,
    }
    shown = {"now": Now(12, "cloud-sun", "Partly cloudy", high=14, low=6), "hours": hours}
    days = [Day("Today", "cloud-sun", "Partly cloudy", 6, 14, 10)]
    return WeatherWidget("Millbrook", state, sentence, **{**kept, **shown, "days": days, **more})


def quotes(state: str, sentence: str = "") -> StocksWidget:
    """A watchlist of one symbol with its last price."""
    quote = Quote(
        "LNTN", "Lantern Works", state, sentence, as_of=MOMENT, quoted_at=MOMENT, trend="up",
        price=stock_words.text(Decimal("231.40")), change_percent="0.57", closes=["228.10", "229.50", "231.40"],
    )  # fmt: skip
    return StocksWidget(state, sentence, None, MOMENT, SOON, [quote], 1)


def news(state: str, sentence: str = "") -> NewsWidget:
    """Two stories: one with its tag, one that has none yet."""
    told = [("Coastal towns agree on one tide wall", [Tag("local", "Local")]), ("A bridge after 23 years", [])]  # fmt: skip
    stories = [
        Story(n, n, title, "#", "gazette.example", "The Gazette", 1, "", "", MOMENT, None, tags, read=False, saved=False)
        for n, (title, tags) in enumerate(told, 9_000_000)
    ]  # fmt: skip
    return NewsWidget(
        stories, state, MOMENT, "list", sentence, SOON if state == "failing" else None
    )


def posts(state: str, sentence: str = "", **more: Any) -> SocialWidget:
    """A social feed of one post."""
    post = SocialPost(
        1, 1, "instagram", "ada.makes", "image", "Three loaves, one of them straight.", None, MOMENT, archived=False,
        pictures=[], engagement={"likes": 12},
    )  # fmt: skip
    return SocialWidget(state, sentence, as_of=MOMENT, items=[post], **more)


TIMED_OUT, UNREACHED = "timeout", "unreachable"
STATES: dict[str, list[Any]] = {
    "search_bar": [SearchWidget([])],
    "news_feed": [
        news("fresh"),
        NewsWidget([], "waiting", None, sentence=WAITING),
        NewsWidget([], "empty", None, sentence=news_widgets.standing(False, [], MOMENT)[1]),
        news("stale", "The sources have not answered for a while."),
        news("failing", feed_errors.sentence(TIMED_OUT)),
        news("paused", usage.STATES["HARD_STOP"]),
    ],
    "rss_feed": [news("fresh"), news_widgets.UNCHOSEN, news("failing", feed_errors.sentence("html"))],
    "weather": [
        weather("fresh"),
        WeatherWidget("Millbrook", "waiting", WAITING),
        WeatherWidget(None, "empty", "Add a place to see its weather."),
        weather("ageing"),
        weather("stale", "The last look is over 90 minutes ago."),
        weather("failing", weather_words.reason(TIMED_OUT)),
    ],
    "stocks": [
        quotes("fresh"),
        StocksWidget("waiting", WAITING),
        StocksWidget("empty", stocks.EMPTY),
        quotes("ageing", "Prices come in turns."),
        quotes("stale", "Prices come in turns; this one is over 2 hours old."),
        quotes("failing", stock_words.reason(UNREACHED)),
        StocksWidget("off", stocks.OFF),
    ],
    "social_feed": [
        posts("fresh"),
        SocialWidget("waiting", WAITING),
        SocialWidget("empty", "Sign in and connect an account to see its posts."),
        posts("ageing", "Instagram ada.makes: no new look since yesterday."),
        posts("stale", "Instagram ada.makes: no new look for 4 days.", needs_reconnect=True),
        posts("failing", "Instagram ada.makes: no new look for 8 days.", needs_reconnect=True),
        off(),
    ],
    "quick_links": [
        LinksWidget([Link(1, "Library", "https://library.example/")], "fresh", "main"),
        LinksWidget([], "empty", "main"),
    ],
    "note": [NoteWidget(html_of("The repair café opens on **Saturday**."), "fresh"), NoteWidget("", "empty")],
}  # fmt: skip


def drawn(frame: Frame) -> list[tuple[str, list[str]]]:
    """The cards of each type, under its name."""
    return [(BY_NAME[name].label, [card(name, view, frame) for view in views]) for name, views in STATES.items()]  # fmt: skip


def card(name: str, view: Any, frame: Frame) -> str:
    """One widget as the front page draws it, under a key of its own."""
    widget = msgspec.structs.replace(lone(name), key=f"cabinet-{name}-{view.state}".replace("_", "-"))  # fmt: skip
    return widgets.drawn(widget, view, frame, "0")
