"""Texts of strangers made safe: short HTML of a few tags, and plain text."""

import re
from functools import lru_cache
from html import escape, unescape

import nh3

from app.domain.homepage.feed_documents.addresses import absolute
from app.domain.homepage.feed_documents.documents import SUMMARY_LENGTH

TAGS = {"p", "br", "a", "em", "strong", "ul", "ol", "li", "blockquote", "code"}
SILENT = {"script", "style", "title", "noscript", "template", "iframe", "object", "svg", "math"}
# How much HTML is read for a summary and for a text: a first look, and a long one when pictures
# and styles filled the first.
SUMMARY_LOOKS = (2_600, 30_000)
TEXT_LOOKS = (12_000, 60_000)
MOST_OPEN = 60

KNOWN = (
    "a|abbr|acronym|address|article|aside|audio|b|bdi|bdo|big|blockquote|body|br|button|caption|"
    "center|cite|code|col|dd|del|dfn|div|dl|dt|em|embed|figcaption|figure|font|footer|form|h[1-6]|"
    "head|header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|nobr|"
    "noscript|object|ol|p|picture|pre|q|s|samp|script|section|small|source|span|strike|strong|"
    "style|sub|sup|svg|table|tbody|td|tfoot|th|thead|time|tr|tt|u|ul|var|video|wbr"
)
# Only names HTML knows are tags, so that "List<T>" and "a < b" stay what their author wrote.
KNOWN_TAG = re.compile(rf"</?(?:{KNOWN})(?=[\s/>])[^<>]*>", re.I)
TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)[^<>]*>")
# Between inline tags no word ends; every other tag stands where a space would.
INLINE = [
    "a",
    "abbr",
    "acronym",
    "b",
    "bdi",
    "bdo",
    "big",
    "cite",
    "code",
    "del",
    "dfn",
    "em",
    "font",
    "i",
    "ins",
    "kbd",
    "mark",
    "nobr",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "tt",
    "u",
    "var",
    "wbr",
]
GAPS = dict.fromkeys([*INLINE, *(name.upper() for name in INLINE)], "")
# Tags that the cleaner lets through bare, to be said with the ten that stay. Exact strings are
# enough: the cleaner writes its tags in one way, and escapes what only looks like one. The key
# tells by one look whether any of its group is there.
SAID_BY = {
    "<h": [(f"<h{size}>", "<strong>") for size in range(1, 7)]
    + [(f"</h{size}>", "</strong><br>") for size in range(1, 7)],
    "<b>": [("<b>", "<strong>"), ("</b>", "</strong>")],
    "<i>": [("<i>", "<em>"), ("</i>", "</em>")],
    **{
        f"<{name}>": [(f"<{name}>", ""), (f"</{name}>", "<br>")]
        for name in ("div", "section", "article", "tr", "dt", "dd", "pre", "figcaption")
    },
}
BARE_TAGS = {tag.strip("</>") for group in SAID_BY.values() for tag, _ in group}
EMPTY = re.compile(r"<(p|a|li|em|strong|code)(?: [^<>]*)?>(?:\s|&nbsp;|<br>)*</\1>")
HOSTLESS = re.compile(r'(?<=<a) href="(?!https?://)[^"]*"', re.I)
ALLOWED_TAG = re.compile(r"<(/?)([a-z]+)[^<>]*>")
COMMENT = re.compile(r"<!(?:--)?[^<>]*>|<!\[CDATA\[|\]\]>")
HIDDEN = ("script", "style", "noscript", "template", "iframe", "svg", "math", "object")
HIDDEN_START = re.compile(rf"<({'|'.join(HIDDEN)})(?=[\s>])", re.I)
HIDDEN_NAMES = frozenset([*HIDDEN, *(name.upper() for name in HIDDEN)])
ESCAPED_TAG = re.compile(rf"&lt;/?(?:{KNOWN})(?:\s[^<>&]*|\s*/?)&gt;", re.I)
FORMATTING = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s>]", re.I)
FORMATTING_END = re.compile(
    r"</(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s>]", re.I
)
# Characters that turn the direction of what follows, or that no database stores as text.
UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
# Buttons, smileys and counters that publishers put where a picture would be.
NO_PICTURE = re.compile(
    r"//feeds?\d?\.feedburner\.com/~|/smil(?:ies|eys)/|/emoji/|doubleclick\.|/pixel|feedsportal\.",
    re.I,
)
IMAGE = re.compile(r"<img\s[^<>]*>", re.I)
SOURCE = re.compile(
    r"[\s\"'](?:src|data-src)\s*=\s*(?:\"([^\"<>]*)\"|'([^'<>]*)'|([^\s\"'<>]+))", re.I
)
PIXEL = re.compile(r"[\s\"'](?:width|height)\s*=\s*[\"']?[01](?:px)?[\"'\s/>]", re.I)


