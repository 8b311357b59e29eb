"""What is one event and what only looks so: the decision by itself, on words, names, numbers and times."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies

from app.domain.homepage.story_matching import (
    MOST_ITEMS,
    Candidate,
    Member,
    belongs,
    best,
    clash,
    likeness,
)
from app.domain.homepage.story_numbers import numbers
from app.domain.homepage.story_words import language_of, told
from tests.homepage.story_pairs import pairs
from tests.homepage.telling_papers import MERGER, QUAKE

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def member(
    title: str, summary: str = "", feed_id: int = 1, hours: float = 0, language: str = "en"
) -> Member:
    """One item, published that many hours after the first."""
    return Member(feed_id, AT + timedelta(hours=hours), told(title, summary, language))


def joins(one: Member, *others: Member) -> bool:
    """Whether one item belongs to the story of the others."""
    return belongs(one, Candidate(1, list(others))) > 0


def test_the_pairs_are_enough_and_the_held_out_half_is_told_apart() -> None:
    found = list(pairs())
    held = [pair for pair in found if pair.held_out]
    assert len(found) >= 400 and abs(len(held) * 2 - len(found)) <= 8
    assert sum(not pair.same for pair in found) >= 150
    assert {"en", "de", "fr", "es"} <= {pair.one.telling.language for pair in found}
    joined = [pair for pair in held if joins(pair.other, pair.one)]
    right = sum(pair.same for pair in joined)
    assert right / len(joined) >= 0.97
    assert right / sum(pair.same for pair in held) >= 0.75


def test_an_event_told_in_other_words_is_one_story() -> None:
    first, *others = [member(*told_, feed_id=n) for n, told_ in enumerate(QUAKE)]
    assert all(joins(other, first) for other in others)
    assert not joins(member(*MERGER[0], feed_id=9), first)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rovers 2-1 Stanmere: Okafor wins derby", "Rovers 0-0 Stanmere: Okafor misses in derby"),
        ("Corvane third-quarter profit rises", "Corvane fourth-quarter profit rises"),
        ("Corvane Q3 profit rises on cloud demand", "Corvane Q4 profit rises on cloud demand"),
        ("How the river was lost, part 1", "How the river was lost, part 2"),
        ("Orchid OS 14.2 arrives", "Orchid OS 14.3 arrives"),
        ("Quake of magnitude 6.4 hits Davao", "Quake of magnitude 5.8 hits Davao"),
        ("Bergheim siegt am 12. Spieltag", "Bergheim siegt am 13. Spieltag"),
        ("Inflation in March", "Inflation in April"),
        ("Stage 3: Kervella wins", "Stage 4: Kervella wins"),
        ("Census 2021 is out", "Census 2031 is out"),
    ],
)  # fmt: skip
def test_other_scores_parts_and_amounts_clash(one: str, other: str) -> None:
    assert clash(told(one, "", "en"), told(other, "", "en"))
    assert not clash(told(one, "", "en"), told(one, "", "en"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FreshCo pays $1.25bn for Allman", "FreshCo pays $1.3 billion for Allman"),
        ("A dozen hurt in Leeds", "12 hurt in Leeds"),
        ("Nordwind cuts 4,000 jobs", "Nordwind cuts 4.000 jobs"),
        ("Corvane profit up 18%", "Corvane profit up 18 percent"),
        ("Rovers beat Stanmere 2-1", "Stanmere lose 1-2 at Rovers"),
    ],
)
def test_an_amount_said_otherwise_does_not_clash(one: str, other: str) -> None:
    assert not clash(told(one, "", "en"), told(other, "", "en"))


def test_numbers_are_read_as_each_language_writes_them() -> None:
    amounts = {
        text: [amount.value for amount in numbers(text, language).amounts]
        for text, language in (
            ("1,25 Mrd. Euro", "de"), ("200 000 euros", "fr"), ("1.200 empleos", "es"), ("neuf blessés", "fr"),
        )
    }  # fmt: skip
    assert list(amounts.values()) == [[1.25e9], [200_000.0], [1200.0], [9.0]]


def test_names_that_only_one_of_both_tells_hold_two_stories_apart() -> None:
    reading = member(
        "Man arrested after stabbing at Reading station",
        "Police arrested a man of 31 at Reading railway station.",
    )
    croydon = member("Man arrested after stabbing at Croydon station", "Police arrested a man of 31 at Croydon railway station.", 2)  # fmt: skip
    assert not joins(croydon, reading)


def test_a_review_is_not_the_news_of_what_it_reviews() -> None:
    review = member(
        "Review: Ashes of Orion by Pavel Dorn", "Pavel Dorn's space epic Ashes of Orion opens."
    )
    report = member(
        "Ashes of Orion by Pavel Dorn tops charts",
        "Pavel Dorn's space epic Ashes of Orion opens.",
        2,
    )
    assert likeness(review, report) < likeness(report, report) - 0.2


def test_two_days_end_a_story_and_another_language_never_joins() -> None:
    first = member(*QUAKE[0])
    assert joins(member(*QUAKE[2], feed_id=2, hours=5), first)
    assert not joins(member(*QUAKE[2], feed_id=2, hours=49), first)
    assert not joins(member(*QUAKE[2], feed_id=2, hours=-49), first)
    assert likeness(member(*QUAKE[0]), Member(2, AT, told(*QUAKE[2], None))) > 0
    spanish = "El terremoto sacude la ciudad de Davao y los vecinos salen a las calles"
    assert likeness(first, member(spanish, "Davao Mindanao tsunami", 2, language="es")) == 0


def test_the_same_page_or_the_same_long_text_is_one_story_for_two_weeks() -> None:
    page = Member(1, AT, told("Alpha beta", "", "en"), b"page")
    for days, expected in ((13, True), (15, False)):
        again = Member(2, AT + timedelta(days=days), told("Other words", "", "en"), b"page")
        assert joins(again, page) == expected
    text = "Eight words at least make a text of some length"
    assert joins(member(text, feed_id=2, hours=200), member(text))
    assert not joins(
        member("Morning news in brief", feed_id=2, hours=200), member("Morning news in brief")
    )


def test_a_feed_tells_an_event_once_and_forty_are_enough() -> None:
    assert not joins(member(*QUAKE[1], feed_id=1), member(*QUAKE[0], feed_id=1))
    crowd = [member(*QUAKE[0], feed_id=n) for n in range(2, 2 + MOST_ITEMS)]
    assert not joins(member(*QUAKE[1]), *crowd)
    assert joins(member(*QUAKE[1]), *crowd[1:])


def test_the_likeliest_story_is_chosen_and_the_older_of_two_equal_ones() -> None:
    item = member(*QUAKE[1], feed_id=9)
    far, near = (
        Candidate(3, [member(*MERGER[0])]),
        [Candidate(n, [member(*QUAKE[1])]) for n in (7, 5)],
    )
    assert [found.story_id for found in best(item, [far, *near])] == [5, 7]


def test_what_an_item_says_tells_its_language_better_than_its_feed() -> None:
    assert (
        language_of(
            "en-us", "Der Minister sagt, dass die Bahn nicht mehr fährt, und das ist schlecht"
        )
        == "de"
    )
    assert language_of("en-GB", "Rovers beat Stanmere") == "en"
    assert language_of("sv", "Rovers") == "sv"


@given(strategies.text(max_size=200), strategies.text(max_size=200))
def test_any_text_can_be_read_and_likeness_has_no_sides(title: str, summary: str) -> None:
    one, other = member(title, summary), member(*QUAKE[0], feed_id=2)
    assert likeness(one, other) == likeness(other, one)
    assert clash(one.telling, other.telling) == clash(other.telling, one.telling)
