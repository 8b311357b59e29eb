"""Feed documents: bytes of strangers in, clean typed entries out. Pure: no I/O, no clock."""

from hashlib import blake2b

from app.domain.homepage.feed_documents import opml
from app.domain.homepage.feed_documents.addresses import (
    TRACKING_PARAMETERS,
    absolute,
    canonical_url,
    url_key,
)
from app.domain.homepage.feed_documents.cleaning import plain
from app.domain.homepage.feed_documents.decoding import decode
from app.domain.homepage.feed_documents.discovery import discover, known_shapes
from app.domain.homepage.feed_documents.documents import (
    REASONS,
    Candidate,
    FeedDocument,
    FeedEntry,
    Outline,
    Unreadable,
    sighted,
)
from app.domain.homepage.feed_documents.entries import title_text
from app.domain.homepage.feed_documents.identity import settled
from app.domain.homepage.feed_documents.json_feed import read_json
from app.domain.homepage.feed_documents.reading import Channel, read_xml
from app.domain.homepage.feed_documents.second_opinion import may_hold_items, second_opinion

__all__ = [
    "REASONS",
    "TRACKING_PARAMETERS",
    "Candidate",
    "FeedDocument",
    "FeedEntry",
    "Outline",
    "Unreadable",
    "absolute",
    "body_hash",
    "canonical_url",
    "discover",
    "known_shapes",
    "opml",
    "plain",
    "read",
    "sighted",
    "url_key",
]

LONGEST_TTL = 1_440


def read(content: bytes, content_type: str | None, url: str) -> FeedDocument:
    """Return the feed that the bytes hold. `url` is where they came from, the last base of links.

    Raises Unreadable with one of REASONS. Nothing else: a document is never a reason to crash.
    """
    text, encoding, repairs = decode(content, content_type)
    if text.lstrip()[:1] == b"{":
        channel, more = read_json(text, url)
    else:
        channel, more = _xml_or_second_opinion(text, url)
    return _document(channel, encoding, repairs + more)


def body_hash(content: bytes) -> bytes:
    """Return 32 bytes by which an unchanged body is known without reading it."""
    return blake2b(content, digest_size=32).digest()


def _xml_or_second_opinion(text: bytes, url: str) -> tuple[Channel, list[str]]:
    try:
        channel, repairs = read_xml(text, url)
    except Unreadable:
        other = second_opinion(text, url) if may_hold_items(text) else None
        if other is None:
            raise
        return other, ["second opinion"]
    other = None
    if not channel.drafts and may_hold_items(text):
        other = second_opinion(text, url)
    return (other, [*repairs, "second opinion"]) if other else (channel, repairs)


def _document(channel: Channel, encoding: str, repairs: list[str]) -> FeedDocument:
    fields = channel.fields
    return FeedDocument(
        format=channel.format,
        encoding=encoding,
        title=title_text(fields.get("title", "")),
        site_url=channel.site_url,
        description=plain(fields.get("summary", ""), 2_000),
        language=channel.language,
        ttl_minutes=_ttl(fields.get("ttl", "")),
        items=settled(channel.drafts),
        repairs=list(dict.fromkeys(repairs)),
    )


def _ttl(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 9) or int(text) == 0:
        return None
    return min(int(text), LONGEST_TTL)
