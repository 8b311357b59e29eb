"""The feeds of the publishers as bytes: RSS 2.0, RDF, Atom and JSON Feed, with the oddities of real ones."""

import html
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from xml.sax.saxutils import escape

from tests.world.publishers import Publisher
from tests.world.timeline import Item

TYPES = {
    "rss": "application/rss+xml",
    "rdf": "application/rdf+xml",
    "atom": "application/atom+xml",
    "json": "application/feed+json",
}
NAMESPACES = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"'
)


def document(publisher: Publisher, items: list[Item], link_base: str) -> bytes:
    """Return the publisher's feed of these items in its format, encoding and manner."""
    text = FORMATS[publisher.format](publisher, items, link_base)
    if publisher.format == "json":
        return text.encode()
    body = f'<?xml version="1.0" encoding="{publisher.encoding.upper()}"?>\n{text}'
    if "junk" in publisher.quirks:
        body = f"\n\n  <!-- cached copy -->\n{body}"
    raw = body.encode(publisher.encoding, "xmlcharrefreplace")
    return b"\xef\xbb\xbf" + raw if "bom" in publisher.quirks else raw


def content_type(publisher: Publisher) -> str:
    """Return the type that the publisher's server says; those with a quirk say nothing of the charset."""
    plain = (
        "text/xml" if publisher.quirks & {"junk", "bom", "entities"} else TYPES[publisher.format]
    )
    return plain if publisher.encoding != "utf-8" else f"{plain}; charset=utf-8"


def rss(publisher: Publisher, items: list[Item], base: str) -> str:
    """Return RSS 2.0."""
    entries = "".join(rss_item(publisher, item, base) for item in items)
    return (
        f'<rss version="2.0" {NAMESPACES}><channel><title>{escape(publisher.title)}</title>'
        f"<link>{base}/</link><description>{escape(motto(publisher))}</description>"
        f"<language>{publisher.language}</language><ttl>{publisher.refresh_minutes}</ttl>"
        f"<lastBuildDate>{when(publisher, items[0].at) if items else ''}</lastBuildDate>"
        f"{entries}</channel></rss>\n"
    )


def rss_item(publisher: Publisher, item: Item, base: str) -> str:
    """Return one item of RSS 2.0 in the publisher's manner."""
    quirks = publisher.quirks
    named = (
        ""
        if "no_guid" in quirks
        else f'<guid isPermaLink="false">{item.publisher.host}:{item.number}</guid>'
    )
    full = (
        f"<content:encoded><![CDATA[{article_html(item)}]]></content:encoded>"
        if "content" in quirks
        else ""
    )
    return (
        f"<item><title>{title(publisher, item)}</title><link>{link(publisher, item, base)}</link>{named}"
        f"<pubDate>{when(publisher, item.at)}</pubDate><dc:creator>{escape(item.author)}</dc:creator>"
        f"<category>{item.topic}</category><description>{description(publisher, item)}</description>"
        f"{full}{rss_picture(publisher, item)}</item>\n"
    )


def rss_picture(publisher: Publisher, item: Item) -> str:
    """Return the picture as an enclosure or as media with two sizes; none when the text holds it."""
    if not item.pictured or "content" in publisher.quirks:
        return ""
    kind = mime(publisher)
    if "media" in publisher.quirks:
        small = picture_url(item, 320, 180)
        return (
            f'<media:content url="{picture_url(item)}" type="{kind}" medium="image" width="960" height="540"/>'
            f'<media:thumbnail url="{small}" width="320" height="180"/>'
        )
    return f'<enclosure url="{picture_url(item)}" type="{kind}" length="0"/>'


def rdf(publisher: Publisher, items: list[Item], base: str) -> str:
    """Return RSS 1.0, whose items stand beside the channel."""
    names = "".join(f'<rdf:li rdf:resource="{link(publisher, item, base)}"/>' for item in items)
    entries = "".join(
        f'<item rdf:about="{link(publisher, item, base)}"><title>{title(publisher, item)}</title>'
        f"<link>{link(publisher, item, base)}</link><description>{description(publisher, item)}</description>"
        f"<dc:creator>{escape(item.author)}</dc:creator><dc:date>{iso(item.at)}</dc:date></item>\n"
        for item in items
    )
    return (
        f'<rdf:RDF xmlns="http://purl.org/rss/1.0/" '
        f'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" {NAMESPACES}>'
        f'<channel rdf:about="{base}/"><title>{escape(publisher.title)}</title><link>{base}/</link>'
        f"<description>{escape(motto(publisher))}</description>"
        f"<items><rdf:Seq>{names}</rdf:Seq></items></channel>{entries}</rdf:RDF>\n"
    )


def atom(publisher: Publisher, items: list[Item], base: str) -> str:
    """Return Atom 1.0."""
    entries = "".join(atom_entry(publisher, item, base) for item in items)
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{publisher.language}">'
        f"<title>{escape(publisher.title)}</title><subtitle>{escape(motto(publisher))}</subtitle>"
        f'<id>tag:{publisher.host},2026:feed</id><link href="{base}/"/>'
        f'<link rel="self" href="{publisher.feed_url}"/>'
        f"<updated>{iso(items[0].at) if items else iso(0)}</updated>{entries}</feed>\n"
    )


