"""Addresses: one canonical form, absolute and http only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.homepage.feed_documents import absolute, canonical_url, url_key

BASE = "https://news.example/path/feed.xml"
SAME = {
    "http://www.News.example/a": "https://news.example/a",
    "https://news.example": "https://news.example/",
    "https://news.example:443/a#top": "https://news.example/a",
    "https://news.example/a?utm_source=x&b=2&a=1&fbclid=9": "https://news.example/a?a=1&b=2",
    "https://news.example/a?UTM_Medium=rss": "https://news.example/a",
    "https://news.example/%7euser/%c3%a9": "https://news.example/~user/%C3%A9",
    "https://news.example/story/amp/": "https://news.example/story",
    "https://news.example/story.amp.html": "https://news.example/story.html",
    "https://amp.news.example/story?amp=1": "https://news.example/story",
    "https://www.google.com/amp/s/news.example/story": "https://news.example/story",
    "https://news-example.cdn.ampproject.org/c/s/news.example/story": "https://news.example/story",
    "https://bücher.example/": "https://xn--bcher-kva.example/",
    "https://ana:secret@news.example/rss": "https://ana:secret@news.example/rss",
    "https://www.example/": "https://www.example/",
}


@pytest.mark.parametrize("written", SAME)
def test_an_address_has_one_canonical_form(written: str) -> None:
    assert canonical_url(written) == SAME[written]


@pytest.mark.parametrize("written", SAME)
def test_a_canonical_form_is_its_own_canonical_form(written: str) -> None:
    assert canonical_url(canonical_url(written)) == canonical_url(written)


def test_variants_of_an_address_share_a_key() -> None:
    assert url_key("http://www.news.example/a?utm_id=1") == url_key("https://news.example/a")
    assert url_key("https://news.example/a") != url_key("https://news.example/b")


def test_the_list_of_tracking_parameters_is_a_setting() -> None:
    url = "https://news.example/a?ref=x&utm_source=y"
    assert canonical_url(url, frozenset({"ref"})) == "https://news.example/a?utm_source=y"


@pytest.mark.parametrize(
    "written",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:x",
        "data:,x",
        "mailto:a@b.example",
        "ftp://a.example",
        "#",
        "",
    ],
)
def test_only_http_is_an_address(written: str) -> None:
    assert absolute(written, BASE) is None


def test_a_relative_address_is_resolved() -> None:
    assert absolute("a", BASE) == "https://news.example/path/a"
    assert absolute("/a?b", BASE) == "https://news.example/a?b"
    assert absolute("../a", BASE) == "https://news.example/a"
    assert absolute("//cdn.example/a", BASE) == "https://cdn.example/a"
    assert absolute("?page=2", BASE) == "https://news.example/path/feed.xml?page=2"


@given(st.text(max_size=60))
def test_whatever_is_written_an_address_is_http_or_none(written: str) -> None:
    found = absolute(written, BASE)
    assert found is None or found.lower().startswith(("http://", "https://"))
    assert found is None or not set(found) & set(' "<>\\\n\t\0')
    canonical_url(written)
