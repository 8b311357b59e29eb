"""What the hostile files are made of: a sound feed of three items, and the case around a defect."""

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple


class Expected(NamedTuple):
    """What a careful reader finds: title, link, and time in ISO form (None: no time)."""

    title: str
    link: str | None
    time: str | None


class Case(NamedTuple):
    """One file with one defect. `code` is set when it must be refused, and how."""

    content: bytes
    items: list[Expected]
    content_type: str | None = None
    code: str | None = None


THREE = [
    Expected("Rain over Lisbon", "https://news.example/1", "2026-03-02T08:00:00+00:00"),
    Expected("Sun over Porto", "https://news.example/2", "2026-03-02T07:30:00+00:00"),
    Expected("Wind over Faro", "https://news.example/3", "2026-03-01T18:15:00+00:00"),
]
ACCENTED = [
    Expected("Três cafés à beira-mar", "https://news.example/1", THREE[0].time),
    *THREE[1:],
]

CASES: dict[str, Callable[[], Case]] = {}


def case(make: Callable[[], Case]) -> Callable[[], Case]:
    """Register a case under the name of its function."""
    CASES[make.__name__] = make
    return make


def rfc_822(time: str) -> str:
    """Return an ISO time as RSS writes it."""
    return format_datetime(datetime.fromisoformat(time))


def item(one: Expected, more: str = "") -> str:
    """Return one sound RSS item, with more elements at its end."""
    return (
        f"<item><title>{one.title}</title><link>{one.link}</link>"
        f"<guid>{one.link}</guid><pubDate>{rfc_822(one.time or '')}</pubDate>"
        f"<description>All about it: {one.title}.</description>{more}</item>"
    )


def rss(*items: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>', root: str = "") -> str:
    """Return a sound RSS document around items, by default the three."""
    inside = "".join(items or map(item, THREE))
    return (
        f'{head}<rss version="2.0"{root}><channel><title>The News</title>'
        f"<link>https://news.example/</link><description>News</description>{inside}</channel></rss>"
    )


def atom(*entries: str, root: str = "") -> str:
    """Return a sound Atom document around entries, by default the three."""
    inside = "".join(entries or map(entry, THREE))
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"'
        f'{root}><title>The News</title><id>urn:news</id><link href="https://news.example/"/>'
        f"{inside}</feed>"
    )


def entry(one: Expected, more: str = "") -> str:
    """Return one sound Atom entry, with more elements at its end."""
    return (
        f'<entry><id>{one.link}</id><title>{one.title}</title><link href="{one.link}"/>'
        f"<published>{one.time}</published><summary>About {one.title}.</summary>{more}</entry>"
    )


def sound(text: str | bytes, items: list[Expected] | None = None, kind: str | None = None) -> Case:
    """Return a case from which all items must be read."""
    content = text if isinstance(text, bytes) else text.encode("utf-8")
    return Case(content, THREE if items is None else items, kind)


def refused(content: str | bytes, code: str) -> Case:
    """Return a case that must be refused with a code."""
    return Case(content if isinstance(content, bytes) else content.encode(), [], None, code)
