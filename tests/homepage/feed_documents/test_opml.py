"""OPML: read from anybody, and what is written is read back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.homepage.feed_documents import Outline, Unreadable, opml

NESTED = b"""<?xml version="1.0"?><opml version="1.0"><head><title>Mine</title></head><body>
<outline text="News"><outline text="World"><outline text="A &amp; B" type="rss" xmlUrl="https://a.example/rss"/>
</outline><outline title="Bee" text="b" xmlurl="https://b.example/rss"/></outline>
<outline text="Loose" type="rss" xmlUrl=" https://c.example/rss "/><outline text="Empty folder"/>
<outline text="By category" category="/Tech/Code,/x" xmlUrl="https://d.example/rss"/></body></opml>"""

words = (
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cf", "Cn", "Co"]),
        min_size=1,
        max_size=30,
    )
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)
outlines = st.lists(
    st.builds(
        Outline,
        st.integers(1, 10**6).map("https://a.example/{}?a=1&b=<\"'".format),
        words,
        st.none() | words,
    ),
    max_size=12,
)


def test_folders_nest_with_a_slash() -> None:
    assert opml.read(NESTED) == [
        Outline("https://a.example/rss", "A & B", "News/World"),
        Outline("https://b.example/rss", "Bee", "News"),
        Outline("https://c.example/rss", "Loose", None),
        Outline("https://d.example/rss", "By category", "Tech/Code"),
    ]


@given(outlines)
def test_what_is_written_is_read_back(given_outlines: list[Outline]) -> None:
    read = opml.read(opml.write("Mine <&>", given_outlines).encode())
    order = {
        folder: place
        for place, folder in enumerate(dict.fromkeys(one.folder for one in given_outlines))
    }
    assert read == sorted(given_outlines, key=lambda one: order[one.folder])


def test_a_broken_list_is_still_read() -> None:
    broken = b'<opml><body><outline text="R&D" xmlUrl="https://a.example/?a=1&b=2"/><outline text=X xmlUrl=https://x.example/rss>'
    assert [one.url for one in opml.read(broken)] == [
        "https://a.example/?a=1&b=2",
        "https://x.example/rss",
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"<html><body>no</body></html>", "not_opml"),
        (b"hello", "not_opml"),
        (b"<opml><body>" + b'<outline text="x" xmlUrl="https://a.example/"/>' * 2_001, "too_many"),
        (b"<opml>" + b" " * 1_100_000, "too_big"),
    ],
)
def test_what_is_no_list_is_refused_with_its_reason(content: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        opml.read(content)
    assert refusal.value.code == code


def test_two_thousand_outlines_are_read() -> None:
    lines = [
        Outline(f"https://a.example/{n}", f"Feed {n}", f"Folder {n % 7}") for n in range(2_000)
    ]
    assert len(opml.read(opml.write("Mine", lines).encode())) == 2_000


def test_an_entity_of_a_file_is_not_read() -> None:
    content = (
        b'<!DOCTYPE opml [<!ENTITY f SYSTEM "file:///etc/passwd">]><opml><body>'
        b'<outline text="x&f;y" xmlUrl="https://a.example/"/></body></opml>'
    )
    assert opml.read(content) == [Outline("https://a.example/", "x&f;y", None)]
