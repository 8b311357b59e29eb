"""Prices in words: decimal texts, signs, and why there is nothing newer."""

from decimal import Decimal

REASONS: dict[str, str] = {
    "timeout": "The source of prices took too long to answer.",
    "unreachable": "The source of prices does not answer.",
    "garbage": "The source of prices sent something we cannot read.",
    "refused": "The source of prices refuses our question.",
    "http_401": "The source of prices does not take our key.",
    "http_403": "The source of prices does not let us see this symbol.",
    "over_quota": "Our share of prices is used up for now.",
    "breaker_open": "The source of prices does not answer; we give it a rest.",
    "not_found": "None of our sources knows this symbol.",
}
CENTS = Decimal("0.01")


def reason(code: str | None) -> str:
    """Why there is nothing newer, in one sentence."""
    return REASONS.get(code or "", "The source of prices does not answer.")


def text(number: Decimal | None) -> str | None:
    """A decimal as it is written: all places that matter, two at least, never in powers of ten."""
    if number is None:
        return None
    plain = number.normalize()
    return f"{plain if plain.as_tuple().exponent < -2 else number.quantize(CENTS):f}"  # type: ignore[operator]


def percent(number: Decimal | None) -> str | None:
    """A percentage with two places."""
    return None if number is None else f"{number.quantize(CENTS):f}"


def trend(number: Decimal | None) -> str | None:
    """Up, down, or neither."""
    if not number:
        return None
    return "up" if number > 0 else "down"
