"""Fields of a widget's settings form, made from the struct of its type."""

from typing import Any, NamedTuple

import msgspec
from msgspec.inspect import (
    BoolType,
    Field,
    IntType,
    LiteralType,
    NoneType,
    StrType,
    Type,
    UnionType,
    type_info,
)

from app.domain.homepage.widget_choices import Choices
from app.domain.homepage.widget_types import WidgetType
from app.web import forms

LABELS = {
    "count": "How many stories",
    "rows": "How many symbols",
    "tag": "Only one topic",
    "unread": "Only what I have not read",
    "look": "Look",
    "feed_id": "Feed",
    "folder": "Folder",
    "place_id": "Place",
    "account_id": "Account",
    "hours": "The next hours",
    "days": "The coming days",
    "list": "List",
    "text": "Text",
    "radius_km": "Within, in km",
    "category": "Category",
    "order": "Order",
    "saved_search_id": "Saved search",
    "scene": "Scene",
}
HINTS = {
    "folder": "Shows all feeds of a folder; used when no feed is chosen.",
    "text": "Markdown: **bold**, *italic*, - lists, [links](https://example.org).",
}
NOTHING = {
    "tag": "All topics",
    "place_id": "The first of my places",
    "account_id": "All my accounts",
    "order": "As in Display",
}
WORDS = {"paper": "Like a paper", "list": "A plain list", "social": "With pictures, like posts"}
LONG_TEXT = 500


class SettingField(NamedTuple):
    """One field: `kind` is number, text, textarea, switch, select or segmented."""

    name: str
    label: str
    kind: str
    value: Any
    hint: str | None = None
    low: int | None = None
    high: int | None = None
    options: list[tuple[str, str]] = []


def of(kind: WidgetType, settings: dict[str, Any], choices: Choices) -> list[SettingField]:
    """The fields of a type's form, filled with what a widget has or the type's defaults."""
    defaults = msgspec.to_builtins(kind.settings())
    return [
        field_of(field, settings.get(field.name, defaults[field.name]), choices.get(field.name))
        for field in struct_fields(kind)
    ]


def struct_fields(kind: WidgetType) -> tuple[Field, ...]:
    """The fields of a type's settings, with their limits."""
    return type_info(kind.settings).fields  # type: ignore[attr-defined, no-any-return]


def field_of(field: Field, value: Any, choices: list[tuple[str, str]] | None) -> SettingField:
    """One field of the form."""
    plain, is_optional = without_none(field.type)
    shown = SettingField(
        f"settings.{field.name}",
        LABELS.get(field.name, field.name.replace("_", " ").capitalize()),
        "text",
        "" if value is None else value,
        HINTS.get(field.name),
    )
    if choices is not None:
        return shown._replace(
            kind="select", options=options(field.name, value, choices, is_optional)
        )
    if isinstance(plain, BoolType):
        return shown._replace(kind="switch")
    if isinstance(plain, IntType):
        return shown._replace(kind="number", low=plain.ge, high=plain.le)
    if isinstance(plain, LiteralType):
        words = [(str(v), WORDS.get(str(v), str(v).capitalize())) for v in reversed(plain.values)]
        nothing = [("", NOTHING.get(field.name, "None"))] if is_optional else []
        return shown._replace(kind="segmented", options=nothing + words)
    assert isinstance(plain, StrType)
    is_long = (plain.max_length or 0) > LONG_TEXT
    return shown._replace(kind="textarea" if is_long else "text", high=plain.max_length)


def without_none(kind: Type) -> tuple[Type, bool]:
    """The type itself, and whether it may be left open."""
    if isinstance(kind, UnionType):
        return next(part for part in kind.types if not isinstance(part, NoneType)), True
    return kind, False


def options(
    name: str, value: Any, choices: list[tuple[str, str]], is_optional: bool
) -> list[tuple[str, str]]:
    """The choices, with nothing where that is allowed, and with what is set now in any case."""
    found = [("", NOTHING.get(name, "None")), *choices] if is_optional else list(choices)
    if value is not None and str(value) not in dict(found):
        found.append((str(value), f"{LABELS.get(name, name)} {value}"))
    return found


def gathered(given: dict[str, Any], kind: WidgetType) -> dict[str, Any]:
    """A form's fields as a change: a whole form says `whole`, and what is not ticked in it is off. Raises Invalid."""
    if "whole" not in given:
        return given
    flat = {}
    for field in struct_fields(kind):
        plain, _ = without_none(field.type)
        absent = "off" if isinstance(plain, BoolType) else None
        value = given.get(f"settings.{field.name}", absent)
        if value is not None:
            flat[field.name] = value
    settings = msgspec.to_builtins(forms.convert(flat, kind.settings))
    shown = {"phone_hidden": given.get("phone_hidden", "off")}
    return {**given, **shown, "settings": settings}


def named_as_in_form(errors: dict[str, str], kind: WidgetType) -> dict[str, str]:
    """The errors by the names that the form's fields have."""
    own = {field.name for field in struct_fields(kind)}
    return {
        f"settings.{name}" if name in own else name: sentence for name, sentence in errors.items()
    }
