"""A reader that knows only how to cut strings: what captured feeds are compared with."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

# The one feed with relative links stands here.
SITE = "https://github.com/gulpjs/gulp/releases"
CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.S)


def _text(block: str, *names: str) -> str:
    for name in names:
        if match := re.search(rf"<{name}(?:\s[^>]*)?>(.*?)</{name}>", block, re.S):
            inside = match[1].strip()
            literal = CDATA.search(inside)
            return (literal[1] if literal else unescape(inside)).strip()
    return ""


def _words(markup: str) -> str:
    return " ".join(unescape(re.sub(r"</?[a-z][^<>]*>", "", markup)).split())


def _link(block: str) -> str:
    if link := _text(block, "link"):
        return link
    for tag in re.findall(r"<link\s[^>]*>", block):
        if 'rel="alternate"' in tag or "rel=" not in tag:
            return urljoin(SITE, unescape(re.search(r'href="([^"]*)"', tag)[1]))
    return ""


def _time(block: str) -> datetime | None:
    written = _text(block, "published", "pubDate", "dc:date", "updated")
    if not written:
        return None
    if re.match(r"\d{4}-", written):
        return datetime.fromisoformat(written).astimezone(UTC)
    # The standard library does not know the Portuguese month names of one of the feeds.
    found = parsedate_to_datetime(written.replace("Set", "Sep"))
    return found.astimezone(UTC)


def careful(name: str, folder: Path) -> list[tuple[str, str, datetime | None]]:
    """Return title, link and time of every item, found by cutting strings."""
    content = (folder / name).read_bytes()
    declared = re.search(rb'encoding="([^"]+)"', content[:200])
    fallback = "latin-1" if name == "uolNoticias.rss" else "utf-8"
    text = content.decode(declared[1].decode() if declared else fallback)
    blocks = re.findall(r"<(item|entry)[\s>](.*?)</\1>", text, re.S)
    return [(_words(_text(block, "title")), _link(block), _time(block)) for _, block in blocks]
