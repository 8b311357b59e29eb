"""What the cabinet shows of social feeds: posts of every kind, and the card in each of its states."""

from datetime import UTC, datetime
from typing import Any

MOMENT = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)


def post(kind: str, caption: str, **more: Any) -> dict[str, Any]:
    """Return one post as the social pieces want it."""
    return {
        "platform": "instagram",
        "account": "ada.makes",
        "kind": kind,
        "caption": caption,
        "permalink": "#",
        "posted_at": MOMENT,
        "archived": False,
        "pictures": [],
        "engagement": {"likes": 12, "comments": 1},
        **more,
    }


POSTS = [
    post("image", "Three loaves, one of them straight."),
    post(
        "carousel",
        "Straßenbahnhaltestellenbeleuchtungsanlagenwartungsbetriebsgesellschaftsjubiläum " * 3,
        engagement={"likes": 999_999},
    ),
    post("text", "صباح الخير من المرفأ", platform="facebook", engagement={"shares": 3}),
    post("reel", "", archived=True, engagement={}),
]
RECONNECT = {"href": "#", "label": "Reconnect"}
STATES: list[dict[str, Any]] = [
    {"title": "Fresh", "state": "fresh", "sentence": ""},
    {
        "title": "Slightly stale",
        "state": "ageing",
        "sentence": "Instagram ada.makes: no new look since yesterday.",
    },
    {
        "title": "Stale",
        "state": "stale",
        "sentence": "Instagram ada.makes: no new look for 4 days.",
        "action": RECONNECT,
    },
    {
        "title": "Very stale",
        "state": "failing",
        "sentence": "Instagram ada.makes: no new look for 8 days.",
        "action": RECONNECT,
    },
    {"title": "Waiting", "state": "waiting", "sentence": "First look under way"},
    {
        "title": "Empty",
        "state": "empty",
        "sentence": "Connect an account to see its posts here.",
        "action": {"href": "#", "label": "Connect an account"},
    },
    {"title": "Off", "state": "off", "sentence": "Social feeds are not set up on this site."},
]
SOCIAL: dict[str, Any] = {"posts": POSTS, "social_states": STATES}
