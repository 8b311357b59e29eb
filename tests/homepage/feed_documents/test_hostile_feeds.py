"""The hostile set goes through the child: what a careful reader finds is found, and nothing dies."""

from collections.abc import Iterator

import pytest

from app.domain.homepage.feed_documents.child import MEMORY, Answer, Request
from tests.homepage import fuzz_feeds
from tests.homepage.feed_children import Child
from tests.homepage.hostile_feeds import CASES, Case

FEED = "https://news.example/feed"
BOUND_TO_HOLD_MORE = {"hundred_thousand_full_items"}


class Children:
    """One child for the whole set, as in life; a dead one is replaced, so that one case fails alone."""

    def __init__(self) -> None:
        self.child = Child()

    def ask(self, request: Request) -> Answer | None:
        """Ask the living child."""
        if self.child.process.poll() is not None:
            self.child.close()
            self.child = Child()
        return self.child.ask(request)


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """The children of this module."""
    children = Children()
    yield children
    children.child.close()


def _found(answer: Answer) -> list[tuple[str, str | None, str | None]]:
    assert answer.document is not None, answer.error_code
    return [
        (one.title, one.url, one.published_at and one.published_at.isoformat())
        for one in answer.document.items
    ]


def _missing(case: Case, answer: Answer) -> list[tuple[str, str | None, str | None]]:
    found = _found(answer)
    return [tuple(one) for one in case.items if tuple(one) not in found]


@pytest.mark.parametrize("name", CASES)
def test_one_defect_spoils_no_neighbour(children: Children, name: str) -> None:
    case = CASES[name]()
    request = Request(content=case.content, content_type=case.content_type, url=FEED)
    answer = children.ask(request)
    assert answer is not None, "the child died of time or memory"
    if case.code:
        assert answer.error_code == case.code
        return
    assert _missing(case, answer) == []
    if name not in BOUND_TO_HOLD_MORE:
        assert len(_found(answer)) == len(case.items)


def test_the_set_is_large_enough() -> None:
    assert len(CASES) >= 60


def test_the_child_stays_within_its_memory(children: Children) -> None:
    assert children.child.peak_bytes() < MEMORY


def test_mutated_feeds_crash_nothing() -> None:
    seen = fuzz_feeds.run(500, seed=2026)
    assert seen.total() == 500
    assert seen["read"] > 100
