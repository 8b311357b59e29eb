"""What the menu of a story offers, as data for the menu piece."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.homepage.news import Story


def story_menu(story: Story, *, brief: bool = False) -> list[dict[str, Any]]:
    """Save, hide, read; in full lists also what concerns the source and the words."""
    target, item = f"#story-{story.row}", f"/news/items/{story.item_id}"
    page = f"/news/stories/{story.id}"
    alone = f"?item={story.item_id}" if story.is_apart else ""
    entries = [
        switch("Save", "Take out of saved", "bookmark", f"{item}/saved", target, on=story.saved),
        switch(
            "Mark as read", "Mark as unread", "check", f"{page}/read{alone}", target, on=story.read
        ),
        {
            "label": "Hide",
            "icon": "eye-off",
            "action": f"{item}/hidden",
            "method": "PUT",
            "target": target,
        },
        {"label": "More about this story", "icon": "info", "href": f"{page}{alone}"},
    ]
    if brief:
        return [*entries, mute(story)]
    return entries + source_menu(story) + tag_menu(story, target) + place_menu(story, page + alone)


def tag_menu(story: Story, target: str) -> list[dict[str, Any]]:
    """A tag that does not fit: it goes for this reader at once."""
    return [
        {
            "label": f"Not about {tag.name.lower()}",
            "icon": "tag",
            "action": f"/news/items/{story.item_id}/tags/{tag.slug}/verdict",
            "method": "PUT",
            "fields": {"verdict": "wrong"},
            "target": target,
        }
        for tag in story.tags
    ]


def mute(story: Story) -> dict[str, Any]:
    """The way to muting a word, those of this headline first."""
    item = f"&item={story.item_id}" if story.is_apart else ""
    return {"label": "Mute a word", "icon": "ban", "href": f"/news/filters?story={story.id}{item}"}


def place_menu(story: Story, page: str) -> list[dict[str, Any]]:
    """What leads to the story's own page: taking an item out of it, and why it stands where it does."""
    apart = {"label": "Not the same story", "icon": "git-merge", "href": f"{page}#sources"}
    why = {"label": "Why here?", "icon": "circle-help", "href": f"{page}#why"}
    return [apart, why] if story.also_in else [why]


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
        mute(story),
    ]


def next_monday(now: datetime) -> datetime:
    """The beginning of next Monday, UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=7 - midnight.weekday())
