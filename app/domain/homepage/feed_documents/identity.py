"""Who an entry is: one hash a feed never gives to two articles."""

from collections import defaultdict
from datetime import datetime
from hashlib import sha256

import msgspec

from app.domain.homepage.feed_documents.addresses import canonical_url
from app.domain.homepage.feed_documents.documents import FeedEntry


class Draft(msgspec.Struct):
    """An entry that is cleaned and waits for its identity."""

    guid: str
    url: str | None
    title: str
    summary_html: str
    body_text: str
    author: str
    image_url: str | None
    language: str | None
    published_at: datetime | None
    canonical: str = ""

    def key(self) -> str:
        """Return guid, else canonical URL, else title and date."""
        return self.guid or self.canonical or f"{self.title}\n{self.published_at}"

    def mark(self) -> str:
        """Return what tells this entry from another one that claims the same key."""
        if self.guid:
            return f"{self.canonical}\n{self.title}"
        fragment = (self.url or "").partition("#")[2]
        return f"{fragment}\n{self.title}"


def settled(drafts: list[Draft]) -> list[FeedEntry]:
    """Return the entries in their order, each article once."""
    keys: list[str] = []
    marks: dict[str, set[str]] = defaultdict(set)
    for draft in drafts:
        draft.canonical = canonical_url(draft.url) if draft.url else ""
        keys.append(draft.key())
        marks[keys[-1]].add(draft.mark())
    entries: list[FeedEntry] = []
    known: set[str] = set()
    for key, draft in zip(keys, drafts, strict=True):
        # Some publishers write one guid, or one address, into every item. Where the items behind
        # a key clearly differ, all of them are known by key and mark together, so that nothing a
        # careful reader finds is lost and no item's identity depends on its place in the list.
        identity = f"{key}\n{draft.mark()}" if len(marks[key]) > 1 else key
        if identity not in known:
            known.add(identity)
            entries.append(_entry(draft, identity))
    return entries


def _entry(draft: Draft, key: str) -> FeedEntry:
    text = "\0".join((draft.title, draft.summary_html, draft.body_text, draft.author))
    return FeedEntry(
        guid_hash=_hash(key),
        url=draft.url,
        url_key=_hash(draft.canonical) if draft.canonical else None,
        title=draft.title,
        summary_html=draft.summary_html,
        body_text=draft.body_text,
        author=draft.author,
        image_url=draft.image_url,
        language=draft.language,
        published_at=draft.published_at,
        content_hash=_hash(text),
    )


def _hash(text: str) -> bytes:
    return sha256(text.encode("utf-8", "replace")).digest()
