"""The news widget's one sentence: what it says when its sources do not answer (chapter 20 rule 17)."""

from datetime import UTC, datetime
from typing import Any

from app.domain.homepage import news_widgets

NOW = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)


def health(*codes: str | None) -> list[dict[str, Any]]:
    """Feeds that failed with these codes; None is one that answers."""
    return [{"failures": int(code is not None), "error_code": code, "last_ok_at": NOW} for code in codes]  # fmt: skip


def test_one_source_that_fails_says_its_reason() -> None:
    found = news_widgets.standing(True, health("timeout"), NOW)
    assert found == ("failing", "The server stopped answering.")


def test_many_that_fail_are_counted_and_name_the_reason_that_they_share() -> None:
    state, sentence = news_widgets.standing(True, health("timeout", "timeout", "timeout"), NOW)
    assert (state, sentence) == (
        "failing",
        "None of the 3 sources could be read: the server stopped answering.",
    )
    _, sentence = news_widgets.standing(False, health("timeout", "http_404"), NOW)
    assert sentence == "None of the 2 sources could be read."


def test_one_that_answers_is_enough() -> None:
    assert news_widgets.standing(True, health("timeout", None), NOW) == ("fresh", "")
