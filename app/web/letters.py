"""Letters in words: fragments/mail/NAME.txt (its first line is the subject) and NAME.html with its styles inlined."""

import functools
from typing import Any

import css_inline
import jinja2

from app.services import Letter
from app.web.render import ROOT
from app.web.words import FILTERS


@functools.cache
def environment(*, html: bool) -> jinja2.Environment:
    """The templates of letters, strict like those of pages."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "fragments" / "mail"),
        autoescape=html,  # noqa: S701 - plain text has nothing to escape
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS)
    return found


def write(template: str, **context: Any) -> Letter:
    """Fill a letter. Raises jinja2.UndefinedError when a name is missing, TemplateNotFound for an unknown letter."""
    subject, _, text = (
        environment(html=False).get_template(f"{template}.txt").render(**context).partition("\n")
    )
    html = (
        environment(html=True).get_template(f"{template}.html").render(subject=subject, **context)
    )
    return Letter(subject.strip(), text.strip() + "\n", css_inline.inline(html))
