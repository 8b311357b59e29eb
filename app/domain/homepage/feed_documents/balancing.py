"""Repairs of tags: a second reading that closes, drops and quotes until the tree is sound."""

import re
from itertools import islice

DEEPEST = 120
MOST_ATTRIBUTES = 60
# A flood in one item ends with that item; a flood of items ends the document.
MOST_MARKS_OF_ITEM = 4_000
MOST_MARKS = 400_000
MOST_ITEMS = 20_000

NAME = rb"[A-Za-z_\x80-\xff][\w:.\-\x80-\xff]{0,200}+"
TAG = re.compile(
    rb"<(/?)(" + NAME + rb")(?=[\s/>\"'=])((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>", re.S
)
# The same tag when its quotes do not add up: it ends at the next bracket.
LOOSE_TAG = re.compile(rb"<(/?)(" + NAME + rb")(?=[\s/>\"'=])([^<>]*+)>", re.S)
ATTRIBUTE = re.compile(
    rb"([A-Za-z_][\w:.\-]{0,100})(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?"
)
CDATA_STOP = re.compile(
    rb"</(?:description|title|content:encoded|summary|content|link|guid|item|entry)\s*>", re.I
)

ITEM_MARK = re.compile(rb"</?(?:item|entry)(?=[\s/>])", re.I)

ROOTS = frozenset({b"rss", b"rdf:rdf", b"rdf", b"feed", b"channel"})
ITEMS = frozenset({b"item", b"entry"})
STRUCTURE = ROOTS | ITEMS
# Elements that hold text and never one another: the next one ends an unclosed one.
LEAVES = frozenset(
    b"title link description guid pubdate category comments enclosure content:encoded dc:creator "
    b"dc:date dc:title dc:description summary published updated id issued modified".split()
)
# What HTML never closes. `link` and `source` are words of RSS too, so they are not here.
VOID = frozenset({b"br", b"img", b"hr", b"input", b"wbr", b"col", b"area", b"embed", b"param"})


