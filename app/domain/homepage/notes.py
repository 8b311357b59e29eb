"""Notes: a text of one's own in Markdown, without HTML, cleaned when it is shown."""

from collections.abc import Sequence

import msgspec
import nh3
from markdown_it import MarkdownIt

from app.domain.homepage.widget_types import NoteSettings
from app.domain.platform.readers import Reader
from app.services import Services

TAGS = {
    "p",
    "br",
    "a",
    "em",
    "strong",
    "ul",
    "ol",
    "li",
    "blockquote",
    "code",
    "pre",
    "h2",
    "h3",
    "h4",
    "hr",
}


class NoteWidget(msgspec.Struct):
    """A note as HTML that is safe to show."""

    html: str
    state: str


async def filled(
    services: Services, who: Reader | None, wishes: Sequence[NoteSettings]
) -> list[NoteWidget]:
    """The notes of one page."""
    return [
        NoteWidget(html_of(wish.text), "fresh" if wish.text.strip() else "empty") for wish in wishes
    ]


# Nothing is kept here: the piece that shows it is, and goes when its person is erased.
def html_of(text: str) -> str:
    """Markdown as cleaned HTML; links say that they are not ours (chapter 10 rule 50)."""
    html = MarkdownIt("commonmark", {"html": False}).render(text)
    return nh3.clean(
        html,
        tags=TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener",
    )