def atom_entry(publisher: Publisher, item: Item, base: str) -> str:
    """Return one entry of Atom, its text as escaped HTML or as XHTML."""
    picture = (
        f'<link rel="enclosure" href="{picture_url(item)}" type="{mime(publisher)}"/>'
        if item.pictured
        else ""
    )
    if "xhtml" in publisher.quirks:
        paragraphs = "".join(f"<p>{escape(text)}</p>" for text in item.telling.paragraphs)
        content = f'<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div></content>'
    else:
        content = f'<content type="html">{escape(article_html(item))}</content>'
    return (
        f'<entry><title type="html">{escape(html.escape(item.telling.title, quote=False))}</title>'
        f"<id>tag:{publisher.host},2026:{item.number}</id>"
        f'<link rel="alternate" href="{link(publisher, item, base)}"/>{picture}'
        f"<published>{iso(item.at)}</published><updated>{iso(item.at)}</updated>"
        f"<author><name>{escape(item.author)}</name></author>"
        f"<summary>{escape(item.telling.summary)}</summary>{content}</entry>\n"
    )


def json_feed(publisher: Publisher, items: list[Item], base: str) -> str:
    """Return JSON Feed 1.1."""
    entries = [
        {
            "id": f"{publisher.host}:{item.number}",
            "url": link(publisher, item, base),
            "title": item.telling.title,
            "summary": item.telling.summary,
            "content_html": article_html(item),
            "date_published": iso(item.at),
            "authors": [{"name": item.author}],
            "tags": [item.topic],
            **({"image": picture_url(item)} if item.pictured else {}),
        }
        for item in items
    ]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": publisher.title,
        "home_page_url": f"{base}/",
        "feed_url": publisher.feed_url,
        "description": motto(publisher),
        "language": publisher.language,
        "items": entries,
    }
    return json.dumps(feed, ensure_ascii=False, indent=1)


FORMATS: dict[str, Callable[[Publisher, list[Item], str], str]] = {
    "rss": rss,
    "rdf": rdf,
    "atom": atom,
    "json": json_feed,
}


def motto(publisher: Publisher) -> str:
    """Return the line that the publisher prints under its name."""
    return f"{' and '.join(publisher.topics).capitalize()} from places that do not exist"


def title(publisher: Publisher, item: Item) -> str:
    """Return a headline for XML; some publishers send HTML in it, or entities that XML does not know."""
    text = escape(item.telling.title)
    if "html_titles" in publisher.quirks:
        return escape(f"<b>{html.escape(item.telling.title, quote=False)}</b>")
    if "entities" in publisher.quirks:
        return (
            text.replace("é", "&eacute;").replace(" and ", " & ").replace(": ", "&nbsp;&ndash; ", 1)
        )
    return text


def description(publisher: Publisher, item: Item) -> str:
    """Return a summary for XML: plain, as CDATA with markup, or as escaped HTML with what must be cleaned."""
    summary = html.escape(item.telling.summary, quote=False)
    if "cdata" in publisher.quirks:
        return f"<![CDATA[<p>{summary}</p><script>track()</script>]]>"
    if "content" in publisher.quirks:
        return escape(f'<p>{summary} <a href="{item.path}" onclick="x()">Read on</a></p>')
    return escape(item.telling.summary)


def article_html(item: Item) -> str:
    """Return the article as HTML, with its picture and a counting pixel as many real ones have."""
    picture = (
        f'<img src="{picture_url(item)}" width="960" height="540" alt="">' if item.pictured else ""
    )
    text = "".join(f"<p>{html.escape(text, quote=False)}</p>" for text in item.telling.paragraphs)
    return (
        f'{picture}{text}<img src="https://{item.publisher.host}/pixel.gif" width="1" height="1">'
    )


def link(publisher: Publisher, item: Item, base: str) -> str:
    """Return the address of the article, with counting parameters or relative where that is the habit."""
    root = "" if "relative" in publisher.quirks else base
    query = "?utm_source=rss&amp;utm_medium=feed" if "utm" in publisher.quirks else ""
    return f"{root}{item.path}{query}"


def picture_url(item: Item, width: int = 960, height: int = 540) -> str:
    """Return the address of the item's picture in a size."""
    name = f"{item.topic}-{item.number}-{width}x{height}.{item.publisher.picture_type}"
    return f"https://{item.publisher.host}/pictures/{name}"


def mime(publisher: Publisher) -> str:
    """Return the type of the publisher's pictures."""
    return {"jpg": "image/jpeg"}.get(publisher.picture_type, f"image/{publisher.picture_type}")


def iso(at: float) -> str:
    """Return a time in ISO 8601."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def when(publisher: Publisher, at: float) -> str:
    """Return a time as RSS writes it: with a zone of its own, a year of two digits, or no zone at all."""
    moment = datetime.fromtimestamp(at, UTC)
    if "two_digit_years" in publisher.quirks:
        return moment.strftime("%d %b %y %H:%M GMT")
    if "no_zone" in publisher.quirks:
        return moment.strftime("%a, %d %b %Y %H:%M:%S")
    return format_datetime(moment.astimezone(timezone(timedelta(hours=-5))))
