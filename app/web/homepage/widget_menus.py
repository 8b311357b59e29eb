"""What the menu of a widget's card offers on the page itself, as data for the menu piece (chapter 20 §6)."""

from collections.abc import Sequence
from typing import Any

from app.domain.homepage.pages import Widget

Entries = list[dict[str, Any]]
# A change made here leads back to the page, not into the editor.
BACK = "?then=page"


def widget_menu(widget: Widget, slug: str, leads: Sequence[dict[str, Any]] = ()) -> Entries:
    """Where its content leads, then Settings, Move, Hide on phone and Remove, as far as the operator's lock allows.

    Without a slug the widget stands on no page, and there is nothing to arrange.
    """
    if not slug or widget.lock == "locked":
        return list(leads)
    at = f"/pages/{slug}/widgets/{widget.key}"
    own = [
        {"label": "Settings", "icon": "settings", "href": f"{at}{BACK}"},
        *moves(widget, slug, at),
    ]
    if widget.lock == "free":
        own += [switch(widget, at), removal(at)]
    own[0]["line"] = bool(leads)
    return [*leads, *own]


def moves(widget: Widget, slug: str, at: str) -> Entries:
    """On a wide screen the way to the handle in the editor; on a phone, where all stand in one column, the steps themselves."""
    home = "/" if slug == "home" else f"/pages/{slug}"
    editor = f"{home}?edit=1#at-{widget.key}"
    entries = [{"label": "Move", "icon": "grip-vertical", "href": editor, "screen": "wide"}]
    for step in ("up", "down"):
        if step == "down" or widget.phone_order > 1:
            fields = {"move": step, "screen": "phone"}
            entries.append(
                act(f"Move {step}", f"arrow-{step}", "put", f"{at}/place", fields, screen="phone")
            )
    return entries


def switch(widget: Widget, at: str) -> dict[str, Any]:
    """Whether the phone shows it."""
    label, value = ("Show on phone", "off") if widget.phone_hidden else ("Hide on phone", "on")
    return act(label, "smartphone", "patch", at, {"phone_hidden": value})


def removal(at: str) -> dict[str, Any]:
    """Off the page; the notice that follows offers to undo it."""
    return act("Remove", "trash-2", "delete", at, {}, danger=True)


def act(
    label: str, icon: str, method: str, action: str, fields: dict[str, str], **more: Any
) -> dict[str, Any]:
    """An entry that changes the page by a plain form."""
    base = {"label": label, "icon": icon, "method": method, "fields": fields}
    return {**base, "action": f"{action}{BACK}", **more}
