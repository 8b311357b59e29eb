"""Bytes of unknown make become UTF-8: the first witness that fits without an error is believed."""

import codecs
import re
import zlib
from collections.abc import Iterator

from app.domain.homepage.feed_documents.documents import Unreadable

MOST_BYTES = 10 * 1024 * 1024
SAMPLE = 16_384
SAMPLE_FOR_ROWS = 500_000

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# XML 1.0, appendix F: without a BOM the zeros around the first "<" tell the width of a character.
WIDTHS = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
    (b"{\0", "utf-16-le"),
    (b"\0{", "utf-16-be"),
)
# The wider encoding that publishers mean when they write the narrower name (encoding.spec.whatwg.org).
MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
}
# These turn any bytes into some text, or take quadratic time: no document is written in them.
REFUSED = frozenset(
    {"utf-7", "punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"}
)

ROW = re.compile(rb"[\xc0-\xff]{4,}")
CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]{2,40})", re.I)
DECLARED = re.compile(
    rb"^[^<]{0,200}<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([\w.:+-]{2,40})", re.I
)
META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:+-]{2,40})", re.I)


def decode(content: bytes, content_type: str | None) -> tuple[bytes, str, list[str]]:
    """Return the document in UTF-8, the name of the encoding it came in, and the repairs.

    The order: unpacked, BOM, HTTP charset, XML declaration, strict UTF-8, Windows-1252, a guess.
    Raises Unreadable (too_big, empty).
    """
    content, repairs = unpacked(content)
    if not content.strip(b"\0 \t\r\n"):
        raise Unreadable("empty")
    for mark, name in BOMS:
        if content.startswith(mark):
            marked, more = _by_mark(content[len(mark) :], name)
            return marked, name, repairs + more
    is_utf8 = _strictly(content, "utf-8") is not None
    for witness, name in _witnesses(content, content_type):
        if name == "utf-8" or not _plausible(content, name, is_utf8):
            continue
        if (text := _strictly(content, name)) is not None:
            return text, name, repairs
        repairs = [*repairs, f"{witness} is wrong"]
    if is_utf8:
        return content, "utf-8", repairs
    guessed, name, more = _without_witness(content)
    return guessed, name, repairs + more


def unpacked(content: bytes) -> tuple[bytes, list[str]]:
    """Return the bytes without a gzip or zlib layer that no header announced. Raises Unreadable."""
    repairs: list[str] = []
    for _ in range(2):
        if content[:2] != b"\x1f\x8b" and content[:2] not in (
            b"\x78\x01",
            b"\x78\x9c",
            b"\x78\xda",
        ):
            break
        content = _inflated(content)
        repairs.append("unannounced compression")
    if len(content) > MOST_BYTES:
        raise Unreadable("too_big")
    return content, repairs


def _inflated(content: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=47)
    try:
        # Half an archive still yields what stood before the break.
        unpacked_bytes = unpacker.decompress(content, MOST_BYTES + 1)
    except zlib.error as error:
        raise Unreadable("not_a_feed") from error
    if len(unpacked_bytes) > MOST_BYTES:
        raise Unreadable("too_big")
    return unpacked_bytes


def _by_mark(content: bytes, name: str) -> tuple[bytes, list[str]]:
    text = _strictly(content, name)
    if text is not None:
        return text, ["byte order mark"] if name == "utf-8" else []
    if name == "utf-8":
        text, _, repairs = _without_witness(content)
        return text, repairs
    return content.decode(name, "ignore").encode("utf-8"), ["broken characters"]


def _witnesses(content: bytes, content_type: str | None) -> Iterator[tuple[str, str]]:
    head = content.lstrip()[:4]
    for start, name in WIDTHS:
        if head.startswith(start):
            yield "width", name
    if match := CHARSET.search(content_type or ""):
        yield from _named("HTTP charset", match[1])
    if declared := DECLARED.match(content) or META.search(content[:2048]):
        yield from _named("declared encoding", declared[1].decode("ascii", "replace"))


def _named(witness: str, label: str) -> Iterator[tuple[str, str]]:
    try:
        found = codecs.lookup(label)
    except (LookupError, ValueError):
        return
    name = found.name
    if name not in REFUSED and getattr(found, "_is_text_encoding", True):
        yield witness, MEANT.get(name, name)


def _plausible(content: bytes, name: str, is_utf8: bool) -> bool:
    """Refuse a label that the bytes contradict.

    Bytes that are UTF-8 beyond ASCII are UTF-8: no other text has that pattern by chance, and
    servers put their default charset before everything. Wide characters come with zeros.
    """
    if name.startswith(("utf-16", "utf-32")):
        return b"\0" in content[:200] or content[1:2] not in (b"?", b"r", b"f")
    return not (is_utf8 and not content.isascii() and b"\x1b" not in content)


def _strictly(content: bytes, name: str) -> bytes | None:
    try:
        if name == "utf-8":
            content.decode("utf-8")
            return content
        text = content.decode(name)
    except (UnicodeError, ValueError):
        return None
    # Any bytes are some text in some code page; a feed has a bracket in the right one only.
    if "<" not in text[:5000] and "{" not in text[:5000]:
        return None
    return text.encode("utf-8", "ignore")


def _without_witness(content: bytes) -> tuple[bytes, str, list[str]]:
    good = content.decode("utf-8", "ignore")
    lost = len(content) - len(good.encode("utf-8"))
    beyond_ascii = len(good) - len(good.encode("ascii", "ignore"))
    if lost <= beyond_ascii or lost <= 3 and _ends_inside(content):
        return _mostly_utf8(content, lost), "utf-8", ["broken characters"]
    del good
    text = None if _is_foreign(content) else _strictly(content, "cp1252")
    if text is not None:
        return text, "cp1252", ["no true encoding named"]
    name = _guessed(content)
    return content.decode(name, "replace").encode("utf-8"), name, ["guessed encoding"]


def _is_foreign(content: bytes) -> bool:
    """Tell whether the letters beyond ASCII stand in rows, as no western language writes them."""
    rows = sum(len(row) for row in ROW.findall(content[:SAMPLE_FOR_ROWS]))
    beyond = len(content[:SAMPLE_FOR_ROWS].translate(None, bytes(range(0x80))))
    return rows * 2 > beyond


def _ends_inside(content: bytes) -> bool:
    return all(byte < 0x80 for byte in content[:-3])


def _mostly_utf8(content: bytes, lost: int) -> bytes:
    # Each broken byte costs a call: a few are read as Windows-1252, a flood is only marked.
    handler = "village_1252" if lost <= 20_000 else "replace"
    return content.decode("utf-8", handler).encode("utf-8")


def _as_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return broken.decode("cp1252", "replace"), error.end


codecs.register_error("village_1252", _as_1252)


def _guessed(content: bytes) -> str:
    # A tenth of a second to import, and needed once in a thousand feeds.
    from charset_normalizer import from_bytes

    start = next((at for at, byte in enumerate(content) if byte > 127), 0)
    best = from_bytes(content[max(0, start - 1000) : start + SAMPLE]).best()
    if best is None or best.encoding in REFUSED:
        return "cp1252"
    return best.encoding
