"""From the raw fields of one item to a clean draft; the same for every dialect."""

import re
from datetime import datetime

from app.domain.homepage.feed_documents.addresses import absolute
from app.domain.homepage.feed_documents.cleaning import as_markup, first_image, plain, summary
from app.domain.homepage.feed_documents.dates import moment
from app.domain.homepage.feed_documents.documents import (
    AUTHOR_LENGTH,
    BODY_LENGTH,
    TITLE_LENGTH,
)
from app.domain.homepage.feed_documents.identity import Draft

MOST_ITEMS = 5_000

MAIL_AND_NAME = re.compile(r"[^\s()<>]+@[^\s()<>]+\s*\(([^()]+)\)\s*$")
NAME_AND_MAIL = re.compile(r"([^<>]+?)\s*<[^\s<>]+@[^\s<>]+>\s*$")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8}){0,3}$", re.I)

Fields = dict[str, str]


def draft(found: Fields, base: str, language: str | None) -> Draft | None:
    """Return one item cleaned, or None when it has neither link nor guid, or neither title nor text.

    `found` holds raw markup by field name (names.FIELDS), as read from the document.
    """
    link = _link(found, base)
    guid = (found.get("guid") or found.get("other_guid") or "").strip()
    if not link and not guid:
        return None
    content = as_markup(found.get("content", ""))
    short = _short(found, content)
    title = title_text(found.get("title") or found.get("other_title") or "")
    body = plain(content if len(content) > len(short) else short, BODY_LENGTH)
    if not title and not body and not (title := title_text(found.get("other_title", ""))):
        return None
    return Draft(
        guid=guid,
        url=link,
        title=title,
        summary_html=summary(short, base),
        body_text=body,
        author=author_name(found.get("author") or found.get("other_author") or ""),
        image_url=_image(found, base, short, content),
        language=language_tag(found.get("language")) or language,
        published_at=_published(found),
    )


def _short(found: Fields, content: str) -> str:
    short = found.get("summary") or found.get("other_summary")
    if short:
        return as_markup(short)
    return content or as_markup(found.get("last_summary", ""))


def _link(found: Fields, base: str) -> str | None:
    """Choose the address: the link, else a guid that is one, else what else the item points to."""
    for name in ("link", "permalink", "other_link", "enclosure_link"):
        if (address := found.get(name)) and (link := absolute(address, base)):
            return link
    return None


def _published(found: Fields) -> datetime | None:
    for name in ("published", "other_published", "updated"):
        if (text := found.get(name)) and (at := moment(text)):
            return at
    return None


def _image(found: Fields, base: str, short: str, content: str) -> str | None:
    address = found.get("image") or found.get("picture")
    if not address and "<img" in short:
        address = first_image(short)
    if not address and content is not short and "<img" in content:
        address = first_image(content)
    return absolute(address, base) if address else None


def title_text(markup: str) -> str:
    """Return a title as plain text of at most 300 characters."""
    return plain(as_markup(markup), TITLE_LENGTH)


def author_name(text: str) -> str:
    """Return the name in `mail@host (Name)` and `Name <mail@host>`, plain and bounded."""
    if "@" in text:
        match = MAIL_AND_NAME.match(text[:500].strip()) or NAME_AND_MAIL.match(text[:500].strip())
        text = match[1] if match else text
    return plain(as_markup(text), AUTHOR_LENGTH)


def language_tag(text: str | None) -> str | None:
    """Return a language tag in lower case, None for what is none."""
    if not text or not LANGUAGE.match(text := text.strip()):
        return None
    return text.replace("_", "-").lower()
