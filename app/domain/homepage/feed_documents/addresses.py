"""Addresses of the web: absolute, http or https only, and one canonical form of each."""

import re
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urljoin

from app.domain.homepage.feed_documents.documents import ADDRESS_LENGTH

# Parameters that say how a reader came and not what is read. Settings may give another list.
TRACKING_PARAMETERS = frozenset(
    [
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_term",
        "utm_content",
        "utm_id",
        "utm_name",
        "utm_cid",
        "utm_reader",
        "utm_brand",
        "utm_social",
        "utm_social-type",
        "utm_viz_id",
        "utm_pubreferrer",
        "utm_swu",
        "fbclid",
        "gclid",
        "gclsrc",
        "dclid",
        "wbraid",
        "gbraid",
        "msclkid",
        "yclid",
        "twclid",
        "ttclid",
        "igshid",
        "igsh",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "_hsenc",
        "_hsmi",
        "hsctatracking",
        "oly_anon_id",
        "oly_enc_id",
        "vero_id",
        "vero_conv",
        "wickedid",
        "s_cid",
        "ns_campaign",
        "ns_mchannel",
        "ns_source",
        "ns_linkname",
        "ns_fee",
        "at_medium",
        "at_campaign",
        "at_custom1",
        "at_custom2",
        "at_custom3",
        "at_custom4",
        "cmpid",
        "cmp",
        "cmp_id",
        "ocid",
        "ncid",
        "icid",
        "ref_src",
        "ref_url",
        "rss_id",
        "_ga",
        "_gl",
        "gaa_at",
        "gaa_n",
        "gaa_sig",
        "gaa_ts",
        "pk_campaign",
        "pk_kwd",
        "pk_source",
        "pk_medium",
        "mtm_campaign",
        "mtm_source",
        "mtm_medium",
        "xtor",
        "spm",
        "feature_token",
        "guccounter",
        "guce_referrer",
        "guce_referrer_sig",
        "sr_share",
        "ftag",
        "taid",
        "wt_mc",
        "wt.mc_id",
        "traffic_source",
    ]
)

PARTS = re.compile(
    r"(https?)://(?:([^/?#@]*)@)?([^/?#@]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?$", re.I | re.S
)
ORIGIN = re.compile(r"https?://[^/?#]+", re.I)
SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
BARE_HOST = re.compile(r"www\.[^\s/]+\.[a-z]{2,}(?:[/?#]|$)", re.I)
# Most addresses are sound as they stand; one look tells.
SOUND = re.compile(
    r"https?://[\w.-]+(?::\d{1,5})?(?:[/?#][^\x00-\x20\"<>\\^`{|}\x7f-\xa0\u2028\u2029]*)?$"
)
# What a URL may not hold as it stands. Letters outside ASCII stay: browsers show them so.
UNSAFE = re.compile(r"[\x00-\x20\"<>\\^`{|}\x7f-\xa0\u2028\u2029]")
HOST = re.compile(r"[^\s/?#@\\<>\"'`^{|}%]+$")
PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
AMP_CACHE = re.compile(r"/(?:[a-z]/)?(?:s/)?([^/]+\.[^/]+)(/.*)?$")
AMP_VIEWER = re.compile(r"/amp/(s/)?([^/]+\.[^/]+)(/.*)?$")
AMP_PATH = re.compile(r"(?:/amp/?|\.amp|(?<=\.)amp\.html)$")
AMP_QUERY = frozenset({("amp", "1"), ("amp", ""), ("amp", "true"), ("outputtype", "amp")})
UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def absolute(address: str, base: str) -> str | None:
    """Return the address as an absolute http or https URL of at most 2,000 characters, else None."""
    if SOUND.match(address) and len(address) <= ADDRESS_LENGTH:
        return address
    found = _joined(address.strip(), base)
    if len(found) > ADDRESS_LENGTH:
        return None
    found = found.strip()
    if UNSAFE.search(found):
        found = UNSAFE.sub(_quoted, found.translate({9: None, 10: None, 13: None}))
    match = PARTS.match(found)
    if match is None or not HOST.match(match[3]) or len(found) > ADDRESS_LENGTH:
        return None
    return found


def _joined(address: str, base: str) -> str:
    address = address.removeprefix("feed:") if address[:9].lower() == "feed:http" else address
    if not address or address[:1] == "#":
        return ""
    if address[:4].lower() == "http" and PARTS.match(address):
        return address
    if BARE_HOST.match(address):
        return "http://" + address
    if SCHEME.match(address) and not address.lower().startswith(("http:", "https:")):
        return ""
    if address[0] == "/" and "/." not in address and address[1:2] not in ("/", "\\"):
        return _origin(base) + address
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


@lru_cache(maxsize=64)
def _origin(base: str) -> str:
    found = ORIGIN.match(base)
    return found[0] if found else ""


def _quoted(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace"))


def canonical_url(url: str, tracking: frozenset[str] = TRACKING_PARAMETERS) -> str:
    """Return the one form under which an address is known.

    https, lower-case host without `www.` and default port, no fragment, no tracking parameters,
    sorted query, AMP undone. What is no http address comes back trimmed and otherwise as it was.
    """
    match = PARTS.match(url.strip())
    if match is None:
        return url.strip()
    _, user, host, path, query = match.groups()
    host = _host(host)
    host, path = _without_amp(host, path)
    if query:
        query = _sorted_query(query, tracking)
    if "%" in path:
        path = PERCENT.sub(_normal_percent, path)
    login = f"{user}@" if user else ""
    return f"https://{login}{host}{path or '/'}{'?' + query if query else ''}"


def url_key(url: str) -> bytes:
    """Return the SHA-256 of the canonical form of an address."""
    return sha256(canonical_url(url).encode("utf-8", "replace")).digest()


def _host(host: str) -> str:
    host = host.lower().rstrip(".")
    if not host.isascii():
        host = _ascii_host(host)
    host = host.removesuffix(":443").removesuffix(":80")
    return host[4:] if host.startswith("www.") and host.count(".") > 1 else host


def _ascii_host(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _without_amp(host: str, path: str) -> tuple[str, str]:
    if "amp" not in path and "amp" not in host:
        return host, path
    if host.endswith(".cdn.ampproject.org") and (match := AMP_CACHE.match(path)):
        host, path = _host(match[1]), match[2] or "/"
    elif host.startswith("google.") and (match := AMP_VIEWER.match(path)):
        host, path = _host(match[2]), match[3] or "/"
    if host.startswith("amp.") and host.count(".") > 1:
        host = host[4:]
    if path.startswith("/amp/"):
        path = path[4:]
    found = AMP_PATH.search(path)
    if found is None:
        return host, path
    return host, path[: found.start()] + ("html" if found[0] == "amp.html" else "")


def _sorted_query(query: str, tracking: frozenset[str]) -> str:
    kept = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        name = name.lower()
        if pair and name not in tracking and (name, value.lower()) not in AMP_QUERY:
            kept.append(PERCENT.sub(_normal_percent, pair) if "%" in pair else pair)
    kept.sort()
    return "&".join(kept)


def _normal_percent(match: re.Match[str]) -> str:
    letter = chr(int(match[0][1:], 16))
    return letter if letter in UNRESERVED else match[0].upper()
