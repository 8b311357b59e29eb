"""Throw mutated feeds at the reader: `python -m tests.homepage.fuzz_feeds [COUNT] [SEED]`.

Each input goes through a real child with its limits. A crash, a death or an answer that breaks a
promise of the interface ends the run with the input that caused it.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import perf_counter

from app.domain.homepage.feed_documents import REASONS
from app.domain.homepage.feed_documents.child import Answer, Request
from tests.homepage.feed_children import Child
from tests.homepage.hostile_feeds import CASES

LARGEST_SEED = 60_000
PIECES = [
    *(
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"<",
        b">",
        b"</",
        b"/>",
        b"&",
        b"&#",
        b"&amp;",
        b"\0",
    ),
    *(b"<item>", b"</item>", b"<entry>", b"</channel>", b"</rss>", b"<title>", b"</title>", b'"'),
    *(b"<!DOCTYPE rss [", b"<!ENTITY a 'b'>", b"&a;", b"\xff", b"\xfe\xff", b"\xed\xa0\x80", b"'"),
    *(
        b"xmlns:x='y' ",
        b"xml:base='http://[' ",
        b"<link href='//['/>",
        b"&#xD800;",
        b"&lt;script&gt;",
    ),
    *(
        b"{",
        b"[",
        b'\\ud800"',
        b"charset=utf-7",
        b"<?xml version='1.0' encoding='utf-16'?>",
        b"%00",
    ),
]
TYPES = [
    None,
    None,
    None,
    "text/xml",
    "text/xml; charset=utf-16",
    "x; charset=shift_jis",
    "charset=\0",
]
ALLOWED = re.compile(
    r'(?:[^<>&"]|"|&(?:amp|lt|gt|quot|nbsp|#\d+);|</?(?:p|em|strong|ul|ol|li|blockquote|code)>|<br>|</a>'
    r'|<a(?: href="https?://[^"<>]*")?(?: rel="nofollow ugc noopener")?>)*'
)


def seeds() -> list[bytes]:
    """Return the small files of the hostile set, bombs aside."""
    made = (make().content for name, make in CASES.items() if "million" not in name)
    return [content for content in made if 0 < len(content) < LARGEST_SEED]


def mutations(count: int, seed: int) -> Iterator[tuple[bytes, str | None]]:
    """Yield mutated documents with a content type, the same for the same seed."""
    random = Random(seed)
    stock = seeds()
    for _ in range(count):
        content = bytearray(random.choice(stock))
        for _ in range(random.randint(1, 8)):
            _mutate(content, random, stock)
        yield bytes(content), random.choice(TYPES)


def _mutate(content: bytearray, random: Random, stock: list[bytes]) -> None:
    start = random.randrange(len(content) + 1)
    end = min(len(content), start + int(random.expovariate(1 / 30)))
    kind = random.randrange(7)
    if kind == 0:
        del content[start:end]
    elif kind == 1:
        content[start:start] = random.choice(PIECES) * random.choice((1, 1, 1, 2, 300))
    elif kind == 2:
        content[start:start] = content[start:end] * random.choice((1, 2, 50))
    elif kind == 3:
        content[start:end] = random.randbytes(end - start)
    elif kind == 4:
        other = random.choice(stock)
        at = random.randrange(len(other))
        content[start:end] = other[at : at + 2_000]
    elif kind == 5 and start < len(content):
        content[start] ^= 1 << random.randrange(8)
    else:
        del content[start : len(content) if random.random() < 0.3 else end]


def broken_promise(answer: Answer | None) -> str | None:
    """Return which promise of the interface an answer breaks, None for a good answer."""
    if answer is None:
        return "the child died"
    if answer.document is None:
        return None if answer.error_code in REASONS else f"unknown code {answer.error_code}"
    known = set()
    for one in answer.document.items:
        if one.guid_hash in known:
            return "the same identity twice"
        known.add(one.guid_hash)
        if not (one.title or one.body_text) or len(one.guid_hash) != 32:
            return "an item without words or identity"
        if len(one.title) > 300 or len(one.summary_html) > 2_000 or len(one.body_text) > 8_000:
            return "a text beyond its bound"
        if any(
            url and not url.lower().startswith(("http://", "https://"))
            for url in (one.url, one.image_url)
        ):
            return "an address that is not http"
        if "\0" in one.title + one.summary_html + one.body_text + one.author + (one.url or ""):
            return "a zero in a text"
        if not ALLOWED.fullmatch(one.summary_html):
            return f"unclean HTML {one.summary_html!r}"
    return None


def run(count: int, seed: int) -> Counter[str]:
    """Read `count` mutations; return how many were read and refused. Raises AssertionError."""
    child, seen = Child(), Counter[str]()
    try:
        for content, content_type in mutations(count, seed):
            answer = child.ask(
                Request(content=content, content_type=content_type, url="https://news.example/feed")
            )
            broken = broken_promise(answer)
            assert broken is None, f"{broken}: {content_type!r} {content!r}"
            seen[answer.error_code or "read"] += 1
    finally:
        child.close()
    return seen


def main() -> None:
    """Run from the command line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    started = perf_counter()
    seen = run(count, seed)
    print(
        f"{Path(__file__).stem}: {count} inputs, seed {seed}, no crash, {perf_counter() - started:.0f} s"
    )
    print(dict(seen))


if __name__ == "__main__":
    main()