@lru_cache(maxsize=64)
def _cleaner(base: str) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=TAGS | BARE_TAGS,
        clean_content_tags=SILENT,
        attributes={"a": {"href"}},
        url_schemes={"http", "https"},
        link_rel="nofollow ugc noopener",
        url_relative=lambda address: absolute(address, base),
    )


def as_markup(text: str) -> str:
    """Return a text as HTML: one escaping too many is taken back, brackets of no tag are text."""
    if "<" in text:
        if "<!" in text or KNOWN_TAG.search(text):
            return text
        return text.replace("<", "&lt;")
    if "&lt;/" in text and ESCAPED_TAG.search(text):
        return unescape(text)
    return text


def plain(markup: str, limit: int) -> str:
    """Return HTML as one line of plain text of at most `limit` characters, cut at a word."""
    if "<" not in markup:
        return _line(markup, limit)
    text = _line(_without_tags(markup[: TEXT_LOOKS[0]]), limit)
    if len(text) < limit // 2 and len(markup) > TEXT_LOOKS[0]:
        text = _line(_without_tags(markup[: TEXT_LOOKS[1]]), limit)
    return text


def _line(text: str, limit: int) -> str:
    if len(text) > limit * 8:
        text = text[: limit * 8]
    if "&" in text:
        text = unescape(text)
    text = " ".join(text.split())
    if not text.isprintable():
        text = " ".join(UNSEEN.sub(_unseen, text).split())
    return text if len(text) <= limit else shortened(text, limit)


def seen(text: str) -> str:
    """Return a text without characters that nobody sees and that harm."""
    if text.replace("\n", " ").replace("\t", " ").isprintable():
        return text
    return UNSEEN.sub(_unseen, text)


def _unseen(match: re.Match[str]) -> str:
    """Return the Windows-1252 letter that a control of Latin-1 was meant to be, else nothing."""
    letter = match[0]
    if "\x80" <= letter <= "\x9f":
        return letter.encode("latin-1").decode("cp1252", "ignore")
    return ""


