"""Addresses of feeds as people write them: completed, judged private or not, and said without secrets."""

import re
from urllib.parse import parse_qsl, urlsplit

from app.domain.homepage.feed_documents import absolute

# Names of parameters that stand for a person rather than for what is read.
KEY_LIKE = re.compile(
    r"(?:api|access|auth|feed|user|rss|private)?(?:key|token)|auth|secret|sig|signature|jwt"
    r"|pass|passwd|password|pwd|session(?:id)?|sid|credentials?"
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
SEPARATOR = re.compile(r"[^a-z0-9]+")


def completed(text: str) -> str | None:
    """The address that was meant: with a scheme where none was written; None when it is none."""
    text = text.strip()
    if text[:7].lower() == "feed://":
        text = "http://" + text[7:]
    elif text[:5].lower() == "feed:":
        text = text[5:]
    if "://" not in text[:12]:
        text = f"https://{text.lstrip('/')}"
    found = absolute(text, text)
    try:
        host = urlsplit(found or "").hostname
    except ValueError:
        # As of http://[::1, whose bracket is open.
        return None
    return found if "." in (host or "") else None


def looks_private(url: str) -> bool:
    """Whether the address holds user:password or a parameter that looks like a key."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return True
    return any(key_like(name) for name, value in parse_qsl(parts.query) if len(value) > 3)


def key_like(name: str) -> bool:
    """Whether a parameter's name, or a word of it, stands for a key: token, api-key, userToken."""
    words = SEPARATOR.split(CAMEL.sub("-", name).lower())
    return any(KEY_LIKE.fullmatch(word) for word in ("".join(words), *words))


def shown(url: str, *, private: bool) -> str:
    """The address as it may be shown: of a private one only scheme and host."""
    if not private:
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/…"


def host(url: str) -> str:
    """The host of an address without `www.`: what a feed is called before it has said its name."""
    return (urlsplit(url).hostname or "").removeprefix("www.")
