"""What the cabinet shows: every piece's sample values, the awkward ones included."""

from datetime import UTC, datetime
from typing import Any

from app.web.cabinet_social import SOCIAL

MOMENT = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
LONG_WORD = (
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsvorstandes"
)
LONG_NAME = "Wilhelmina Antoinette van der Meer-Oosterhuis-Bloemendaal van Nieuwenhuizen tot "
ARABIC = "علماء يكتشفون نوعا جديدا من المرجان في البحر الأحمر"

# The reader's hours begin with the present one; the low comes before dawn.
TEMPERATURES = [12, 13, 13, 14, 14, 13, 12, 11, 10, 9, 9, 8, 8, 7, 7, 7, 6, 6, 6, 7, 8, 9, 10, 11]

CARD_MENU: list[dict[str, Any]] = [
    {"label": "Settings", "href": "#", "icon": "settings"},
    {"label": "Move", "href": "#", "icon": "grip-vertical"},
    {"label": "Hide on phone", "href": "#", "icon": "smartphone"},
    {"label": "Remove", "href": "#", "icon": "trash-2", "danger": True, "line": True},
]

STATES: list[dict[str, Any]] = [
    {"state": "fresh", "sentence": "", "title": "Fresh"},
    {"state": "ageing", "sentence": "The next look is due.", "title": "Ageing"},
    {
        "state": "stale",
        "sentence": "This is older than it should be.",
        "next_try": "about 10:20",
        "title": "Stale",
    },
    {
        "state": "failing",
        "sentence": "The source did not answer in time.",
        "next_try": "at 10:15",
        "title": "Failing",
    },
    {
        "state": "paused",
        "sentence": "AI tagging is paused because this month's budget has been reached.",
        "title": "Paused",
    },
    {"state": "waiting", "sentence": "First look under way", "title": "Waiting"},
    {
        "state": "empty",
        "sentence": "No place has been chosen yet.",
        "action": {"href": "#", "label": "Add a place", "icon": "map-pin"},
        "title": "Empty",
    },
    {"state": "off", "sentence": "Stocks are not set up on this site.", "title": "Off"},
]


def story(number: int, title: str, source: str, age: str, **more: Any) -> dict[str, Any]:
    """Return one story as the news pieces want it."""
    return {
        "id": f"sample-{number}",
        "title": title,
        "href": "#",
        "source": source,
        "at": MOMENT,
        "age_text": age,
        **more,
    }


STORY_MENU: list[dict[str, Any]] = [
    {"label": "Save", "href": "#", "icon": "bookmark"},
    {"label": "Hide", "href": "#", "icon": "eye-off"},
    {"label": "Only the latest 3 from this source", "href": "#", "icon": "filter"},
    {"label": "Quiet until Monday", "href": "#", "icon": "volume-x"},
    {"label": "Not the same story", "href": "#", "icon": "git-merge", "line": True},
    {"label": "Why here?", "href": "#", "icon": "circle-help"},
]

STORIES = [
    story(
        1,
        "Coastal towns agree on one tide wall after eleven years of dispute",
        "The Gazette",
        "18 min ago",
        also=5,
        summary="Seven councils signed in the early hours. Building starts in spring and is to be "
        "done before the winter of 2029.",
        tags=[{"label": "environment", "href": "#"}],
        menu_items=STORY_MENU,
    ),
    story(
        2,
        "Central bank leaves its rate where it was and hints at June",
        "Market Post",
        "42 min ago",
        also=1,
        summary="Markets had expected as much.",
        tags=[{"label": "business", "href": "#"}],
    ),
    story(3, LONG_WORD, "Morgenblatt", "2 h ago", tags=[{"label": "local", "href": "#"}]),
    story(4, ARABIC, "صحيفة", "3 h ago", also=4),
    story(5, "A story that has been read", "The Gazette", "5 h ago", read=True),
    story(
        6, "A story that was saved and has no tag yet", "Wire", "6 h ago", saved=True, untagged=True
    ),
]

HOURS = [
    {
        "label": f"{(9 + hour) % 24:02d}",
        "temperature": degrees,
        "daylight": 8 <= (9 + hour) % 24 < 17,
        "words": "rain" if 8 < hour < 12 else "cloudy",
        "rain": 60 if 8 < hour < 12 else 0,
    }
    for hour, degrees in enumerate(TEMPERATURES)
]

