"""The words of all feed dialects, each mapped to the one field it fills."""

PREFIXES = {
    "content": "content",
    "dc": "dc",
    "dcterms": "dc",
    "media": "media",
    "itunes": "itunes",
    "atom": "",
    "atom10": "",
    "a10": "",
    "rss": "",
    "googleplay": "itunes",
    "xhtml": "xhtml",
}
# Publishers write namespaces with and without a last slash, in http and https, in any case.
SPACES = {
    "purl.org/rss/1.0/modules/content": "content",
    "purl.org/dc/elements/1.1": "dc",
    "purl.org/dc/elements/1.0": "dc",
    "purl.org/dc/terms": "dc",
    "search.yahoo.com/mrss": "media",
    "tools.search.yahoo.com/mrss": "media",
    "www.rssboard.org/media-rss": "media",
    "www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "www.google.com/schemas/play-podcasts/1.0": "itunes",
    "www.w3.org/1999/xhtml": "xhtml",
    "www.w3.org/2005/atom": "",
    "purl.org/atom/ns#": "",
    "purl.org/atom/ns": "",
    "purl.org/rss/1.0": "",
    "purl.org/net/rss1.1#": "",
    "my.netscape.com/rdf/simple/0.9": "",
    "channel.netscape.com/rdf/simple/0.9": "",
    "backend.userland.com/rss": "",
    "backend.userland.com/rss2": "",
    "blogs.law.harvard.edu/tech/rss": "",
    "www.w3.org/1999/02/22-rdf-syntax-ns#": "",
}

FIELDS = {
    "item": "item",
    "entry": "item",
    "channel": "channel",
    "title": "title",
    "dc:title": "other_title",
    "media:title": "other_title",
    "itunes:title": "other_title",
    "headline": "other_title",
    "link": "link",
    "guid": "guid",
    "id": "guid",
    "dc:identifier": "other_guid",
    "description": "summary",
    "summary": "summary",
    "dc:description": "other_summary",
    "dc:abstract": "other_summary",
    "itunes:summary": "other_summary",
    "media:description": "other_summary",
    "itunes:subtitle": "last_summary",
    "content:encoded": "content",
    "content": "content",
    "fulltext": "content",
    "xhtml:body": "content",
    "xhtml:div": "content",
    "body": "content",
    "pubdate": "published",
    "published": "published",
    "issued": "published",
    "dc:date": "other_published",
    "dc:issued": "other_published",
    "dc:created": "other_published",
    "created": "other_published",
    "date": "other_published",
    "updated": "updated",
    "modified": "updated",
    "dc:modified": "updated",
    "lastbuilddate": "updated",
    "author": "author",
    "dc:creator": "author",
    "dc:author": "author",
    "itunes:author": "other_author",
    "managingeditor": "other_author",
    "dc:language": "language",
    "language": "language",
    "enclosure": "enclosure",
    "media:content": "media",
    "media:thumbnail": "media",
    "media:group": "group",
    "itunes:image": "picture",
    "image": "picture",
    "thumbnail": "picture",
    "ttl": "ttl",
    "subtitle": "summary",
    "tagline": "summary",
}


def field(tag: str, home: str = "") -> str | None:
    """Return the field that an element fills, None for one that fills none.

    `home` is a namespace whose words count as the plain ones.
    """
    prefix: str | None
    space, _, name = tag[1:].rpartition("}") if tag[:1] == "{" else ("", "", tag)
    name = name.lower()
    if space and space == home:
        prefix = ""
    elif space:
        prefix = SPACES.get(space.strip().lower().rstrip("/").split("://", 1)[-1])
    elif ":" in name:
        # An undeclared prefix: libxml2 leaves it in the name, and everybody means the same by it.
        prefix, _, name = name.partition(":")
        prefix = PREFIXES.get(prefix)
    else:
        prefix = ""
    if prefix is None:
        return None
    return FIELDS.get(f"{prefix}:{name}" if prefix else name)


def local(tag: object) -> str:
    """Return an element's name without namespace or prefix, in lower case; "" for what is no element."""
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2].rpartition(":")[2].lower()
