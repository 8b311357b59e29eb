"""The publishers of the demo world: who they are, what they write about, and the oddities of their feeds."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FIRST_FEEDS = Path(__file__).parents[2] / "data" / "feeds.tsv"


@dataclass(frozen=True)
class Publisher:
    """One publisher. `quirks` names what is odd about its feed; documents.py knows how each one looks."""

    host: str
    title: str
    topics: tuple[str, ...]
    format: str = "rss"
    every_minutes: int = 20
    encoding: str = "utf-8"
    quirks: frozenset[str] = field(default_factory=frozenset)
    feed_path: str = "/feed.xml"
    picture_type: str = "jpg"
    pictured: float = 0.8
    length: int = 60
    language: str = "en"
    pace: str = "normal"
    refresh_minutes: int = 15
    default_on: bool = False
    also: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """Return the tag that its feed should have."""
        return self.topics[0] if self.topics[0] not in ("deutsch", "arabic") else "world"

    @property
    def feed_url(self) -> str:
        """Return the address of its feed."""
        return f"https://{self.host}{self.feed_path}"


def paper(name: str, title: str, *topics: str, quirks: str = "", **how: Any) -> Publisher:
    """Return a publisher under world.test."""
    return Publisher(f"{name}.world.test", title, topics, quirks=frozenset(quirks.split()), **how)


PAPERS = (
    paper(
        "daily-courier",
        "The Daily Courier",
        "world",
        "politics",
        "local",
        every_minutes=9,
        default_on=True,
    ),
    paper(
        "meridian-post",
        "Meridian Post",
        "world",
        format="atom",
        every_minutes=12,
        feed_path="/atom.xml",
    ),
    paper("capitol-ledger", "Capitol Ledger", "politics", every_minutes=18, quirks="entities utm"),
    paper("tradewinds", "Tradewinds", "business", every_minutes=10, encoding="iso-8859-1"),
    paper("market-lantern", "Market Lantern", "business", format="json", feed_path="/feed.json"),
    paper(
        "circuit-review",
        "Circuit Review",
        "technology",
        format="atom",
        every_minutes=25,
        quirks="xhtml",
    ),
    paper(
        "bytefield",
        "Bytefield",
        "technology",
        every_minutes=14,
        quirks="content utm",
        picture_type="webp",
    ),
    paper(
        "open-orbit",
        "Open Orbit",
        "science",
        format="rdf",
        every_minutes=35,
        feed_path="/index.rdf",
    ),
    paper("field-notes", "Field Notes", "science", "environment", format="atom", every_minutes=40),
    paper(
        "well-now", "Well Now", "health", every_minutes=30, encoding="windows-1252", quirks="cdata"
    ),
    paper(
        "green-current",
        "Green Current",
        "environment",
        format="json",
        every_minutes=30,
        feed_path="/feed.json",
    ),
    paper("touchline", "Touchline", "sports", every_minutes=8, encoding="utf-16", quirks="media"),
    paper(
        "second-half", "Second Half", "sports", format="atom", every_minutes=16, picture_type="png"
    ),
    paper("matinee", "Matinée", "entertainment", every_minutes=20, quirks="media html_titles"),
    paper("slow-rail", "Slow Rail", "travel", every_minutes=40, quirks="no_guid utm"),
    paper("salt-and-thyme", "Salt & Thyme", "food", every_minutes=38, quirks="cdata content"),
    paper(
        "harbour-town",
        "Harbour Town News",
        "local",
        every_minutes=15,
        quirks="two_digit_years",
        default_on=True,
    ),
    paper(
        "hillside-gazette",
        "Hillside Gazette",
        "local",
        every_minutes=28,
        quirks="no_zone relative bom",
    ),
    paper(
        "morning-brief",
        "Morning Brief",
        "world",
        "business",
        "technology",
        every_minutes=11,
        quirks="junk content",
    ),
    paper(
        "evening-atlas",
        "The Evening Atlas",
        "world",
        "science",
        "entertainment",
        "travel",
        every_minutes=13,
    ),
    paper(
        "nordlicht",
        "Nordlicht-Kurier",
        "deutsch",
        every_minutes=35,
        language="de",
        encoding="iso-8859-15",
    ),
    paper("sahil", "صحيفة الساحل", "arabic", format="atom", every_minutes=40, language="ar"),
)


def stand_in(line: dict[str, str], order: int) -> Publisher:
    """Return the publisher that plays one of the first feeds, under its real name and with invented text."""
    address, site = urlsplit(line["url"]), urlsplit(line["site_url"])
    host = address.hostname or ""
    return Publisher(
        host=host,
        title=f"{host} (demo)",
        topics=(line["tag"],),
        format=("rss", "rss", "atom")[order % 3],
        every_minutes=(7, 12, 18, 25)[order % 4],
        quirks=frozenset(("media", "content", "cdata", "utm")[order % 4 :][:1]),
        feed_path=address.path + (f"?{address.query}" if address.query else ""),
        pace=line["pace"],
        refresh_minutes=int(line["refresh_minutes"]),
        default_on=line["default_on"] == "yes",
        also=(host, site.hostname or host),
    )


def first_feeds() -> tuple[Publisher, ...]:
    """Return a stand-in for each of the first feeds of data/feeds.tsv."""
    with FIRST_FEEDS.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(stand_in(line, order) for order, line in enumerate(lines))


ALL = (*PAPERS, *first_feeds())


def by_host() -> dict[str, Publisher]:
    """Return each publisher by every name it answers to."""
    names = {}
    for publisher in ALL:
        names[publisher.host] = publisher
        for host in publisher.also:
            bare = host.removeprefix("www.")
            names |= {bare: publisher, f"www.{bare}": publisher}
    return names
