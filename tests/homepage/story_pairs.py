"""Pairs of tellings written by hand: of one event, and of two that look alike (chapter 20 §9 line 7).

A family is two events that look alike, each told twice: two pairs of one event, and two look-alikes. Families with an even
number are held out: what the matching was tuned on are the odd ones, and only those.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from app.domain.homepage.story_matching import Member
from app.domain.homepage.story_words import told

FILE = Path(__file__).with_name("story_pairs.tsv")
BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)


class Pair(NamedTuple):
    """Two items, and whether they tell one event."""

    family: int
    kind: str
    one: Member
    other: Member
    same: bool
    titles: tuple[str, str]

    @property
    def held_out(self) -> bool:
        """Whether this pair measures, rather than tunes."""
        return self.family % 2 == 0


def rows() -> list[dict[str, str]]:
    """All tellings, as they are written down."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def tellings(begin: datetime) -> Iterator[tuple[str, str, datetime, str]]:
    """Title, summary, time and language of each telling."""
    for row in rows():
        at = begin + timedelta(hours=float(row["hours"]))
        yield row["title"], row["summary"], at, row["language"]


def pairs() -> Iterator[Pair]:
    """All pairs."""
    for number, family in groupby(rows(), lambda row: row["family"]):
        one, one_again, other, other_again = family
        for left, right in (
            (one, one_again),
            (other, other_again),
            (one, other),
            (one_again, other_again),
        ):
            yield Pair(
                int(number),
                left["look_alike"],
                member(left, 1),
                member(right, 2),
                left["event"] == right["event"],
                (left["title"], right["title"]),
            )


def member(row: dict[str, str], feed_id: int) -> Member:
    """One telling as an item of a feed."""
    telling = told(row["title"], row["summary"], row["language"])
    return Member(feed_id, BEGIN + timedelta(hours=float(row["hours"])), telling)
