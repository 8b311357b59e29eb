"""Addresses as people write them, and which of them are secrets (chapter 20 rule 28)."""

import pytest

from app.domain.homepage import feed_errors
from app.domain.homepage.feed_addresses import completed, looks_private, shown
from app.domain.homepage.folding import folded
from app.errors import OUTSIDE_SENTENCES


@pytest.mark.parametrize(
    ("written", "meant"),
    [("example.org", "https://example.org"), (" HTTP://Example.org/a ", "HTTP://Example.org/a"), ("feed://a.example/x", "http://a.example/x"),
     ("feed:https://a.example/x", "https://a.example/x"), ("//a.example/x", "https://a.example/x"), ("javascript:alert(1)", None),
     ("mailto:a@b.example", "https://mailto:a@b.example"), ("ftp://a.example", None), ("", None), ("two words", None)],
)  # fmt: skip
def test_an_address_is_completed_as_it_was_meant(written: str, meant: str | None) -> None:
    assert completed(written) == meant


@pytest.mark.parametrize("url", [
    "https://me:pw@a.example/feed", "https://a.example/feed?token=abcd", "https://a.example/?api_key=abcd&x=1", "https://a.example/?userToken=abcd",
    "https://a.example/?auth-key=abcd", "https://a.example/?x=1&Signature=abcd",
])  # fmt: skip
def test_an_address_with_a_key_is_private_and_shown_by_its_host(url: str) -> None:
    assert looks_private(url)
    assert shown(url, private=True) == "https://a.example/…"


@pytest.mark.parametrize("url", [
    "https://a.example/feed", "https://a.example/?format=rss", "https://a.example/?keyword=news", "https://a.example/?user=channel",
    "https://a.example/?monkey=abcd", "https://a.example/?key=", "https://a.example/token/feed",
])  # fmt: skip
def test_an_ordinary_address_is_not(url: str) -> None:
    assert not looks_private(url) and shown(url, private=False) == url


def test_every_way_to_fail_has_its_sentence() -> None:
    codes = [
        *OUTSIDE_SENTENCES,
        *(f"http_{status}" for status in (400, 401, 403, 404, 410, 429, 451, 500, 503)),
    ]
    sentences = [feed_errors.sentence(code) for code in codes]
    assert len(set(sentences)) == len(codes)
    assert all(
        sentence.endswith(".") and sentence != feed_errors.sentence("unheard of")
        for sentence in sentences
    )
    assert feed_errors.kind("http_503") == "http_5xx" and feed_errors.kind("dns") == "dns"


def test_folding_leaves_words_without_case_accents_and_signs() -> None:
    assert folded("L’Été à  ÉVORA — 25 %!") == "l ete a evora 25"
