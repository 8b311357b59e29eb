"""The types of notices: what people may choose to hear of, and by which way."""

from typing import NamedTuple

from app.domain.platform.readers import Reader

CHANNELS = ("bell", "mail")


class NoticeType(NamedTuple):
    """One sort of notice. By mail: in the daily digest, or as a letter of its own when `has_letter`."""

    name: str
    label: str
    hint: str
    channels: tuple[str, ...] = CHANNELS
    has_letter: bool = False
    for_admins: bool = False


TYPES: dict[str, NoticeType] = {
    kind.name: kind
    for kind in (
        NoticeType("account", "My account", "Sign-ins, address, what admins did."),
        NoticeType("privacy", "Copies and deletion", "When a copy of your data is ready."),
        NoticeType("feeds", "Feeds", "A feed you read moved, or stopped."),
        NoticeType(
            "social_reconnect",
            "Social accounts",
            "When one of yours has to be connected again.",
            ("mail",),
            has_letter=True,
        ),
        NoticeType(
            "digest",
            "Daily digest",
            "At 07:00 your time: what you have not read here yet. None when there is nothing.",
            ("mail",),
            has_letter=True,
        ),
        NoticeType(
            "flag_review",
            "Stale flags",
            "Flags you own that nobody asks for, once a week.",
            ("mail",),
            has_letter=True,
            for_admins=True,
        ),
        NoticeType(
            "ops_alert",
            "Trouble",
            "Jobs that died, mail that does not come in: one letter a day each.",
            ("mail",),
            has_letter=True,
            for_admins=True,
        ),
        NoticeType(
            "ai_budget_alert",
            "AI budget",
            "When 75, 90 and 100 % of it are spent.",
            ("mail",),
            has_letter=True,
            for_admins=True,
        ),
        *(
            NoticeType(
                f"{span}_report",
                f"{span.capitalize()} report",
                f"The {span} figures of this site.",
                ("mail",),
                has_letter=True,
                for_admins=True,
            )
            for span in ("weekly", "monthly", "quarterly")
        ),
    )
}


def offered(who: Reader) -> list[NoticeType]:
    """The types that this person can choose about."""
    return [kind for kind in TYPES.values() if who.is_admin or not kind.for_admins]


def label_of(name: str) -> str:
    """What people call a type; one that is not listed any more by its name's words."""
    kind = TYPES.get(name)
    return kind.label if kind else name.replace("_", " ").capitalize()
