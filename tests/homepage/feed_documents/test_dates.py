"""Dates: the wild forms are read, nonsense is none, and what runs ahead is seen now."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.homepage.feed_documents import sighted
from app.domain.homepage.feed_documents.dates import moment

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_a_missing_zone_is_utc() -> None:
    assert moment("Mon, 02 Mar 2026 08:00:00") == NOW
    assert moment("2026-03-02T08:00:00") == NOW


def test_two_digits_are_a_year_of_this_or_the_last_century() -> None:
    assert moment("02 Mar 49 08:00 GMT") == datetime(2049, 3, 2, 8, tzinfo=UTC)
    assert moment("02 Mar 50 08:00 GMT") == datetime(1950, 3, 2, 8, tzinfo=UTC)


def test_the_shortest_form_of_the_captured_feeds_is_read() -> None:
    assert moment("03 Apr 02 1500 GMT") == datetime(2002, 4, 3, 15, tzinfo=UTC)
    assert moment("Mon 22 Nov 2010 01:30:00 GMT") == datetime(2010, 11, 22, 1, 30, tzinfo=UTC)


def test_unix_date_has_its_clock_before_the_year() -> None:
    assert moment("Mon Mar  2 08:00:00 UTC 2026") == NOW
    assert moment("Mon Mar 02 03:00:00 EST 2026") == NOW


def test_no_date_is_none() -> None:
    for text in ("", "soon", "0000-00-00 00:00:00", "2026-13-45", "99/99/9999", "Mon, 32 Mar 2026"):
        assert moment(text) is None


def test_what_is_missing_or_runs_ahead_was_seen_now() -> None:
    assert sighted(None, NOW) == NOW
    assert sighted(NOW + timedelta(minutes=11), NOW) == NOW
    assert sighted(NOW + timedelta(minutes=9), NOW) == NOW + timedelta(minutes=9)
    assert sighted(NOW - timedelta(days=400), NOW) == NOW - timedelta(days=400)


@given(st.text(alphabet="0123456789:-+/.,TZ amprJanSfebüGM\n", max_size=60))
def test_no_text_breaks_the_reader_of_dates(text: str) -> None:
    found = moment(text)
    assert found is None or found.utcoffset() == timedelta(0)


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2060, 1, 1)))
def test_what_a_program_writes_is_read_back(at: datetime) -> None:
    at = at.replace(microsecond=0, tzinfo=UTC)
    assert moment(at.strftime("%a, %d %b %Y %H:%M:%S GMT")) == at
    assert moment(at.isoformat()) == at
