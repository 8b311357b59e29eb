"""The reading child: it answers in a frame, limits itself, and its death is seen by its parent."""

import signal
from pathlib import Path

from app.domain.homepage.feed_documents import FeedDocument
from app.domain.homepage.feed_documents.child import CPU_SECONDS, MEMORY, Request
from tests.homepage.feed_children import Child
from tests.homepage.hostile_feeds.shapes import rss

FEED = "https://news.example/feed"


def test_a_child_answers_many_requests() -> None:
    child = Child()
    for _ in range(3):
        answer = child.ask(Request(content=rss().encode(), url=FEED))
        assert answer is not None and isinstance(answer.document, FeedDocument)
        assert len(answer.document.items) == 3
    child.close()
    assert child.process.returncode == 0


def test_what_cannot_be_read_is_answered_with_its_code() -> None:
    child = Child()
    answer = child.ask(Request(content=b"<html><body>Hi</body></html>", url=FEED))
    assert answer is not None and answer.error_code == "html"
    assert answer.document is None
    child.close()


def test_a_child_finds_feeds_of_pages_and_reads_opml() -> None:
    page = b'<link rel="alternate" type="application/rss+xml" href="/rss" title="All">'
    opml = b'<opml><body><outline text="A" xmlUrl="https://a.example/rss"/></body></opml>'
    child = Child()
    found = child.ask(Request(content=page, url=FEED, work="discover"))
    read = child.ask(Request(content=opml, work="opml"))
    child.close()
    assert found and found.candidates and found.candidates[0].url == "https://news.example/rss"
    assert read and read.outlines and read.outlines[0].title == "A"


def test_a_child_has_its_limits_set() -> None:
    child = Child()
    child.ask(Request(content=rss().encode(), url=FEED))
    used = child.cpu_seconds()
    limits = Path(f"/proc/{child.process.pid}/limits").read_text()
    child.close()
    memory = next(line for line in limits.splitlines() if line.startswith("Max address space"))
    seconds = next(line for line in limits.splitlines() if line.startswith("Max cpu time"))
    assert str(MEMORY) in memory
    assert int(seconds.split()[3]) <= used + CPU_SECONDS


def test_a_parent_sees_that_its_child_was_killed() -> None:
    child = Child()
    assert child.ask(Request(content=rss().encode(), url=FEED)) is not None
    child.process.send_signal(signal.SIGXCPU)
    child.process.wait()
    assert child.ask(Request(content=rss().encode(), url=FEED)) is None
    child.close()
