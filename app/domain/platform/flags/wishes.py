"""What an admin wants of a flag: each field checked, so that a version holds nothing that cannot be used."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from app.errors import Invalid

KEY = re.compile(r"[a-z][a-z0-9_]{2,63}")
KINDS = ("release", "experiment", "ops", "kill_switch")
SUBJECT = re.compile(r"[1-9][0-9]{0,18}|[0-9a-f]{16}")
METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
PLACE = re.compile(r"/[A-Za-z0-9_/{}:.-]{0,199}")
WHITELIST_CEILING, METRICS_CEILING, PLACES_CEILING = 1000, 20, 20
# Addresses of the console itself, which no flag can be called.
TAKEN = frozenset(("cohorts",))


def key(value: str) -> str:
    """Return a name for a new flag. Raises Invalid."""
    if not KEY.fullmatch(value) or value in TAKEN:
        sentence = "Small letters, digits and _, 3 to 64 of them, beginning with a letter."
        raise Invalid("This cannot be a flag's name.", errors={"key": sentence})
    return value


def lines(value: Any) -> list[str]:
    """Return the words of a list, or of a text with one a line or commas between; each once, in order."""
    if isinstance(value, str):
        value = re.split(r"[\s,]+", value)
    words = [str(word).strip() for word in value or ()]
    return list(dict.fromkeys(word for word in words if word))


def listed(name: str, value: Any, form: re.Pattern[str], ceiling: int, says: str) -> list[str]:
    """Return a list of words of one form. Raises Invalid."""
    words = lines(value)
    wrong = [word for word in words if not form.fullmatch(word)]
    if wrong:
        raise Invalid(says, errors={name: f"{says} “{wrong[0][:40]}” is none."})
    if len(words) > ceiling:
        raise Invalid("This is too long.", errors={name: f"Please keep this to {ceiling}."})
    return words


def whitelist(value: Any) -> list[str]:
    """Return the subjects that always have the flag. Raises Invalid."""
    says = "A member's number, or the 16 hex digits of a visitor."
    return listed("whitelist", value, SUBJECT, WHITELIST_CEILING, says)


def needs_metrics(value: Any) -> list[str]:
    """Return names of metrics. Raises Invalid."""
    says = "The name of a metric, as http_requests_total."
    return listed("needs_metrics", value, METRIC, METRICS_CEILING, says)


def plan(value: Any) -> dict[str, Any] | None:
    """Return a plan: the addresses whose requests it goes by, all without any; None for no plan. Raises Invalid."""
    if value in (None, "", "off", False):
        return None
    places = value.get("uris") if isinstance(value, Mapping) else []
    says = "An address of this site, as /listings."
    return {"uris": listed("plan_uris", places, PLACE, PLACES_CEILING, says)}


def kind(value: str) -> str:
    """Return a kind of flag. Raises Invalid."""
    if value not in KINDS:
        raise Invalid("This is no kind of flag.", errors={"kind": "Please choose one."})
    return value


def percentage(value: int) -> int:
    """Return a percentage. Raises Invalid."""
    if not 0 <= value <= 100:
        says = "Please choose a number from 0 to 100."
        raise Invalid("This is no percentage.", errors={"rollout_percentage": says})
    return value


def description(value: str | None) -> str:
    """Return a description. Raises Invalid."""
    if len(value or "") > 500:
        says = {"description": "Please keep this to 500 characters."}
        raise Invalid("The description is too long.", errors=says)
    return (value or "").strip()


def day(value: Any) -> date | None:
    """Return a day, None for none. Raises Invalid."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) and value else value or None
    except ValueError:
        says = {"review_on": "Please give a day as 2026-12-31."}
        raise Invalid("This is no day.", errors=says) from None


CHECKS: dict[str, Callable[[Any], Any]] = {
    "description": description,
    "kind": kind,
    "enabled": bool,
    "rollout_percentage": percentage,
    "whitelist": whitelist,
    "analytics_enabled": bool,
    "owner_id": lambda value: value or None,
    "review_on": day,
    "needs_metrics": needs_metrics,
    "plan": plan,
}


def checked(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are wished for, each as it can be kept. Raises Invalid."""
    return {name: CHECKS[name](value) for name, value in wishes.items() if name in CHECKS}
