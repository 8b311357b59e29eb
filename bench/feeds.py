"""How long does a feed take from bytes to clean items, next to lxml's bare recovering parse?

Chapter 20, section 9, line 6: 500 items decoded, repaired, parsed and cleaned within 12 times the
time of lxml on the same bytes; an unchanged body within 0.05 of the full way. The ratio printed is
the dearer of two documents: a sound one, and the same with the defects of the wild.
"""

import json
from collections.abc import Callable
from random import Random
from statistics import median
from time import process_time

from lxml import etree

from app.domain.homepage.feed_documents import body_hash, dates, read

ITEMS, ROUNDS = 500, 15
URL = "https://news.example/feed.xml"
WORDS = [
    "the",
    "river",
    "council",
    "voted",
    "on",
    "Tuesday",
    "to",
    "open",
    "a",
    "second",
    "market",
    "beside",
    "old",
    "harbour",
    "where",
    "fishermen",
    "and",
    "bakers",
    "have",
    "traded",
    "since",
    "the",
    "war",
    "after",
    "months",
    "of",
    "talks",
    "about",
    "noise",
    "traffic",
    "rent",
    "and",
    "light",
    "residents",
    "said",
    "they",
    "were",
    "glad",
    "that",
    "someone",
    "had",
    "listened",
    "while",
    "critics",
    "warned",
    "of",
    "higher",
    "costs",
]


def document() -> str:
    """Return a sound feed of 500 items: short texts, summaries with markup, and whole articles."""
    random = Random(20)
    items = "".join(_item(number, random) for number in range(ITEMS))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/">'
        "<channel><title>The Harbour News</title><link>https://news.example/</link>"
        f"<description>All of it</description><ttl>15</ttl>{items}</channel></rss>"
    )


def _item(number: int, random: Random) -> str:
    link = f"https://www.news.example/{2026 - number % 3}/harbour/{number}?utm_source=rss&amp;id={number}"
    summary = (_sentence(random, 30), f"<![CDATA[{_markup(random, 2)}]]>", _escaped(random))[
        number % 3
    ]
    article = (
        f"<content:encoded><![CDATA[{_markup(random, 6)}]]></content:encoded>"
        if number % 3 == 1
        else ""
    )
    return (
        f"<item><title>{_sentence(random, 9)} &#8211; café no. {number}</title><link>{link}</link>"
        f'<guid isPermaLink="false">news.example:{number}</guid><dc:creator>Ana Lima</dc:creator>'
        f"<pubDate>Mon, {1 + number % 28:02} Mar 2026 {number % 24:02}:15:{number % 60:02} +0100</pubDate>"
        f"<category>local</category><category>harbour</category><description>{summary}</description>"
        f'{article}<media:thumbnail url="https://img.news.example/{number}.jpg" width="640"/></item>\n'
    )


def _sentence(random: Random, length: int) -> str:
    return " ".join(random.choices(WORDS, k=length)).capitalize()


def _markup(random: Random, paragraphs: int) -> str:
    return "".join(
        f'<p class="body">{_sentence(random, 40)} <a href="/tag/{n}" onclick="x()">{_sentence(random, 3)}'
        f"</a>, <strong>{_sentence(random, 4)}</strong>.</p>\n"
        for n in range(paragraphs)
    )


def _escaped(random: Random) -> str:
    return _markup(random, 2).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def damaged(text: str) -> str:
    """Return the document with bare ampersands and entities of HTML.

    Not with junk before it or controls in it: there bare lxml stops at once, and a ratio to
    nothing says nothing.
    """
    text = text.replace("utm_source=rss&amp;id", "utm_source=rss&id").replace(" and ", " & ")
    return text.replace("café", "caf&eacute;")


def bare(content: bytes) -> None:
    """Parse as the line demands: lxml in recover mode, nothing else."""
    etree.fromstring(
        content, etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
    )


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one run."""
    start = process_time()
    work()
    return process_time() - start


def compared(content: bytes) -> dict[str, float]:
    """Return the medians of interleaved rounds, in milliseconds, and their ratios."""
    assert len(read(content, None, URL).items) == ITEMS
    known = body_hash(content)
    whole, parse, unchanged = [], [], []
    for _ in range(ROUNDS):
        # What earlier rounds remember would flatter the next one.
        dates.moment.cache_clear()
        parse.append(timed(lambda: bare(content)))
        whole.append(timed(lambda: read(content, None, URL)))
        unchanged.append(timed(lambda: body_hash(content) == known))
    return {
        "kilobytes": len(content) // 1024,
        "lxml_ms": round(median(parse) * 1000, 2),
        "ours_ms": round(median(whole) * 1000, 2),
        "unchanged_ms": round(median(unchanged) * 1000, 3),
        "ratio": round(median(map(_over, whole, parse)), 2),
        "unchanged_ratio": round(median(map(_over, unchanged, whole)), 4),
    }


def _over(ours: float, theirs: float) -> float:
    return ours / theirs


def main() -> None:
    """Measure and print."""
    text = document()
    detail = {
        "sound": compared(text.encode()),
        "damaged": compared(damaged(text).encode()),
        "items": ITEMS,
        "rounds": ROUNDS,
    }
    for name in ("sound", "damaged"):
        print(f"{name}: {detail[name]}")
    ratio = max(detail["sound"]["ratio"], detail["damaged"]["ratio"])
    print(json.dumps({"bench": "feeds", "ratio": ratio, "detail": detail}))


if __name__ == "__main__":
    main()
