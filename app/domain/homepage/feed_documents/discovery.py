"""Where a page's feeds are: what its head says, and the shapes of well-known sites."""

import re
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from app.domain.homepage.feed_documents.addresses import absolute
from app.domain.homepage.feed_documents.cleaning import plain
from app.domain.homepage.feed_documents.decoding import decode
from app.domain.homepage.feed_documents.documents import Candidate

MOST_BYTES = 512 * 1024
MOST_CANDIDATES = 20
TYPES = frozenset(
    {
        "application/rss+xml",
        "application/atom+xml",
        "application/feed+json",
        "application/rdf+xml",
        "application/x-rss+xml",
        "text/rss+xml",
        "text/atom+xml",
    }
)
# These are feeds only beside rel=alternate and an address that says so.
VAGUE_TYPES = frozenset({"application/json", "application/xml", "text/xml", ""})
FEED_WORD = re.compile(r"rss|atom|feed|\.rdf|\.xml", re.I)
HANDLE = re.compile(r"/@([\w.-]+)/?$")
FORGES = frozenset({"github.com"})


def discover(content: bytes, content_type: str | None, url: str) -> list[Candidate]:
    """Return the feeds an HTML page names in `<link rel=alternate>`, best first, each once.

    Raises Unreadable (empty, too_big).
    """
    text, _, _ = decode(content, content_type)
    root = _page(text[:MOST_BYTES])
    if root is None:
        return []
    base = url
    found: dict[str, Candidate] = {}
    for element in root.iter("base", "link"):
        if element.tag == "base":
            base = absolute(element.get("href", ""), url) or url
        elif (one := _candidate(element, base)) is not None and len(found) < MOST_CANDIDATES:
            found.setdefault(one.url, one)
    # Comments are a feed of the page too, and hardly ever the one that was meant.
    return sorted(found.values(), key=lambda one: "comment" in (one.url + one.title).lower())


def _page(text: bytes) -> etree._Element | None:
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _candidate(element: etree._Element, base: str) -> Candidate | None:
    relations = element.get("rel", "").lower().split()
    kind = element.get("type", "").partition(";")[0].strip().lower()
    address = element.get("href", "").strip()
    is_feed = "feed" in relations or ("alternate" in relations and kind in TYPES)
    if (
        not is_feed
        and "alternate" in relations
        and kind in VAGUE_TYPES
        and not element.get("hreflang")
    ):
        is_feed = bool(kind and FEED_WORD.search(address))
    url = absolute(address, base) if is_feed else None
    return Candidate(url, plain(element.get("title", ""), 300), kind) if url else None


def known_shapes(url: str) -> list[str]:
    """Return the feeds that the address of a well-known kind of page implies, best first.

    Video channel, fediverse profile, forum, code releases. No request is made to find them.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    if parts.scheme not in ("http", "https") or not host:
        return []
    steps = [step for step in parts.path.split("/") if step]
    root = f"{parts.scheme}://{parts.netloc}"
    if host in ("youtube.com", "youtu.be", "vimeo.com"):
        return _video(host, steps, parse_qs(parts.query[:2_000]))
    if host.endswith("reddit.com") or host == "news.ycombinator.com":
        return _forum_site(host, root, steps)
    if host in FORGES or host.startswith(("gitlab.", "codeberg.", "git.", "gitea.")):
        return _releases(host, root, steps)
    return _fediverse(root, steps) or _discussion(root, steps)


def _video(host: str, steps: list[str], query: dict[str, list[str]]) -> list[str]:
    if host == "vimeo.com":
        return [f"https://vimeo.com/{steps[0]}/videos/rss"] if len(steps) == 1 else []
    feed = "https://www.youtube.com/feeds/videos.xml"
    if "list" in query:
        return [f"{feed}?playlist_id={query['list'][0]}"]
    if len(steps) > 1 and steps[0] == "channel":
        return [f"{feed}?channel_id={steps[1]}"]
    return [f"{feed}?user={steps[1]}"] if len(steps) > 1 and steps[0] == "user" else []


def _forum_site(host: str, root: str, steps: list[str]) -> list[str]:
    if host == "news.ycombinator.com":
        return [f"{root}/rss"]
    if len(steps) > 1 and steps[0] in ("r", "u", "user"):
        return [f"{root}/{steps[0]}/{steps[1]}/.rss"]
    return [f"{root}/.rss"]


def _releases(host: str, root: str, steps: list[str]) -> list[str]:
    if len(steps) < 2:
        return [f"{root}/{steps[0]}.atom"] if steps else []
    project = f"{root}/{steps[0]}/{steps[1].removesuffix('.git')}"
    if host.startswith("gitlab."):
        return [f"{project}/-/releases.atom", f"{project}/-/tags?format=atom"]
    if host in FORGES:
        return [f"{project}/releases.atom", f"{project}/tags.atom", f"{project}/commits.atom"]
    return [f"{project}/releases.rss", f"{project}.rss"]


def _fediverse(root: str, steps: list[str]) -> list[str]:
    if len(steps) == 1 and HANDLE.match(f"/{steps[0]}"):
        return [f"{root}/{steps[0]}.rss", f"{root}/{steps[0]}.atom", f"{root}/feed/{steps[0]}"]
    if len(steps) == 2 and steps[0] == "users":
        return [f"{root}/users/{steps[1]}.rss", f"{root}/users/{steps[1]}/feed.atom"]
    return []


def _discussion(root: str, steps: list[str]) -> list[str]:
    """Guess the addresses of the widespread forum programs (Discourse, phpBB)."""
    if len(steps) >= 2 and steps[0] in ("c", "t", "tag"):
        return [f"{root}/{'/'.join(steps)}.rss"]
    if steps and steps[-1] in ("viewforum.php", "viewtopic.php"):
        return [f"{root}/{'/'.join([*steps[:-1], 'feed'])}"]
    return [f"{root}/latest.rss"] if steps and steps[0] in ("latest", "categories", "top") else []