class Balancer:
    """Walk the tags of one document once, in linear time, writing a balanced copy."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.written: list[bytes] = []
        self.open: list[bytes] = []
        # Where each open element begins in `written`, to take a cut one out again.
        self.begun: list[int] = []
        self.item_at = -1
        self.ended = False
        self.torn = False
        self.items = 0
        self.marks = 0
        self.marks_of_item = 0
        # The last position of each closing mark is looked up once, else a flood of openings
        # would be searched to the end each.
        self.last_bracket = content.rfind(b">")
        self.last_cdata_end = content.rfind(b"]]>")
        self.next_cdata_end = -1
        self.last_comment_end = content.rfind(b"-->")

    def balanced(self) -> tuple[bytes, bool]:
        """Return the balanced document, and whether it breaks off inside an item."""
        at = 0
        content = self.content
        while (bracket := content.find(b"<", at)) != -1:
            if bracket > at:
                self.written.append(content[at:bracket])
            at = self._markup(bracket)
            self.marks += 1
            self.marks_of_item += 1
            if self.marks_of_item > MOST_MARKS_OF_ITEM:
                at = self._next_item(at)
            if self.marks > MOST_MARKS or self.items > MOST_ITEMS:
                self.torn, at = True, len(content)
        self.written.append(content[at:])
        is_cut = self.item_at != -1 and not self.ended
        if is_cut or (self.torn and self.item_at != -1):
            self._drop_cut_leaf()
        self._close_to(0)
        return b"".join(self.written), is_cut

    def _next_item(self, at: int) -> int:
        self.marks_of_item = 0
        found = ITEM_MARK.search(self.content, at)
        return found.start() if found else len(self.content)

    def _markup(self, at: int) -> int:
        following = self.content[at + 1 : at + 2]
        if following == b"!":
            return self._literal(at)
        if following == b"?":
            end = self.content.find(b">", at, at + 2_000)
            return end + 1 if end != -1 else self._escape(at)
        match = TAG.match(self.content, at) or LOOSE_TAG.match(self.content, at)
        if match is None:
            return self._escape(at)
        slash, name, rest = match.groups()
        if slash:
            self._end(name.lower())
        else:
            self._start(name.lower(), rest)
        return match.end()

    def _escape(self, at: int) -> int:
        # A tag that the end of the document tore apart is no text of anybody.
        if self.last_bracket < at and self.content[at + 1 : at + 2].strip(b" \t\r\n0123456789"):
            self.torn = True
            return len(self.content)
        self.written.append(b"&lt;")
        return at + 1

    def _literal(self, at: int) -> int:
        content = self.content
        if content.startswith(b"<![CDATA[", at):
            return self._cdata(at)
        if content.startswith(b"<!--", at):
            end = content.find(b"-->", at + 4) if self.last_comment_end > at else -1
            # Another opening before the close: the first one was never closed.
            is_open = end == -1 or content.find(b"<!--", at + 4, end) != -1
            return at + 4 if is_open else end + 3
        end = content.find(b">", at, at + 2_000)
        return end + 1 if end != -1 else self._escape(at)

    def _cdata(self, at: int) -> int:
        content = self.content
        start = at + 9
        end = self._cdata_end(start)
        stop = self._cdata_stop(start, end)
        if stop != -1:
            self.written.append(content[at:stop] + b"]]>")
            return stop
        if end == -1 and content.find(b"<![CDATA[", start) != -1:
            return start
        if end == -1:
            self.written.append(content[at:] + b"]]>")
            self.torn = True
            return len(content)
        self.written.append(content[at : end + 3])
        return end + 3

    def _cdata_stop(self, start: int, end: int) -> int:
        """Return where a section that its writer forgot to close should have ended, else -1.

        It was forgotten when there is no close, or when another one opens and another item begins
        before the close.
        """
        content = self.content
        if end != -1:
            again = content.find(b"<![CDATA[", start, end)
            if again == -1 or ITEM_MARK.search(content, start, end) is None:
                return -1
        else:
            again = content.find(b"<![CDATA[", start)
        stop = CDATA_STOP.search(content, start, again if again != -1 else len(content))
        return stop.start() if stop else -1

    def _cdata_end(self, start: int) -> int:
        if self.last_cdata_end < start:
            return -1
        if self.next_cdata_end < start:
            self.next_cdata_end = self.content.find(b"]]>", start)
        return self.next_cdata_end

    def _start(self, name: bytes, rest: bytes) -> None:
        closed = rest.endswith(b"/") or name in VOID
        if name in ITEMS:
            self.items += 1
            self.marks_of_item = 0
            if self.item_at != -1:
                self._close_to(self.item_at)
        elif name in LEAVES:
            self._close_open_leaf()
        if name in ROOTS and name in self.open:
            return
        if len(self.open) >= DEEPEST and not closed:
            return
        if not closed:
            self._push(name)
        self.written.append(b"<" + name + _attributes(rest) + (b"/>" if closed else b">"))
        self.ended = False

    def _push(self, name: bytes) -> None:
        if name in ITEMS:
            self.item_at = len(self.open)
        self.open.append(name)
        self.begun.append(len(self.written))

    def _close_open_leaf(self) -> None:
        """An item's own field ends an unclosed one before it; fields deeper inside do not."""
        if self.item_at == -1 or len(self.open) <= self.item_at + 1:
            return
        if self.open[self.item_at + 1] in LEAVES:
            self._close_to(self.item_at + 1)

    def _end(self, name: bytes) -> None:
        # The root stays open to the last byte: items after a stray end are items all the same.
        if name in ROOTS:
            self.ended = True
            return
        lowest = 0 if name in ITEMS else self.item_at + 1
        for place in range(len(self.open) - 1, lowest - 1, -1):
            if self.open[place] == name:
                self._close_to(place)
                return

    def _close_to(self, place: int) -> None:
        while len(self.open) > place:
            self.written.append(b"</" + self.open.pop() + b">")
            self.begun.pop()
        if self.item_at >= place:
            self.item_at = -1

    def _drop_cut_leaf(self) -> None:
        """Half a link is a wrong link: what stands open in the last item is taken out."""
        place = self.item_at + 1
        if len(self.open) > place:
            del self.written[self.begun[place] :]
            del self.open[place:], self.begun[place:]


def balanced(content: bytes) -> tuple[bytes, bool]:
    """Return the document with its tags balanced, and whether it breaks off inside an item."""
    return Balancer(content).balanced()


def _attributes(rest: bytes) -> bytes:
    if b"=" not in rest:
        return b""
    found: dict[bytes, bytes] = {}
    for match in islice(ATTRIBUTE.finditer(rest), MOST_ATTRIBUTES):
        name, double, single, bare = match.groups()
        found.setdefault(name, double or single or bare or b"")
    return b"".join(
        b" " + name + b'="' + value.replace(b'"', b"&quot;").replace(b"<", b"&lt;") + b'"'
        for name, value in found.items()
    )
