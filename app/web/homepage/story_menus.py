"""What the menu of a story offers, as data for the menu piece."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.homepage.news import Story


def story_menu(story: Story, *, brief: bool = False) -> list[dict[str, Any]]:
    """Save, hide, read; in full lists also what concerns the source and the words."""
    target = f"#story-{story.id}"
    item, page = f"/news/items/{story.item_id}", f"/news/stories/{story.id}"
    entries = [
        switch("Save", "Take out of saved", "bookmark", f"{item}/saved", target, on=story.saved),
        switch("Mark as read", "Mark as unread", "check", f"{page}/read", target, on=story.read),
        {
            "label": "Hide",
            "icon": "eye-off",
            "action": f"{item}/hidden",
            "method": "PUT",
            "target": target,
        },
        {"label": "More about this story", "icon": "info", "href": page},
    ]
    return entries if brief else entries + source_menu(story)


def switch(
    set_it: str, take_back: str, icon: str, action: str, target: str, *, on: bool
) -> dict[str, Any]:
    """An entry that sets a mark, or takes it back where it is set."""
    label, method = (take_back, "DELETE") if on else (set_it, "PUT")
    return {"label": label, "icon": icon, "action": action, "method": method, "target": target}


def source_menu(story: Story) -> list[dict[str, Any]]:
    """What a member can say about the source, and the way to muting a word."""
    feed = f"/feeds/{story.feed_id}/subscription"
    monday = next_monday(datetime.now(UTC)).isoformat()
    three, quiet = {"latest_n": "3"}, {"muted_until": monday}
    return [
        {
            "label": "Only the latest 3 from this source",
            "icon": "filter",
            "action": feed,
            "method": "PATCH",
            "fields": three,
            "line": True,
        },
        {
            "label": "Quiet until Monday",
            "icon": "volume-x",
            "action": feed,
            "method": "PATCH",
            "fields": quiet,
        },
        {"label": "Mute a word", "icon": "ban", "href": "/news/filters"},
    ]


def next_monday(now: datetime) -> datetime:
    """The beginning of next Monday, UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=7 - midnight.weekday())