def shortened(text: str, limit: int) -> str:
    """Return at most `limit` characters, ending at a word where one is near."""
    if len(text) <= limit:
        return text
    space = text.rfind(" ", limit * 3 // 4, limit)
    return text[: space if space > 0 else limit - 1].rstrip() + "…"


def _without_tags(markup: str) -> str:
    if "<!" in markup:
        markup = COMMENT.sub(" ", markup)
    parts = TAG.split(markup)
    tags = parts[1::2]
    if not HIDDEN_NAMES.isdisjoint(tags):
        parts = TAG.split(_without_hidden(markup))
        tags = parts[1::2]
    parts[1::2] = [GAPS.get(name, " ") for name in tags]
    return _outside_tags("".join(parts))


def _outside_tags(markup: str) -> str:
    """Return a cut text without the half tag or half reference at its end."""
    bracket = markup.rfind("<")
    if bracket > markup.rfind(">"):
        markup = markup[:bracket]
    ampersand = markup.rfind("&", -34)
    return markup[:ampersand] if ampersand > markup.rfind(";") else markup


def _without_hidden(markup: str) -> str:
    """Drop scripts, styles and the like with their content; an unclosed one hides the rest."""
    found = HIDDEN_START.search(markup)
    if found is None:
        return markup
    lower, kept, at = markup.lower(), [], 0
    while found is not None:
        kept.append(markup[at : found.start()])
        end = lower.find(f"</{found[1].lower()}", found.end())
        close = markup.find(">", end) if end != -1 else -1
        if close == -1:
            return " ".join(kept)
        at = close + 1
        found = HIDDEN_START.search(markup, at)
    return " ".join([*kept, markup[at:]])


def summary(markup: str, base: str) -> str:
    """Return HTML of the ten allowed tags, at most 2,000 characters and valid after cutting."""
    if "<" not in markup:
        return _written_out(markup[: SUMMARY_LOOKS[1]])
    cleaned = _cleaned(_look(markup, SUMMARY_LOOKS[0]), base)
    if len(cleaned) < SUMMARY_LENGTH // 2 and len(markup) > SUMMARY_LOOKS[0]:
        cleaned = _cleaned(_look(markup, SUMMARY_LOOKS[1]), base)
    return cleaned if len(cleaned) <= SUMMARY_LENGTH else _fitting(cleaned)


def _written_out(markup: str) -> str:
    """Return HTML without tags: its references read and what must be escaped, escaped."""
    text = seen(unescape(markup) if "&" in markup else markup).strip()
    escaped = escape(text, quote=False) if "&" in text or "<" in text or ">" in text else text
    return escaped if len(escaped) <= SUMMARY_LENGTH else _fitting(escaped)


def _look(markup: str, length: int) -> str:
    """Return the beginning of HTML, cut outside its tags, references and words."""
    if len(markup) > length:
        cut = _outside_tags(markup[:length])
        space = cut.rfind(" ", length * 3 // 4)
        # A cut inside an element's tag was taken out above, so a space here is text.
        markup = (cut[:space] if space > cut.rfind(">") else cut) + "…"
    return seen(markup)


def _cleaned(markup: str, base: str) -> str:
    # HTML reopens unclosed formatting in every following block: a few hundred of each make
    # millions of elements. Nobody's article does that, so such a text loses its tags first.
    if markup.count("<") > MOST_OPEN and _is_runaway(markup):
        return escape(plain(markup, SUMMARY_LENGTH // 2), quote=False)
    cleaned = _cleaner(base).clean(markup)
    if "<" not in cleaned:
        return cleaned.strip()
    if "<a" in cleaned:
        cleaned = _linked_soundly(cleaned)
    for sign, group in SAID_BY.items():
        if sign in cleaned:
            for written, said in group:
                cleaned = cleaned.replace(written, said)
    # A link around a picture is empty, and then so is its paragraph.
    for _ in range(3):
        if "></" not in cleaned:
            break
        cleaned = EMPTY.sub("", cleaned)
    return _trimmed(cleaned) if "<br>" in cleaned else cleaned.strip()


def _linked_soundly(cleaned: str) -> str:
    """Take out addresses whose scheme is http and which name no host, as in `https:/a`."""
    sound = cleaned.count(' href="https://') + cleaned.count(' href="http://')
    return cleaned if cleaned.count(' href="') == sound else HOSTLESS.sub("", cleaned)


def _trimmed(cleaned: str) -> str:
    cleaned = cleaned.replace("<br>\n", "<br>").replace("<br> ", "<br>").strip()
    while "<br><br><br>" in cleaned:
        cleaned = cleaned.replace("<br><br><br>", "<br><br>")
    while cleaned.startswith("<br>"):
        cleaned = cleaned[4:].lstrip()
    while cleaned.endswith("<br>"):
        cleaned = cleaned[:-4].rstrip()
    return cleaned


def _is_runaway(markup: str) -> bool:
    begun = sum(1 for _ in FORMATTING.finditer(markup))
    return begun - sum(1 for _ in FORMATTING_END.finditer(markup)) > MOST_OPEN


def _fitting(cleaned: str) -> str:
    """Cut clean HTML and close what the cut left open. The input nests soundly: nh3 wrote it."""
    closers, room = "", SUMMARY_LENGTH - 1
    for _ in range(4):
        cut = _outside_tags(cleaned[: room - len(closers)])
        space = cut.rfind(" ", max(cut.rfind(">"), len(cut) - 40, 0))
        cut = cut[:space].rstrip() if space > 0 else cut
        closers = _closers(cut)
        if len(cut) + len(closers) <= room:
            return f"{cut}…{closers}"
    return escape(plain(cleaned, SUMMARY_LENGTH // 6), quote=False)


def _closers(cut: str) -> str:
    open_tags: list[str] = []
    for slash, name in ALLOWED_TAG.findall(cut):
        if slash:
            open_tags.pop()
        elif name != "br":
            open_tags.append(name)
    return "".join(f"</{name}>" for name in reversed(open_tags))


def first_image(markup: str) -> str | None:
    """Return the address of the first picture in HTML that is no counting pixel."""
    for tag in IMAGE.finditer(markup[: TEXT_LOOKS[1]]):
        source = SOURCE.search(tag[0])
        if source is None or PIXEL.search(tag[0]):
            continue
        address = source[1] or source[2] or source[3] or ""
        if address and not address.startswith("data:") and not NO_PICTURE.search(address):
            return unescape(address)
    return None
