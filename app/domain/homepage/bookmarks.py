"""Bookmark files: the Netscape format that every browser reads and writes, in and out."""

from html import escape

import msgspec
from lxml import html as lxml_html

from app.domain.homepage import links, versions
from app.domain.homepage.links import CEILING, Link
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services


class Imported(msgspec.Struct):
    """What became of the lines of a file."""

    added: int
    known: int
    failed: int


def written(items: list[Link]) -> str:
    """The links as a bookmark file, a folder a list."""
    lines = [
        "<!DOCTYPE NETSCAPE-Bookmark-file-1>",
        '<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">',
    ]
    lines += ["<TITLE>Bookmarks</TITLE>", "<H1>Bookmarks</H1>", "<DL><p>"]
    for name in dict.fromkeys(item.list for item in items):
        lines += [f"    <DT><H3>{escape(name)}</H3>", "    <DL><p>"]
        lines += [
            f'        <DT><A HREF="{escape(i.url)}">{escape(i.title)}</A>'
            for i in items
            if i.list == name
        ]
        lines.append("    </DL><p>")
    return "\n".join([*lines, "</DL><p>", ""])


def parsed(content: bytes) -> list[tuple[str, str, str]]:
    """List, title and address of each link of a bookmark file. Raises Invalid."""
    if len(content) > 1_000_000 or b"\x00" in content:
        raise Invalid(
            "This file is too large.", errors={"file": "A bookmark file has at most 1 MB."}
        )
    try:
        tree = lxml_html.document_fromstring(
            content, parser=lxml_html.HTMLParser(encoding="utf-8", no_network=True)
        )
    except (lxml_html.etree.LxmlError, ValueError):
        raise Invalid(
            "This is not a bookmark file.", errors={"file": "This is not a bookmark file."}
        ) from None
    found, name = [], "main"
    for element in tree.iter("h3", "a"):
        if element.tag == "h3":
            name = (element.text_content().strip() or "main")[:40]
        elif address := element.get("href"):
            found.append((name, element.text_content().strip()[:80], address))
    return found


ADD = """
WITH new AS (
    SELECT DISTINCT ON (url) list, title, url, place
    FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS given (list, title, url, place) ORDER BY url, place
)
INSERT INTO quick_links (user_id, list, title, url, sort)
SELECT $1, list, title, url, 1000 + place FROM new
WHERE NOT EXISTS (SELECT FROM quick_links q WHERE q.user_id = $1 AND q.url = new.url AND q.deleted_at IS NULL)
ORDER BY place LIMIT greatest(0, $5 - (SELECT count(*) FROM quick_links WHERE user_id = $1 AND deleted_at IS NULL))
RETURNING id
"""


async def bring(services: Services, who: Reader, content: bytes) -> Imported:
    """Add the links of a bookmark file; known addresses stay as they are. Raises Invalid."""
    lines = parsed(content)
    good = []
    for name, title, address in lines:
        try:
            url = links.checked_url(address)
        except Invalid:
            continue
        if len(url) <= 2000:
            good.append((name, title or links.host_of(url), url))
    async with services.tx() as tx:
        await tx.db.fetchval(links.LOCK_PERSON, who.id)
        columns = [list(column) for column in zip(*good, strict=True)] or [[], [], []]
        added = len(await tx.db.fetch(ADD, who.id, *columns, CEILING))
        await versions.bump(tx, who.id, "links")
    return Imported(added, len(good) - added, len(lines) - len(good))
