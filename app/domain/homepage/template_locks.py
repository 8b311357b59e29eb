"""Locks: what of a template's widgets is the operator's, and what a person hears who tries it (chapter 20 rules 4 and 7)."""

from collections.abc import Iterable, Sequence

from app.domain.homepage.page_rows import CHANGEABLE, Base, Item, Lock, Row
from app.domain.homepage.widget_types import BY_NAME
from app.errors import Conflict

# What the editor says beside the lock.
WHY: dict[Lock, str] = {
    "locked": "The site keeps this widget as it is for everybody.",
    "pinned": "The site wants this widget on every page. You may move it and change its size.",
    "free": "",
}


def label_of(item: Item) -> str:
    """What a widget is called."""
    return item.title or (BY_NAME[item.type].label if item.type in BY_NAME else item.key)


def refused(item: Item) -> Conflict:
    """The problem of whoever changes what a lock forbids."""
    if item.lock == "locked":
        sentence = f"“{label_of(item)}” is the same for everybody here: the site has locked it."
    else:
        sentence = (
            f"“{label_of(item)}” has to stay on this page. You may move it and change its size."
        )
    return Conflict(sentence, code="locked")


def refuse(before: Iterable[Item], after: Iterable[Item]) -> None:
    """Refuse a change of a page that a lock forbids. Raises Conflict."""
    now = {item.key: item for item in after}
    for item in before:
        then = now.get(item.key)
        if item.lock == "locked" and (then is None or is_other(item, then)):
            raise refused(item)
        if item.lock == "pinned" and (then is None or then.phone_hidden and not item.phone_hidden):
            raise refused(item)


def is_other(item: Item, then: Item) -> bool:
    """Whether anything of a widget changed."""
    return any(getattr(item, name) != getattr(then, name) for name in CHANGEABLE)


def barred(base: Base, now: Sequence[Row], then: Sequence[Row]) -> Item | None:
    """The widget because of which a step through the history changes nothing: locks forbid all that the step is about.

    None when at least one of its changes may be.
    """
    was, becomes = ({row.key: row for row in rows} for rows in (now, then))
    keys = {key for key in was.keys() | becomes.keys() if was.get(key) != becomes.get(key)}
    items = {item.key: item for item in base.items}
    about = [items[key] for key in sorted(keys & items.keys()) if forbids(items[key], was, becomes)]
    return about[0] if about and len(about) == len(keys) else None


def forbids(item: Item, was: dict[str, Row], becomes: dict[str, Row]) -> bool:
    """Whether the lock of a widget leaves nothing of a step."""
    if item.lock == "pinned":
        one, other = was.get(item.key), becomes.get(item.key)
        return all(
            (one and getattr(one, name)) == (other and getattr(other, name))
            for name in CHANGEABLE
            if name != "phone_hidden"
        )
    return item.lock == "locked"


def skipped(item: Item) -> str:
    """The sentence about a step that was left out."""
    return f"A step was left out: {refused(item).sentence}"
