"""Rules 20 and 21: the order of reasons, and the buckets."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.platform import flags
from app.domain.platform.flags.evaluation import Rule, bucket, subject_of, verdict
from app.domain.platform.readers import Reader, add_visitor, by_visitor
from app.services import Services
from tests.platform.flags.conftest import set_flag

SUBJECTS = st.one_of(st.none(), st.integers(1, 10**9).map(str), st.from_regex(r"[0-9a-f]{16}", fullmatch=True))  # fmt: skip
RULES = st.builds(
    Rule,
    key=st.just("stocks_widget"),
    enabled=st.booleans(),
    rollout_percentage=st.integers(0, 100),
    whitelist=st.frozensets(st.integers(1, 20).map(str)),
)


@pytest.mark.parametrize(
    ("key", "subject", "expected"),
    [
        ("stocks_widget", "42", 35),
        ("social_integration", "42", 19),
        ("promoted_listings", "42", 1),
        ("stocks_widget", "1", 95),
    ],
)
def test_the_printed_buckets_come_out(key: str, subject: str, expected: int) -> None:
    assert bucket(key, subject) == expected


@given(st.text("abcdefghij_", min_size=3, max_size=20), SUBJECTS)
def test_a_bucket_is_the_first_four_bytes_of_md5(key: str, subject: str | None) -> None:
    digest = hashlib.md5(f"{key}:{subject}".encode()).hexdigest()
    assert bucket(key, str(subject)) == int(digest[:8], 16) % 100


@given(RULES, SUBJECTS)
def test_the_first_reason_that_holds_decides(rule: Rule, subject: str | None) -> None:
    lies_below = subject is not None and bucket(rule.key, subject) < rule.rollout_percentage
    in_order = [
        (not rule.enabled, False, "master_disabled"),
        (subject in rule.whitelist, True, "whitelisted"),
        (rule.rollout_percentage == 100, True, "full_rollout"),
        (rule.rollout_percentage == 0, False, "zero_rollout"),
        (subject is None, False, "missing_subject"),
        (lies_below, True, "cohort_enabled"),
        (True, False, "cohort_disabled"),
    ]
    expected = next((on, reason) for holds, on, reason in in_order if holds)
    assert verdict(rule, subject) == expected


@given(st.integers(0, 99), SUBJECTS)
def test_who_has_a_flag_keeps_it_when_more_people_get_it(percentage: int, subject: str) -> None:
    rules = [Rule("some_flag", True, share) for share in (percentage, percentage + 1)]
    fewer, more = (verdict(rule, subject)[0] for rule in rules)
    assert more or not fewer


def test_an_unknown_flag_is_off() -> None:
    assert verdict(None, "42") == (False, "flag_not_found")


async def test_a_visitor_is_sixteen_digits_of_the_hash(services: Services) -> None:
    made = await add_visitor(services, "a token")
    expected = hashlib.sha256(b"a token").hexdigest()[:16]
    found = await by_visitor(services, "a token")
    assert found is not None
    assert subject_of(made) == subject_of(found) == expected


async def test_readers_ids_and_nobody_can_be_asked_about(services: Services) -> None:
    await set_flag(services, enabled=True, rollout_percentage=36)
    member = Reader(id=42, kind="member")
    for who, expected in ((member, True), (42, True), ("42", True), (1, False), (None, False)):
        assert flags.is_on(services, who, "stocks_widget") is expected, who
    assert flags.is_on(services, None, "marketplace")
    assert not flags.is_on(services, member, "no_such_flag")


def test_a_process_that_never_heard_from_the_database_goes_by_what_is_shipped() -> None:
    class Nowhere:
        memory: dict[str, object] = {}

    assert flags.is_on(Nowhere(), 42, "marketplace")  # type: ignore[arg-type]
    assert not flags.is_on(Nowhere(), 42, "stocks_widget")  # type: ignore[arg-type]
