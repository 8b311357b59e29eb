"""Repairs of characters: what stands before the feed, controls, entities, references, doctypes."""

import re
from collections.abc import Iterator
from html.entities import html5

MOST_BYTES = 10_000_000
FLOOD, PART = 100_000, 200_000

CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r")
NONCHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")
ROOT = re.compile(rb"<(?:\?xml[\s?]|(?:\w{1,20}:)?(?:rss|rdf|feed|opml)[\s>])", re.I)
MARKUP = re.compile(rb"<[?!A-Za-z_]")
DECLARATION = re.compile(rb"\s*<\?xml[^<>]{0,500}>")
DOCTYPE = re.compile(rb"<!DOCTYPE", re.I)
FIRST_TAG = re.compile(rb"<[A-Za-z_]")
SUBSET_END = re.compile(rb"\]\s*>")
REFERENCE = re.compile(
    rb"&(?!(?:amp|lt|gt|quot|apos);)(?:#(\d{1,10});?|#[xX]([0-9a-fA-F]{1,8});?|([A-Za-z]\w{1,31});)?"
)
BARE = re.compile(rb"(?:&(?![#\w])[\s&]*)+")
SUSPICION = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
SNIFFED = 32_768
# Programs that think in UTF-16 write one character as two references, neither of which is one.
PAIR = re.compile(
    rb"&#(5[56]\d{3}|x[dD][89abAB][0-9a-fA-F]{2});&#(5[67]\d{3}|x[dD][c-fC-F][0-9a-fA-F]{2});"
)
ESCAPES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def without_doctype(content: bytes) -> tuple[bytes, list[str]]:
    """Return the document without its doctype, so that no entity of its own exists to be expanded."""
    first = FIRST_TAG.search(content)
    # A doctype below the first tag stands in somebody's text.
    found = DOCTYPE.search(content, 0, first.start() if first else len(content))
    if found is None:
        return content, []
    return content[: found.start()] + content[_doctype_end(content, found.end()) :], ["doctype"]


def _doctype_end(content: bytes, start: int) -> int:
    close = content.find(b">", start)
    subset = content.find(b"[", start)
    if subset != -1 and (close == -1 or subset < close):
        end = SUBSET_END.search(content, subset)
        return end.end() if end else len(content)
    return close + 1 if close != -1 else len(content)


def shortened(content: bytes) -> tuple[bytes, list[str]]:
    """Return as much of the document as the parser takes: ten million bytes."""
    if len(content) <= MOST_BYTES:
        return content, []
    return content[:MOST_BYTES], ["shortened"]


def seems_broken(content: bytes) -> bool:
    """Tell from the beginning whether a parse before the repair would be a wasted one."""
    return SUSPICION.search(content, 0, SNIFFED) is not None


def repaired(content: bytes) -> tuple[bytes, list[str]]:
    """Return the document with its characters mended, and the names of the repairs."""
    repairs: list[str] = []
    content = _from_root(content, repairs)
    clean = content.translate(None, CONTROLS)
    for noncharacter in NONCHARACTERS:
        clean = clean.replace(noncharacter, b"")
    if len(clean) != len(content):
        repairs.append("control characters")
    return _references(clean, repairs), repairs


def _from_root(content: bytes, repairs: list[str]) -> bytes:
    start = ROOT.search(content) or MARKUP.search(content)
    if start is not None and content[: start.start()].strip():
        repairs.append("junk before the first tag")
    if start is not None:
        content = content[start.start() :]
    return content[found.end() :] if (found := DECLARATION.match(content)) else content


def _references(content: bytes, repairs: list[str]) -> bytes:
    """Mend what stands outside CDATA: inside, an ampersand is only a letter."""
    if b"&" not in content:
        return content
    pieces = content.split(b"<![CDATA[")
    mended = [_mended(pieces[0])]
    for piece in pieces[1:]:
        literal, end, text = piece.partition(b"]]>")
        mended.append(literal + end + (_mended(text) if text else b""))
    result = b"<![CDATA[".join(mended)
    if result != content:
        repairs.append("entities and ampersands")
    return result


def _mended(text: bytes) -> bytes:
    if b"&" not in text:
        return text
    if b"&#5" in text or b"&#x" in text:
        text = PAIR.sub(_joined_pair, text)
    if text.count(b"&") < FLOOD:
        return REFERENCE.sub(_reference, text)
    # A million matches at once are a hundred bytes of memory each; and "&amp;" is five times "&".
    text = BARE.sub(b" ", text)
    return b"".join(map(_mended_part, _parts(text)))


def _mended_part(part: bytes) -> bytes:
    # Where every tenth byte begins a reference there is no text to save, and each costs a call.
    return REFERENCE.sub(b" " if part.count(b"&") > PART // 10 else _reference, part)


def _parts(text: bytes) -> Iterator[bytes]:
    """Cut a text before ampersands, so that no reference is torn."""
    start = 0
    while start < len(text):
        end = text.find(b"&", start + PART)
        end = len(text) if end == -1 else end
        yield text[start:end]
        start = end


def _joined_pair(match: re.Match[bytes]) -> bytes:
    high, low = (_number(part) for part in match.groups())
    if not (0xD800 <= high < 0xDC00 <= low < 0xE000):
        return b""
    return b"&#%d;" % (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _number(digits: bytes) -> int:
    return int(digits[1:], 16) if digits[:1] in b"xX" else int(digits)


def _reference(match: re.Match[bytes]) -> bytes:
    decimal, hexadecimal, name = match.groups()
    if name is not None:
        return _named(name)
    if decimal is None and hexadecimal is None:
        return b"&amp;"
    return _numbered(int(decimal) if decimal else int(hexadecimal, 16))


def _named(name: bytes) -> bytes:
    letters = html5.get(name.decode("ascii", "replace") + ";")
    if letters is None:
        return b"&amp;" + name + b";"
    return "".join(ESCAPES.get(letter, letter) for letter in letters).encode("utf-8")


def _numbered(number: int) -> bytes:
    if 0x80 <= number <= 0x9F:
        letter = bytes([number]).decode("cp1252", "ignore")
        return b"&#%d;" % ord(letter) if letter else b""
    if number < 32 and number not in (9, 10, 13) or 0xD800 <= number < 0xE000:
        return b""
    if number > 0x10FFFF or number in (0xFFFE, 0xFFFF):
        return b""
    return b"&#%d;" % number
