"""Subscription lists in OPML 1 and 2: read from anybody, written for everybody."""

from xml.sax.saxutils import quoteattr

from lxml import etree

from app.domain.homepage.feed_documents import names
from app.domain.homepage.feed_documents.cleaning import plain, seen
from app.domain.homepage.feed_documents.decoding import decode
from app.domain.homepage.feed_documents.documents import Outline, Unreadable
from app.domain.homepage.feed_documents.reading import tree
from app.domain.homepage.feed_documents.repairs import without_doctype

MOST_BYTES = 1024 * 1024
MOST_OUTLINES = 2_000
FOLDER_LENGTH = 200
TITLE_LENGTH = 300


def read(content: bytes) -> list[Outline]:
    """Return the subscriptions in their order, folders joined with a slash.

    Raises Unreadable: empty, too_big (over 1 MB), too_many (over 2,000 feeds), not_opml.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable("too_big")
    text, _, _ = decode(content, None)
    if len(text) > 4 * MOST_BYTES:
        raise Unreadable("too_big")
    text, _ = without_doctype(text)
    # Counted before anything is built, so that a flood of outlines costs nothing.
    lower = text.lower()
    if lower.count(b"xmlurl") > MOST_OUTLINES or lower.count(b"<outline") > 2 * MOST_OUTLINES:
        raise Unreadable("too_many")
    if b"<outline" not in lower and b"<opml" not in lower:
        raise Unreadable("not_opml")
    try:
        root, _, _ = tree(text)
    except Unreadable as error:
        raise Unreadable("not_opml") from error
    found: list[Outline] = []
    _walk(root, found)
    return found


def _walk(root: etree._Element, found: list[Outline]) -> None:
    """Walk without recursion: how deep a file nests is its writer's choice."""
    waiting: list[tuple[etree._Element, tuple[str, ...]]] = [(root, ())]
    while waiting:
        element, folders = waiting.pop()
        if names.local(element.tag) == "outline":
            values = {names.local(name): value for name, value in element.attrib.items()}
            name = _line(values.get("title") or values.get("text") or "", TITLE_LENGTH)
            if url := _address(values):
                found.append(Outline(url, name, _folder(folders, values.get("category", ""))))
            elif name:
                folders = (*folders, name)
        waiting.extend((child, folders) for child in reversed(element))


def _address(values: dict[str, str]) -> str:
    if url := values.get("xmlurl", "").strip():
        return url
    is_feed = values.get("type", "").lower() in ("rss", "atom", "feed")
    return (values.get("url") or values.get("htmlurl") or "").strip() if is_feed else ""


def _folder(folders: tuple[str, ...], category: str) -> str | None:
    # OPML 2 writes a flat list with slash-delimited categories; the first one is the folder.
    path = "/".join(folders) or _line(category.partition(",")[0].strip(" /"), FOLDER_LENGTH)
    return path[:FOLDER_LENGTH].strip() or None


def _line(text: str, limit: int) -> str:
    return " ".join(seen(text).split())[:limit].strip()


def write(title: str, outlines: list[Outline]) -> str:
    """Return an OPML 2 file, one outline a folder, in the order the folders first appear.

    What `read` makes of it is the same set with the same folders and titles.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        f"<head><title>{_element_text(title)}</title></head>",
        "<body>",
    ]
    for folder in dict.fromkeys(one.folder for one in outlines):
        inside = [_written(one) for one in outlines if one.folder == folder]
        if folder is None:
            lines.extend(inside)
            continue
        name = _attribute(folder)
        lines.extend([f"<outline text={name} title={name}>", *inside, "</outline>"])
    return "\n".join([*lines, "</body>", "</opml>", ""])


def _written(one: Outline) -> str:
    name = _attribute(one.title)
    return f'<outline type="rss" text={name} title={name} xmlUrl={_attribute(one.url)}/>'


def _attribute(text: str) -> str:
    return quoteattr(" ".join(seen(text).split()))


def _element_text(text: str) -> str:
    return plain(text, TITLE_LENGTH).replace("&", "&amp;").replace("<", "&lt;")
