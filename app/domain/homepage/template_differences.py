"""What one version of a template changes against another, in words (chapter 20 rule 5)."""

from collections.abc import Iterable, Sequence

import msgspec

from app.domain.homepage.page_rows import PLACES, Item
from app.domain.homepage.template_locks import label_of


class Difference(msgspec.Struct, frozen=True):
    """One widget that is not as it was: `what` is added, removed, locked, pinned, freed, moved or changed."""

    key: str
    label: str
    what: str


WORDS = {
    "added": "{} is new",
    "removed": "{} is no longer part of it",
    "locked": "{} is now the same for everybody",
    "pinned": "{} now stays on every page",
    "freed": "{} is yours to arrange",
    "moved": "{} has another place",
    "changed": "{} has other settings",
}
SAID_AT_MOST = 5


def between(before: Iterable[Item], after: Iterable[Item]) -> list[Difference]:
    """What is different in `after`, one line a widget, in the order of the page."""
    was = {item.key: item for item in before}
    found = []
    for item in after:
        old = was.pop(item.key, None)
        if (what := "added" if old is None else change_of(old, item)) is not None:
            found.append(Difference(item.key, label_of(item), what))
    return [*found, *(Difference(item.key, label_of(item), "removed") for item in was.values())]


def change_of(old: Item, new: Item) -> str | None:
    """What matters most of a widget's change; None when it is as it was."""
    if old.lock != new.lock:
        return "freed" if new.lock == "free" else new.lock
    if any(getattr(old, name) != getattr(new, name) for name in PLACES):
        return "moved"
    free = {"phone_order": None}
    same = msgspec.structs.replace(old, **free) == msgspec.structs.replace(new, **free)
    return None if same else "changed"


def sentence(differences: Sequence[Difference]) -> str:
    """The differences as one sentence; nothing without any."""
    parts = [WORDS[one.what].format(f"“{one.label}”") for one in differences[:SAID_AT_MOST]]
    if more := len(differences) - SAID_AT_MOST:
        parts += [f"{more} more changes"] if more > 1 else ["one more change"] if more == 1 else []
    return "; ".join(parts) + "." if parts else ""
