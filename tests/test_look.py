"""The look: what templates name exists, and nothing in them breaks the CSP."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from app.web import grid_css

ROOT = Path(__file__).resolve().parent.parent
FRAGMENTS = ROOT / "fragments"
PUBLIC = ROOT / "public"
# Letters are read in mail programs, which know no stylesheet of ours.
LETTERS = FRAGMENTS / "mail"
JINJA = re.compile(r"\{[{%#].*?[}%#]\}", re.S)


def pages() -> Iterator[tuple[str, str]]:
    """Every template that a browser sees: its path and text."""
    for path in sorted(FRAGMENTS.rglob("*.html")):
        if LETTERS not in path.parents:
            yield str(path.relative_to(FRAGMENTS)), path.read_text()


def test_no_template_has_inline_style_or_script() -> None:
    inline = re.compile(r"\sstyle=|\son[a-z]+=\"|<style|<script(?![^>]*\ssrc=)|\shx-on|=\"js:")
    assert [name for name, text in pages() if inline.search(text)] == []


def test_every_class_of_a_template_is_known_to_a_stylesheet_or_script() -> None:
    written = "".join(path.read_text() for path in PUBLIC.glob("css/*.css"))
    scripts = "".join(path.read_text() for path in PUBLIC.glob("js/*.js"))
    known = set(re.findall(r"\.([a-z][\w-]*)", written)) | set(re.findall(r"[\w-]+", scripts))
    unknown = {
        f"{name}: {word}"
        for name, text in pages()
        for value in re.findall(r'class="([^"]*)"', text)
        for word in JINJA.sub(" ", value).split()
        if word[-1] != "-" and word[0] != "-" and word not in known
    }
    assert unknown == set()


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (PUBLIC / "icons.svg").read_text()))
    texts = [text for _, text in pages()]
    texts += [path.read_text() for path in (ROOT / "app" / "web").rglob("*.py")]
    naming = re.compile(
        r"""\bicon\(['"]([\w-]+)['"]|icon_name=['"]([\w-]+)|['"]icon['"]: ['"]([\w-]+)"""
    )
    named = {"".join(match) for text in texts for match in naming.findall(text)}
    assert {name for name in named if name[-1] != "-"} - drawn == set()


def test_the_grid_is_what_its_maker_makes() -> None:
    assert (PUBLIC / "css" / "grid.css").read_text() == grid_css.sheet()


def test_the_first_page_s_files_stay_small() -> None:
    def packed(pattern: str) -> int:
        return sum(len(gzip.compress(path.read_bytes())) for path in PUBLIC.glob(pattern))

    assert packed("css/*.css") < 25_000
    assert packed("vendor/*.js") + packed("js/*.js") < 60_000
