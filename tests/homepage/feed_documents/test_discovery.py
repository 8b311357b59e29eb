"""Feeds of pages: what the head names, and what the address of a known shape implies."""

import pytest

from app.domain.homepage.feed_documents import Candidate, discover, known_shapes

PAGE = b"""<!DOCTYPE html><html><head><meta charset="utf-8"><base href="/blog/">
<link rel="alternate" type="application/rss+xml" title="Comments" href="comments.rss">
<link rel="alternate" type="application/atom+xml; charset=utf-8" title="All &amp; more" href="atom.xml">
<link rel=alternate type=application/feed+json href="https://other.example/feed.json">
<link rel="alternate" hreflang="de" href="/de/"><link rel="stylesheet" href="feed.css">
<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
</head><body><link rel="alternate" type="application/rss+xml" href="atom.xml"></body></html>"""

SHAPES = {
    "https://www.youtube.com/channel/UC123": "https://www.youtube.com/feeds/videos.xml?channel_id=UC123",
    "https://www.youtube.com/playlist?list=PL1": "https://www.youtube.com/feeds/videos.xml?playlist_id=PL1",
    "https://social.example/@ana": "https://social.example/@ana.rss",
    "https://social.example/users/ana": "https://social.example/users/ana.rss",
    "https://www.reddit.com/r/portugal": "https://www.reddit.com/r/portugal/.rss",
    "https://forum.example/c/news/5": "https://forum.example/c/news/5.rss",
    "https://github.com/ana/tool": "https://github.com/ana/tool/releases.atom",
    "https://gitlab.example/ana/tool": "https://gitlab.example/ana/tool/-/releases.atom",
    "https://codeberg.org/ana/tool.git": "https://codeberg.org/ana/tool/releases.rss",
}


def test_a_page_names_its_feeds_best_first_each_once() -> None:
    found = discover(PAGE, "text/html", "https://news.example/")
    assert found == [
        Candidate("https://news.example/blog/atom.xml", "All & more", "application/atom+xml"),
        Candidate("https://other.example/feed.json", "", "application/feed+json"),
        Candidate("https://news.example/blog/comments.rss", "Comments", "application/rss+xml"),
    ]


def test_a_page_without_feeds_names_none() -> None:
    assert discover(b"<p>Hi", None, "https://news.example/") == []
    assert discover(b"\x89PNG", None, "https://news.example/") == []


@pytest.mark.parametrize("url", SHAPES)
def test_a_known_shape_has_a_known_feed(url: str) -> None:
    assert known_shapes(url)[0] == SHAPES[url]


@pytest.mark.parametrize(
    "url", ["https://news.example/a/b", "ftp://x.example/@ana", "https://[", "", "x"]
)
def test_an_unknown_shape_implies_nothing(url: str) -> None:
    assert known_shapes(url) == []
