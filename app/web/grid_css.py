"""Write public/css/grid.css: the homepage's places as classes, since the CSP allows no inline style."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

TARGET = Path(__file__).parents[2] / "public" / "css" / "grid.css"

# 24 widgets of 20 rows below one another, with nothing beside them, end in row 480.
ROWS = 481

FRAME = """\
/* Made by `python -m app.web.grid_css`; change that, not this. Desktop 12, tablet 6, phone 2 columns. */
.grid { display: grid; gap: 8px; grid-template-columns: repeat(12, minmax(0, 1fr)); grid-auto-rows: 80px; }
.grid > * { min-width: 0; min-height: 0; }
"""


def places(prefix: str, columns: int) -> Iterator[str]:
    """Yield one rule for each column, row, width and height of one screen."""
    yield from (f".{prefix}x-{x}{{grid-column-start:{x + 1}}}" for x in range(columns))
    yield from (f".{prefix}w-{w}{{grid-column-end:span {w}}}" for w in range(2, columns + 1))
    yield from (f".{prefix}y-{y}{{grid-row-start:{y + 1}}}" for y in range(ROWS))
    yield from (f".{prefix}h-{h}{{grid-row-end:span {h}}}" for h in range(2, 21))


def screen(query: str, rules: Iterable[str]) -> str:
    """Wrap the rules in one media query, a handful a line."""
    return f"@media {query}{{\n" + "\n".join(map(" ".join, batched(rules, 8))) + "\n}\n"


def batched(rules: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the rules in groups of `size`; itertools has this only from Python 3.12 on."""
    rest = iter(rules)
    while group := list(islice(rest, size)):
        yield group


def phone() -> Iterator[str]:
    """Yield the rules of the phone: an order, whole or half width, rows as high as their content."""
    yield ".grid{grid-template-columns:repeat(2,minmax(0,1fr));grid-auto-rows:auto}"
    yield from (f".po-{n}{{order:{n}}}" for n in range(1, 25))
    yield ".grid>*,.pw-2{grid-column:span 2}"
    yield ".grid>.pw-1{grid-column:span 1}"
    yield ".grid>.phone-hidden{display:none}"


def sheet() -> str:
    """Return the whole stylesheet."""
    return "\n".join(
        [
            FRAME,
            screen("(min-width:1025px)", places("", 12)),
            screen(
                "(min-width:641px) and (max-width:1024px)",
                [".grid{grid-template-columns:repeat(6,minmax(0,1fr))}", *places("t", 6)],
            ),
            screen("(max-width:640px)", phone()),
        ]
    )


if __name__ == "__main__":
    TARGET.write_text(sheet())
