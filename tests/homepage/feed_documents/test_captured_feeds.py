"""The captured feeds, against a reader that knows only how to cut strings."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest

from app.domain.homepage.feed_documents import Unreadable, read

FOLDER = Path(__file__).resolve().parent.parent / "captured_feeds"
EXPECTED = {
    "atom-customfields.atom": 15,
    "content-encoded.rss": 7,
    "craigslist.rss": 25,
    "customfields.rss": 15,
    "encoding.rss": 40,
    "feedburner.atom": 25,
    "giantbomb-podcast.rss": 730,
    "guardian.rss": 55,
    "gulp-atom.atom": 10,
    "heise.atom": 15,
    "heraldsun.rss": 2,
    # Its one entry has neither link nor guid, nor words.
    "incomplete-fields.atom": 0,
    "instant-article.rss": 1,
    "item-itunes-episodeType.rss": 1,
    "itunes-category.rss": 1,
    "itunes-href.rss": 10,
    "itunes-keywords-array.rss": 1,
    "itunes-keywords-astext.rss": 32,
    "itunes-keywords.rss": 1,
    # Two of its items share guid and link, and are two episodes.
    "itunes-missing-image.rss": 131,
    "many-links.rss": 25,
    # Its one entry has an id, and neither title nor text.
    "missing-fields.atom": 0,
    "narro.rss": 1,
    "pagination-links.rss": 1,
    "reddit-atom.rss": 24,
    "reddit-home.rss": 24,
    "reddit.rss": 24,
    "rss-1.rss": 69,
    "uolNoticias.rss": 15,
    "xml2js-options.rss": 69,
}
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


def careful(name: str, folder: Path = FOLDER) -> list[tuple[str, str, datetime | None]]:
    """Return title, link and time of every item, found by cutting strings."""
    content = (folder / name).read_bytes()
    declared = re.search(rb'encoding="([^"]+)"', content[:200])
    fallback = "latin-1" if name == "uolNoticias.rss" else "utf-8"
    text = content.decode(declared[1].decode() if declared else fallback)
    blocks = re.findall(r"<(item|entry)[\s>](.*?)</\1>", text, re.S)
    return [(_words(_text(block, "title")), _link(block), _time(block)) for _, block in blocks]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_item_a_careful_reader_finds_is_read(name: str) -> None:
    feed = read((FOLDER / name).read_bytes(), None, f"https://feeds.example/{name}")
    assert len(feed.items) == EXPECTED[name]
    if not EXPECTED[name]:
        return
    found = [(one.title, one.url, one.published_at) for one in feed.items]
    assert [one for one in careful(name) if one not in found] == []
    assert len({one.guid_hash for one in feed.items}) == len(feed.items)


def test_every_captured_file_is_accounted_for() -> None:
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {*EXPECTED, "unrecognized.rss", "LICENSE.rss-parser"}


def test_a_page_that_says_moved_is_no_feed() -> None:
    with pytest.raises(Unreadable) as refusal:
        read((FOLDER / "unrecognized.rss").read_bytes(), None, "https://feeds.example/x")
    assert refusal.value.code == "html"
