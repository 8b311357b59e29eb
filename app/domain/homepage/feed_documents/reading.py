"""XML feeds: RSS 0.9x to 2.0, RDF, Atom 0.3 and 1.0, from UTF-8 bytes to drafts."""

import re
from collections.abc import Callable
from html import escape
from itertools import islice

from lxml import etree

from app.domain.homepage.feed_documents import names, repairs
from app.domain.homepage.feed_documents.addresses import absolute
from app.domain.homepage.feed_documents.balancing import balanced
from app.domain.homepage.feed_documents.documents import Unreadable
from app.domain.homepage.feed_documents.entries import MOST_ITEMS, Fields, draft, language_tag
from app.domain.homepage.feed_documents.identity import Draft

MOST_EXAMINED = 20_000
# Above this a tree would not fit into memory: such a document is thinned by tag before it is parsed.
MOST_TAGS = 400_000
MOST_EQUALS = 400_000
HINT = re.compile(rb"<(?:[\w-]{1,20}:)?(?:rss|rdf|feed|channel|item|entry)[\s>]", re.I)
PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|h1|p|div|a)[\s>]", re.I)
ROOTS = frozenset({"rss", "rdf", "feed", "channel"})
BASE = "{http://www.w3.org/XML/1998/namespace}base"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
OLD_ATOM = "http://purl.org/atom/ns#"
PLAIN_TYPES = frozenset({"text", "text/plain"})
PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif)(?:$|\?)", re.I)


Taker = Callable[[str, etree._Element, Fields], None]


class Channel:
    """What a feed says of itself, and its drafts."""

    def __init__(
        self, format: str, fields: Fields, site_url: str | None, language: str | None
    ) -> None:
        self.format = format
        self.fields = fields
        self.site_url = site_url
        self.language = language
        self.drafts: list[Draft] = []


def read_xml(content: bytes, url: str) -> tuple[Channel, list[str]]:
    """Return the channel of a document in UTF-8 and the repairs. Raises Unreadable."""
    content, mended = repairs.without_doctype(content)
    content, cut_short = repairs.shortened(content)
    if HINT.search(content) is None:
        raise Unreadable("html" if PAGE.search(content) else "not_a_feed")
    root, more, is_cut = tree(content)
    feed = _feed_root(root)
    channel = Reader(feed, url).channel()
    if is_cut or cut_short:
        _drop_torn(channel.drafts)
    return channel, mended + cut_short + more


def tree(content: bytes) -> tuple[etree._Element, list[str], bool]:
    """Return the root of a document, the repairs, and whether it breaks off inside an item.

    Well-formed documents are parsed once and touched by nothing. Others are mended by character;
    where that does not make them well-formed, by tag. Raises Unreadable.
    """
    is_heavy = content.count(b"=") > MOST_EQUALS or content.count(b"<") > MOST_TAGS
    if not is_heavy and not repairs.seems_broken(content):
        root, faults = parsed(content)
        if root is not None and faults <= {"NS_ERR_UNDEFINED_NAMESPACE"}:
            return root, ["undeclared prefixes"] if faults else [], False
    content, done = repairs.repaired(content)
    if not is_heavy:
        root, faults = parsed(content)
        if root is not None and faults <= {"NS_ERR_UNDEFINED_NAMESPACE"}:
            return root, done + (["undeclared prefixes"] if faults else []), False
    content, is_cut = balanced(content)
    # A section that was never closed hid its text from the first repair.
    content, more = repairs.repaired(content)
    root, _ = parsed(content)
    if root is None:
        raise Unreadable("not_a_feed")
    return root, [*done, *more, "tags", *(["cut off"] if is_cut else [])], is_cut