DAYS = [
    {"label": label, "icon": icon, "words": words, "low": low, "high": high, "rain": rain}
    for label, icon, words, low, high, rain in [
        ("Today", "cloud-sun", "Partly cloudy", 6, 14, 10),
        ("Wed", "cloud-rain", "Rain", 7, 12, 80),
        ("Thu", "cloud-drizzle", "Drizzle", 5, 11, 40),
        ("Fri", "sun", "Sunny", -3, 13, 0),
        ("Sat", "cloud-snow", "Snow", -4, 2, 90),
        ("Sun", "cloud-lightning", "Thunder", 8, 17, 70),
        ("Mon", "cloud-fog", "Fog, low not known", None, 10, 0),
    ]
]


def quote(
    symbol: str, name: str, price: str | None, percent: str | None, **more: Any
) -> dict[str, Any]:
    """Return one quote as the pieces of stocks want it."""
    rising = {"-": "down", "0": None}.get((percent or "0")[0], "up")
    plain = {
        "symbol": symbol,
        "name": name,
        "price": price,
        "change": None,
        "change_percent": percent,
    }
    fresh = {
        "state": "fresh",
        "sentence": "",
        "as_of": MOMENT,
        "quoted_at": MOMENT,
        "trend": rising,
    }
    return {**plain, **fresh, "currency": "USD", "exchange": "NYSE", "closes": [], **more}


QUOTES = [
    quote(
        "ACME", "Acme Works", "231.40", "1.24", closes=["226.10", "228", "227.35", "229", "231.40"]
    ),
    quote("BOLT", LONG_NAME, "418.02", "-0.61", closes=["425", "422", "423.50", "420", "418.02"]),
    quote("^IDX", "The whole exchange", "5998.74", "0.00", closes=["5990", "5980", "6010", "5996"]),
    quote(
        "OLD", "Asked in its turn", "17.35", "0.12", state="stale", closes=["17", "17.20", "17.35"]
    ),
    quote("DOWN", ARABIC, "0.000123", "-88.00", state="failing", currency="EUR"),
    quote("NEW", "Just added", None, None, state="waiting", sentence="First look under way"),
    quote("NOPE", "", None, None, state="empty", sentence="None of our sources knows this symbol."),
]
MARKET = {"label": "Market open", "day": None, "until": MOMENT}

JOBS: list[dict[str, Any]] = [
    {"job": {"text": name, "href": "#", "note": note}, "state": {"text": word, "badge": badge}}
    | {"tries": tries, "at": {"at": MOMENT, "text": at}}
    for name, note, word, badge, tries, at in [
        ("refresh_feed", "feed:12:2026-11-24T09:42", "done", "success", 1, "as of 09:42"),
        ("tag_items", "9f3c21a0", "paused", "paused", 1, "09:41"),
        ("take_screenshot", "site:884", "failed", "failing", "999,999", "09:40"),
        ("purge_news", "", "waiting", "waiting", 0, "03:10"),
    ]
]

PER_HOUR = [
    {"label": f"{hour:02d}:00", "value": value}
    for hour, value in enumerate([120, 90, 60, 140, 420, 690, 640, None, 650, 480, 330, 160])
]

SAMPLES: dict[str, Any] = {
    "moment": MOMENT,
    "long_word": LONG_WORD,
    "long_name": LONG_NAME,
    "arabic": ARABIC,
    "card_menu": CARD_MENU,
    "states": STATES,
    "stories": STORIES,
    "now": {
        "temperature": 12,
        "icon": "cloud-sun",
        "words": "Partly cloudy",
        "feels": 10,
        "high": 14,
        "low": 6,
        "place": "Millbrook",
        "wind": "SW 18 km/h",
    },
    "hours": HOURS,
    "days": DAYS,
    "alerts": [{"title": "Gale warning", "until": "18:00", "href": "#"}],
    "quotes": QUOTES,
    "market": MARKET,
    "links": [
        {"title": title, "href": "#"}
        for title in ["Mail", "Library", "Timetable", LONG_WORD, ARABIC, "Repair café"]
    ],
    **SOCIAL,
    "jobs": JOBS,
    "job_columns": [
        {"key": "job", "label": "Job", "href": "#", "sort": "asc"},
        {"key": "state", "label": "State"},
        {"key": "tries", "label": "Attempts", "kind": "num"},
        {"key": "at", "label": "Run at"},
    ],
    "per_hour": PER_HOUR,
    "prices": [{"label": f"{day} Nov", "value": 220 + (day * 7) % 13} for day in range(1, 25)],
    "errors": {
        "sample.title": "Give the listing a title of 10 to 100 letters.",
        "sample.price": "Write the price in whole euros, for example 120.",
    },
    "changes": [("enabled", "false", "true"), ("rollout_percentage", "25", "100")]
    + [("owner", None, LONG_NAME)],
}


def samples() -> dict[str, Any]:
    """Return what fragments/cabinet/page.html is given."""
    return {"samples": SAMPLES}
