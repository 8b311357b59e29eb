"""A second reader, asked only when the first finds no usable item: feedparser, unsanitised."""

import re
from typing import Any

from app.domain.homepage.feed_documents.addresses import absolute
from app.domain.homepage.feed_documents.entries import MOST_ITEMS, Fields, draft, language_tag
from app.domain.homepage.feed_documents.reading import Channel

# It takes 24 times as long as lxml; a document beyond this would eat the child's five seconds.
MOST_BYTES = 400_000
MOST_TAGS = 12_000
ITEM = re.compile(rb"<(?:\w{1,20}:)?(?:item|entry)[\s>]", re.I)


def may_hold_items(content: bytes) -> bool:
    """Tell whether a second look can be worth its time."""
    return (
        len(content) <= MOST_BYTES
        and content.count(b"<") <= MOST_TAGS
        and ITEM.search(content) is not None
    )


def second_opinion(content: bytes, url: str) -> Channel | None:
    """Return what feedparser finds, or None when it finds no usable item either."""
    # A quarter of a second to import, and most feeds never need it.
    import feedparser

    try:
        result = feedparser.parse(
            content,
            sanitize_html=False,
            resolve_relative_uris=False,
            response_headers={"content-type": "application/xml; charset=utf-8"},
        )
    # It raises whatever its parsers raise on input they never met; to us that all means "no".
    except Exception:
        return None
    if not result.get("version") or not result.get("entries"):
        return None
    feed = result["feed"]
    site_url = absolute(str(feed.get("link") or ""), url)
    fields = {"title": str(feed.get("title") or ""), "summary": str(feed.get("subtitle") or "")}
    channel = Channel(result["version"], fields, site_url, language_tag(feed.get("language")))
    for entry in result["entries"][:MOST_ITEMS]:
        if (one := draft(_fields(entry), site_url or url, channel.language)) is not None:
            channel.drafts.append(one)
    return channel if channel.drafts else None


def _fields(entry: dict[str, Any]) -> Fields:
    content = entry.get("content") or [{}]
    raw = {
        "title": entry.get("title"),
        "link": entry.get("link"),
        "guid": entry.get("id"),
        "summary": entry.get("summary"),
        "content": content[0].get("value"),
        "author": entry.get("author"),
        "published": entry.get("published"),
        # Its own `get` would give the time of publication here, and warn.
        "updated": dict.get(entry, "updated"),
    }
    return {name: value for name, value in raw.items() if isinstance(value, str) and value}
