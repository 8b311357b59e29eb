"""Accents: a colour of one's own, moved in lightness until it can be read on its ground (chapter 20 rule 62)."""

import colorsys
import functools

CONTRAST = 4.5
LIGHT_GROUND, DARK_GROUND = "#ffffff", "#1b2436"
STEPS = 200


def channels(colour: str) -> tuple[float, float, float]:
    """#rrggbb as red, green, blue in 0..1."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels(colour)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1..21, WCAG 2.2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@functools.lru_cache(maxsize=512)
def readable(colour: str, ground: str) -> str:
    """The colour nearest to this one, of the same hue, that has 4.5:1 on the ground."""
    hue, light, saturation = colorsys.rgb_to_hls(*channels(colour))
    away = -1 if luminance(ground) > 0.18 else 1
    for step in range(STEPS + 1):
        moved = min(max(light + away * step / STEPS, 0.0), 1.0)
        red, green, blue = (
            round(255 * part) for part in colorsys.hls_to_rgb(hue, moved, saturation)
        )
        candidate = f"#{red:02x}{green:02x}{blue:02x}"
        if contrast(candidate, ground) >= CONTRAST:
            return candidate
    return "#000000" if away < 0 else "#ffffff"
