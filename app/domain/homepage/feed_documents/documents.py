"""The shapes a feed becomes: the document, its entries, and why one cannot be read."""

from datetime import datetime, timedelta

import msgspec

TITLE_LENGTH = 300
SUMMARY_LENGTH = 2_000
BODY_LENGTH = 8_000
AUTHOR_LENGTH = 200
ADDRESS_LENGTH = 2_000

# A clock that runs ahead by less than this is a clock; by more, it is a wrong date.
AHEAD = timedelta(minutes=10)

# Every reason why a document cannot be read; the sentence for people stands where it is shown.
REASONS = frozenset({"empty", "html", "not_a_feed", "not_opml", "too_big", "too_deep", "too_many"})


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One article as it may be stored and shown: every text in it is cleaned and bounded."""

    guid_hash: bytes
    url: str | None
    url_key: bytes | None
    title: str
    summary_html: str
    body_text: str
    author: str
    image_url: str | None
    language: str | None
    published_at: datetime | None
    content_hash: bytes


class FeedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One feed as it was understood, with the repairs that were needed to understand it."""

    format: str
    encoding: str
    title: str
    site_url: str | None
    description: str
    language: str | None
    ttl_minutes: int | None
    items: list[FeedEntry]
    repairs: list[str]


class Candidate(msgspec.Struct, frozen=True):
    """A feed that a page offers."""

    url: str
    title: str
    type: str


class Outline(msgspec.Struct, frozen=True):
    """One subscription of an OPML file; nested folders are joined with a slash."""

    url: str
    title: str
    folder: str | None


class Unreadable(Exception):
    """Say that a document cannot be read; `code` is one of REASONS."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def sighted(published_at: datetime | None, now: datetime) -> datetime:
    """Return when an entry counts as published: its own time, or now if it has none or runs ahead."""
    if published_at is None or published_at > now + AHEAD:
        return now
    return published_at