def parsed(content: bytes) -> tuple[etree._Element | None, set[str]]:
    """Return the root that lxml recovers, without DTD, entities or network, and the kinds of faults."""
    parser = etree.XMLParser(
        recover=True,
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        return None, set()
    if not len(parser.error_log):
        return root, set()
    return root, {fault.type_name for fault in parser.error_log if fault.level > 1}


def _feed_root(root: etree._Element) -> etree._Element:
    if names.local(root.tag) in ROOTS:
        return root
    for element in root.iter():
        if names.local(element.tag) in ROOTS:
            return element
    if names.local(root.tag) in ("item", "entry"):
        return root
    raise Unreadable("html" if names.local(root.tag) in ("html", "head", "body") else "not_a_feed")


def _drop_torn(drafts: list[Draft]) -> None:
    """Drop the last item of a torn document if the tear took its guid: it would come back as another."""
    if len(drafts) > 1 and not drafts[-1].guid and drafts[0].guid:
        drafts.pop()


class Reader:
    """Read one tree; knows the names it has met, the bases and the language."""

    def __init__(self, root: etree._Element, url: str) -> None:
        self.root = root
        self.known: dict[object, tuple[str, Taker | None]] = {}
        self.items: list[etree._Element] = []
        self.base = url
        tag = root.tag if isinstance(root.tag, str) else ""
        # A feed in a namespace of its own making: what it calls by that space are the plain words.
        self.home = tag[1:].rpartition("}")[0]

    def channel(self) -> Channel:
        """Return the feed's own fields and its drafts, in the order of the document."""
        fields, items = self._parts()
        self.base = absolute(self.root.get(BASE, ""), self.base) or self.base
        site_url = absolute(fields.get("link", ""), self.base)
        if self.root.get(BASE) is None:
            self.base = site_url or self.base
        language = language_tag(fields.get("language") or self.root.get(LANG))
        found = Channel(self._format(), fields, site_url, language)
        self.items = items
        for item in islice(items, MOST_EXAMINED):
            if len(found.drafts) >= MOST_ITEMS:
                break
            if (one := self._draft(item, language)) is not None:
                found.drafts.append(one)
        return found

    def _parts(self) -> tuple[Fields, list[etree._Element]]:
        """Walk the top levels: items stand in the channel, beside it (RDF), or somewhere (damaged)."""
        fields: Fields = {}
        items: list[etree._Element] = []
        if names.local(self.root.tag) in ("item", "entry"):
            return fields, [self.root]
        self._walk(self.root, fields, items)
        if not items:
            items = [one for one in self.root.iter() if names.local(one.tag) in ("item", "entry")]
        return fields, items

    def _walk(self, parent: etree._Element, fields: Fields, items: list[etree._Element]) -> None:
        for child in parent:
            name, take = self._name(child.tag)
            if name == "item":
                items.append(child)
            elif name == "channel":
                if parent is self.root:
                    self._walk(child, fields, items)
            elif take is not None:
                take(name, child, fields)

    def _name(self, tag: object) -> tuple[str, Taker | None]:
        found = self.known.get(tag)
        if found is None:
            name = names.field(tag, self.home) if isinstance(tag, str) else None
            found = (name, TAKERS.get(name, _text)) if name else ("", None)
            # A hostile document may hold a new name a tag.
            if len(self.known) < 2_000:
                self.known[tag] = found
        return found

    def _format(self) -> str:
        kind = names.local(self.root.tag)
        tag = self.root.tag if isinstance(self.root.tag, str) else ""
        if kind in ("feed", "entry"):
            return "atom 0.3" if OLD_ATOM in tag else "atom 1.0"
        if kind == "rdf":
            is_first = any("netscape.com" in str(child.tag) for child in islice(self.root, 5))
            return "rss 0.90" if is_first else "rss 1.0"
        return f"rss {(self.root.get('version') or '2.0').strip()[:8]}"

    def _draft(self, item: etree._Element, language: str | None) -> Draft | None:
        found: Fields = {}
        for child in item:
            name, take = self._name(child.tag)
            if take is not None:
                take(name, child, found)
            elif name == "item":
                # An item that was opened inside another: its turn comes at the end of the list.
                self.items.append(child)
        if "guid" not in found and (about := item.get(ABOUT)):
            found["guid"] = about
            found.setdefault("permalink", about)
        base = self.base
        if item.attrib:
            base = absolute(item.get(BASE, ""), base) or base
            language = language_tag(item.get(LANG)) or language
        if "content_base" in found:
            base = absolute(found["content_base"], base) or base
        return draft(found, base, language)


def markup(element: etree._Element) -> str:
    """Return what an element holds as HTML: escaped, in CDATA, or as elements of its own."""
    text: str | None = element.text
    if len(element):
        return _inner(element)
    if text is None:
        return ""
    return text.strip()


def _inner(element: etree._Element) -> str:
    parts = [escape(element.text or "", quote=False)]
    parts.extend(etree.tostring(child, encoding="unicode", method="html") for child in element)
    return "".join(parts).strip()


def _text(name: str, element: etree._Element, found: Fields) -> None:
    if name not in found and (text := markup(element)):
        found[name] = text


def _content(name: str, element: etree._Element, found: Fields) -> None:
    _text_by_type(name, element, found)
    if (source := element.get("src")) and "other_link" not in found:
        found["other_link"] = source


def _text_by_type(name: str, element: etree._Element, found: Fields) -> None:
    """Read an Atom text construct (RFC 4287, 3.1); RSS has no types and always means HTML."""
    if name in found or not (text := markup(element)):
        return
    if element.attrib:
        kind = element.get("type", "")
        if kind in PLAIN_TYPES and not len(element):
            text = escape(text, quote=False)
        elif "/" in kind and not kind.startswith(("text/", "application/xhtml")):
            return
        if base := element.get(BASE):
            found["content_base"] = base
    found[name] = text


def _link(_: str, element: etree._Element, found: Fields) -> None:
    address = element.get("href")
    if address is None:
        if "link" not in found and (text := (element.text or "").strip()):
            found["link"] = text
        return
    relation = element.get("rel", "alternate")
    if relation == "alternate":
        is_page = element.get("type", "text/html") in ("text/html", "application/xhtml+xml")
        if "link" not in found or (is_page and "link_type" in found):
            found["link"] = address
            found.pop("link_type", None)
            if not is_page:
                found["link_type"] = "other"
    elif relation == "enclosure":
        _enclosed(address, element.get("type", ""), found)
    elif relation in ("self", "via", "related"):
        found.setdefault("other_link", address)


def _guid(_: str, element: etree._Element, found: Fields) -> None:
    if "guid" in found or not (text := (element.text or "").strip()):
        return
    found["guid"] = text
    is_permalink = (element.get("isPermaLink") or element.get("ispermalink") or "true").strip()
    if is_permalink.lower() != "false" and text[:4].lower() == "http":
        found["permalink"] = text


def _author(_: str, element: etree._Element, found: Fields) -> None:
    if not len(element):
        text = (element.text or "").strip()
    else:
        named = {
            names.local(child.tag): (child.text or "").strip() for child in islice(element, 10)
        }
        text = named.get("name") or named.get("email") or ""
    if text:
        before = found.get("author")
        if before is None:
            found["author"] = text
        elif text not in before and len(before) < 200:
            found["author"] = f"{before}, {text}"


def _enclosure(_: str, element: etree._Element, found: Fields) -> None:
    _enclosed(element.get("url", ""), element.get("type", ""), found)


def _enclosed(address: str, kind: str, found: Fields) -> None:
    if not address:
        return
    if kind.startswith("image") or (not kind and PICTURE.search(address)):
        found.setdefault("image", address)
    found.setdefault("enclosure_link", address)


def _media(name: str, element: etree._Element, found: Fields) -> None:
    """Take the widest picture: a thumbnail of 320 pixels is made of it."""
    address = element.get("url")
    if address:
        kind = element.get("medium") or element.get("type") or ""
        is_picture = names.local(element.tag) == "thumbnail" or kind.startswith("image")
        if is_picture or (not kind and PICTURE.search(address)):
            width = element.get("width", "0")
            width = width if width.isascii() and width.isdigit() and len(width) < 6 else "0"
            if "image" not in found or int(width) > int(found.get("image_width", "0")):
                found["image"] = address
                found["image_width"] = width
    _group(name, element, found)


def _group(_: str, element: etree._Element, found: Fields) -> None:
    for child in islice(element, 50):
        name = names.field(child.tag) if isinstance(child.tag, str) else None
        if name in ("media", "group"):
            _media(name, child, found)
        elif name in ("other_summary", "other_title") and (text := markup(child)):
            found.setdefault(name, text)


def _picture(_: str, element: etree._Element, found: Fields) -> None:
    address = element.get("href") or element.get("url") or ""
    if not address and len(element):
        for child in islice(element, 10):
            if names.local(child.tag) == "url":
                address = (child.text or "").strip()
    address = address or (element.text or "").strip()
    if address:
        found.setdefault("picture", address)


TAKERS: dict[str, Taker | None] = {
    "item": None,
    "channel": None,
    "link": _link,
    "guid": _guid,
    "content": _content,
    "summary": _text_by_type,
    "author": _author,
    "enclosure": _enclosure,
    "media": _media,
    "group": _group,
    "picture": _picture,
}
