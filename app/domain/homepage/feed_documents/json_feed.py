"""JSON Feed 1.0 and 1.1: only the fields we know are ever built, so that a bomb builds nothing."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import TypeVar

import msgspec

from app.domain.homepage.feed_documents.addresses import absolute
from app.domain.homepage.feed_documents.documents import Unreadable
from app.domain.homepage.feed_documents.entries import MOST_ITEMS, Fields, draft, language_tag
from app.domain.homepage.feed_documents.reading import Channel

UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
MOST_MARKS = 1_000_000
MOST_EXAMINED = 20_000


Shape = TypeVar("Shape")


class Feed(msgspec.Struct):
    """The top level; every value is looked at by itself, so that one wrong type spoils no other."""

    version: msgspec.Raw = msgspec.Raw()
    title: msgspec.Raw = msgspec.Raw()
    home_page_url: msgspec.Raw = msgspec.Raw()
    description: msgspec.Raw = msgspec.Raw()
    language: msgspec.Raw = msgspec.Raw()
    items: msgspec.Raw = msgspec.Raw()


class Item(msgspec.Struct):
    """One item, its values still as they were written."""

    id: msgspec.Raw = msgspec.Raw()
    url: msgspec.Raw = msgspec.Raw()
    external_url: msgspec.Raw = msgspec.Raw()
    title: msgspec.Raw = msgspec.Raw()
    content_html: msgspec.Raw = msgspec.Raw()
    content_text: msgspec.Raw = msgspec.Raw()
    summary: msgspec.Raw = msgspec.Raw()
    image: msgspec.Raw = msgspec.Raw()
    banner_image: msgspec.Raw = msgspec.Raw()
    date_published: msgspec.Raw = msgspec.Raw()
    date_modified: msgspec.Raw = msgspec.Raw()
    language: msgspec.Raw = msgspec.Raw()
    author: msgspec.Raw = msgspec.Raw()
    authors: msgspec.Raw = msgspec.Raw()


class Author(msgspec.Struct):
    """Who wrote an item."""

    name: str | None = None


def read_json(content: bytes, url: str) -> tuple[Channel, list[str]]:
    """Return the channel of a JSON Feed in UTF-8 and the repairs. Raises Unreadable."""
    if content.count(b",") + content.count(b"[") + content.count(b"{") > MOST_MARKS:
        raise Unreadable("too_big")
    feed, repairs = _feed(content)
    fields = {"title": _text(feed.title), "summary": _text(feed.description)}
    site_url = absolute(_text(feed.home_page_url), url)
    version = _text(feed.version).rstrip("/").rpartition("/")[2] or "1"
    channel = Channel(
        f"json feed {version[:8]}", fields, site_url, language_tag(_text(feed.language))
    )
    for raw in _items(feed.items):
        one = draft(_fields(raw), site_url or url, channel.language)
        if one is not None and len(channel.drafts) < MOST_ITEMS:
            channel.drafts.append(one)
    return channel, repairs


def _feed(content: bytes) -> tuple[Feed, list[str]]:
    repairs: list[str] = []
    try:
        feed = msgspec.json.decode(content, type=Feed)
    except RecursionError as error:
        raise Unreadable("too_deep") from error
    except msgspec.DecodeError:
        content, repairs = _rewritten(content), ["JSON"]
        feed = msgspec.json.decode(content, type=Feed)
    if "jsonfeed.org" not in _text(feed.version) and not bytes(feed.items).startswith(b"["):
        raise Unreadable("not_a_feed")
    return feed, repairs


def _rewritten(content: bytes) -> bytes:
    """Read with the lenient reader of the standard library: raw controls, lone surrogates, NaN."""
    try:
        loose = json.loads(content.decode("utf-8", "replace"), strict=False)
        if not isinstance(loose, dict):
            raise Unreadable("not_a_feed")
        text = json.dumps(loose, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "ignore")
    except RecursionError as error:
        raise Unreadable("too_deep") from error
    except ValueError as error:
        raise Unreadable("not_a_feed") from error


def _items(raw: msgspec.Raw) -> Iterator[Item]:
    if not bytes(raw).startswith(b"["):
        return
    for one in msgspec.json.decode(raw, type=list[msgspec.Raw])[:MOST_EXAMINED]:
        try:
            yield msgspec.json.decode(one, type=Item)
        except (msgspec.DecodeError, RecursionError):
            continue


def _fields(item: Item) -> Fields:
    text = _text(item.content_text)
    address = _text(item.url)
    raw = {
        "guid": _text(item.id),
        "link": address or _text(item.external_url),
        "permalink": _text(item.id) if _text(item.id).startswith("http") else "",
        "title": escape(_text(item.title), quote=False),
        "summary": escape(_text(item.summary), quote=False),
        "content": _text(item.content_html) or escape(text, quote=False).replace("\n", "<br>"),
        "image": _text(item.image) or _text(item.banner_image),
        "published": _text(item.date_published),
        "updated": _text(item.date_modified),
        "language": _text(item.language),
        "author": ", ".join(_names(item)),
    }
    return {name: value for name, value in raw.items() if value}


def _names(item: Item) -> list[str]:
    found = [*_decoded(item.authors, list[Author], []), _decoded(item.author, Author, Author())]
    return list(dict.fromkeys(one.name for one in found if one.name))[:5]


def _decoded(raw: msgspec.Raw, shape: type[Shape], otherwise: Shape) -> Shape:
    try:
        return msgspec.json.decode(raw, type=shape) if bytes(raw) else otherwise
    except (msgspec.DecodeError, RecursionError):
        return otherwise


def _text(raw: msgspec.Raw) -> str:
    """Return a string or number as text; anything else counts as absent."""
    try:
        value = msgspec.json.decode(raw, type=str | int | float | None) if bytes(raw) else None
    except (msgspec.DecodeError, RecursionError):
        return ""
    # JSON can say characters that XML cannot, and that no text of ours may hold.
    return "" if value is None else UNSAFE.sub("", str(value))
