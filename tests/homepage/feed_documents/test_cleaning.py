"""Texts of strangers: ten tags, marked links, nothing that runs, nothing beyond its bound."""

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.homepage.feed_documents.cleaning import TAGS, first_image, plain, summary
from tests.homepage.fuzz_feeds import ALLOWED

BASE = "https://news.example/"
ATTACKS = [
    "<script>alert(1)</script>ok",
    '<img src=x onerror="alert(1)">ok',
    '<a href="javascript:alert(1)">ok</a>',
    '<a href="  java\nscript:alert(1)">ok</a>',
    "<svg><script>alert(1)</script></svg>ok",
    '<p style="background:url(x)" onclick="x()">ok</p>',
    '<iframe src="https://evil.example"></iframe>ok',
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>ok",
    "<b>ok<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    '<form action="https://evil.example"><input name=password>ok</form>',
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_runs_is_left(attack: str) -> None:
    cleaned = summary(attack, BASE)
    assert ALLOWED.fullmatch(cleaned), cleaned
    assert "alert" not in cleaned or "<" not in cleaned.replace("<strong>", "")


def test_links_are_absolute_and_marked() -> None:
    cleaned = summary('<p>See <a href="/a" target="_top">this</a></p>', BASE)
    link = '<a href="https://news.example/a" rel="nofollow ugc noopener">this</a>'
    assert cleaned == f"<p>See {link}</p>"


def test_headings_and_blocks_are_said_with_what_is_allowed() -> None:
    cleaned = summary("<h2>Head</h2><div>One</div><div><b>Two</b> <i>three</i></div>", BASE)
    assert cleaned == "<strong>Head</strong><br>One<br><strong>Two</strong> <em>three</em>"


def test_pictures_and_what_they_leave_empty_are_gone() -> None:
    cleaned = summary('<p><a href="/x"><img src="/p.png"></a></p><p>Text</p>', BASE)
    assert cleaned == "<p>Text</p>"


def test_a_cut_summary_is_still_valid() -> None:
    cleaned = summary("<ul>" + "<li><em>word and word</em> more</li>" * 200 + "</ul>", BASE)
    assert len(cleaned) <= 2_000 and "…" in cleaned
    assert cleaned.endswith("</ul>")
    assert nh3.clean(cleaned, tags=TAGS) == cleaned


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<b>",
                "<a href='/a'>",
                "</a>",
                "<ul><li>",
                "word ",
                "&amp;",
                "é",
                "<!--",
                "<",
            ]
        ),
        max_size=900,
    )
)
def test_any_summary_is_clean_bounded_and_stable(pieces: list[str]) -> None:
    cleaned = summary("".join(pieces), BASE)
    assert len(cleaned) <= 2_000
    assert ALLOWED.fullmatch(cleaned), cleaned


def test_plain_text_has_no_tags_and_no_entities() -> None:
    markup = "<p>Tom &amp; <b>Jer</b>ry</p><p>again</p><script>x</script><!-- no --> end"
    assert plain(markup, 100) == "Tom & Jerry again end"


def test_plain_text_is_cut_at_a_word() -> None:
    assert plain("one two three four", 14) == "one two three…"


def test_the_first_picture_is_no_pixel_and_no_button() -> None:
    markup = (
        '<img src="https://t.example/p.gif" width="1" height="1">'
        '<img src="http://feeds.feedburner.com/~ff/x"><img alt="a" src="/pic.jpg?a=1&amp;b=2">'
    )
    assert first_image(markup) == "/pic.jpg?a=1&b=2"


def test_no_text_holds_what_a_database_refuses() -> None:
    for text in ("a\0b", "<p>a\0b</p>", "a\x0bb &amp; c\0", "é\0", "a&#0;b"):
        assert "\0" not in summary(text, BASE) + plain(text, 100)


def test_a_link_without_host_is_no_link() -> None:
    cleaned = summary(
        '<a href="https:/a.example/1">one</a> <a href="https://a.example">two</a>', BASE
    )
    assert cleaned.count("href") == 1 and 'href="https://a.example"' in cleaned
