"""The pace of a feed and the ladder of its failures (chapter 20 rules 19–21)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.homepage import feed_pace
from app.domain.homepage.feed_pace import DAY

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def every(minutes: int, count: int = 30) -> list[datetime]:
    """Times of items, one every so many minutes."""
    return [NOW - n * minutes * MINUTE for n in range(count)]


@pytest.mark.parametrize(
    ("gap", "pace", "wait"),
    [(60, "normal", 30), (10, "normal", 15), (900, "normal", 180), (2, "breaking", 5), (900, "breaking", 15),
     (10, "slow", 60), (300, "slow", 150), (9000, "slow", 720)],
)  # fmt: skip
def test_a_feed_is_asked_after_half_its_usual_gap_within_its_pace(
    gap: int, pace: str, wait: int
) -> None:
    assert feed_pace.interval(every(gap), pace) == wait * MINUTE


def test_only_the_last_twenty_items_tell_the_pace() -> None:
    assert feed_pace.interval(every(60, 20) + every(10_000, 30), "normal") == 30 * MINUTE


def test_the_operator_s_minutes_win_and_a_new_feed_is_asked_soon() -> None:
    assert feed_pace.interval(every(60), "normal", 7) == 7 * MINUTE
    assert feed_pace.interval([], "normal") == feed_pace.interval([NOW], "normal") == 15 * MINUTE


@pytest.mark.parametrize(
    ("headers", "ttl", "wait"),
    [({}, None, 0), ({"cache-control": "public, max-age=3600"}, None, 60), ({"cache-control": "max-age=3600", "age": "600"}, None, 50),
     ({"cache-control": "max-age=600"}, 30, 30), ({}, 5000, 1440), ({"cache-control": "max-age=999999999"}, None, 1440),
     ({"cache-control": "no-store, max-age=x"}, None, 0)],
)  # fmt: skip
def test_a_publisher_may_ask_for_more_time_up_to_a_day(
    headers: dict[str, str], ttl: int | None, wait: int
) -> None:
    assert feed_pace.asked_for(headers, ttl) == wait * MINUTE


def test_a_listed_feed_that_nobody_watches_is_asked_once_a_day() -> None:
    assert feed_pace.after_success(15 * MINUTE, timedelta(0), watched=False) == DAY
    assert feed_pace.after_success(15 * MINUTE, 40 * MINUTE, watched=True) == 40 * MINUTE


def test_each_failure_doubles_the_wait_six_times_and_never_beyond_a_day() -> None:
    waits = [
        feed_pace.after_failure(15 * MINUTE, n, None, chance=0.5) / MINUTE for n in range(1, 9)
    ]
    assert waits == [30, 60, 120, 240, 480, 960, 960, 960]
    assert feed_pace.after_failure(180 * MINUTE, 6, None, chance=0.5) == DAY


@given(st.integers(5, 720), st.integers(1, 100), st.floats(0, 1), st.floats(0, 10**7))
def test_a_wait_after_a_failure_stays_within_its_bounds(
    minutes: int, failures: int, chance: float, retry: float
) -> None:
    bare = feed_pace.after_failure(minutes * MINUTE, failures, None, chance=chance)
    middle = min(minutes * MINUTE * 2 ** min(failures, 6), DAY)
    assert middle * 0.9 <= bare <= middle * 1.1
    asked = feed_pace.after_failure(minutes * MINUTE, failures, retry, chance=chance)
    assert asked >= max(bare, min(timedelta(seconds=retry), DAY))


@pytest.mark.parametrize(
    ("failures", "hours", "state"),
    [(4, 48, "active"), (5, 23, "active"), (5, 24, "failing"), (50, 24 * 13, "failing"), (5, 24 * 14, "suspended")],
)  # fmt: skip
def test_a_feed_is_failing_after_five_in_a_row_over_a_day(
    failures: int, hours: int, state: str
) -> None:
    assert feed_pace.state_after(failures, NOW - timedelta(hours=hours), NOW) == state
