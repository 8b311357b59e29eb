"""Which URLs and which network addresses the guarded client may touch."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import NoReturn
from urllib.parse import quote, urljoin, urlsplit

import idna

from app.outside.fetches import FetchFailed
from app.outside.networks import permitted

LONGEST_URL = 4096
# Names that the public name system does not know (RFC 6761, 6762, 7686, 8375, 9476 and habit).
REFUSED_ENDINGS = frozenset(
    [
        "localhost",
        "local",
        "localdomain",
        "internal",
        "intranet",
        "private",
        "corp",
        "home",
        "lan",
        "onion",
        "alt",
        "test",
        "example",
        "invalid",
        "arpa",
    ]
)
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
BRACKETED = re.compile(r"\[[0-9a-fA-F:.]+\](:[0-9]*)?")
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
SAFE_IN_PATH = "!$%&'()*+,-./:;=@_~"


@dataclass(frozen=True)
class Target:
    """One checked URL: what to connect to and what to ask there."""

    scheme: str
    host: str
    port: int
    path: str
    userinfo: str | None = None

    @property
    def authority(self) -> str:
        """Return host and, where it is not the scheme's own, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _own_port(self.scheme) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL without its credentials."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def secret_url(self) -> str:
        """Return the URL with its credentials, to be stored but never shown."""
        at = f"{self.userinfo}@" if self.userinfo else ""
        return f"{self.scheme}://{at}{self.authority}{self.path}"

    def literal(self) -> IPv4Address | IPv6Address | None:
        """Return the address when the host is one, else null."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def checked(url: str, *, ports: frozenset[int], known: Iterable[str] = ()) -> Target:
    """Return the URL in its one reading. Raises FetchFailed bad_address, refused_port or -_address.

    `known` are host names that are allowed although their ending is refused (GUARD_HOSTS). What
    two readers could read differently (backslashes, control characters, percent signs in a host,
    numbers that are no plain dotted address) is refused rather than repaired.
    """
    # Feeds do write blanks into paths; anything else that is not printable is no accident.
    url = url.strip(" \t\r\n\f").replace(" ", "%20")
    if len(url) > LONGEST_URL or UNPRINTABLE.search(url) or "\\" in url.partition("?")[0]:
        raise FetchFailed("bad_address")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchFailed("bad_address") from None
    if parts.scheme not in ("http", "https") or not url[len(parts.scheme) :].startswith("://"):
        raise FetchFailed("bad_address")
    userinfo, _, written = parts.netloc.rpartition("@")
    if "@" in userinfo:
        raise FetchFailed("bad_address")
    host = _host(written, parts.hostname or "")
    port = _own_port(parts.scheme) if port is None else port
    target = Target(parts.scheme, host, port, _path(parts.path, parts.query), userinfo or None)
    _refuse(target, ports, known)
    return target


def followed(
    base: Target, location: str, *, ports: frozenset[int], known: Iterable[str] = ()
) -> Target:
    """Return where a redirect leads. Raises FetchFailed as `checked` does.

    Credentials stay only while host and port stay or http becomes https on the same host; those
    that a redirect brings along are dropped.
    """
    try:
        joined = urljoin(base.url, location.strip())
    except ValueError:
        raise FetchFailed("bad_address") from None
    target = checked(joined, ports=ports, known=known)
    kept = base.host == target.host and (
        base.port == target.port or (base.scheme, target.scheme) == ("http", "https")
    )
    downgraded = (base.scheme, target.scheme) == ("https", "http")
    userinfo = base.userinfo if kept and not downgraded else None
    return Target(target.scheme, target.host, target.port, target.path, userinfo)


def _host(written: str, host: str) -> str:
    if "[" in written:
        return _bracketed(written, host)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            _bad()
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        _bad()
    if NUMBER.fullmatch(labels[-1]):
        return _dotted(host)
    return host


def _bracketed(written: str, host: str) -> str:
    # The form also keeps out zones ("%eth0") and whatever stands after the bracket.
    if not BRACKETED.fullmatch(written):
        _bad()
    try:
        return str(IPv6Address(host))
    except AddressValueError:
        _bad()


def _dotted(host: str) -> str:
    # A last label that is a number makes every browser read the whole as an address
    # (url.spec.whatwg.org, "ends in a number"), octal, hexadecimal or short. Only the plain
    # spelling is taken.
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        _bad()


def _bad() -> NoReturn:
    raise FetchFailed("bad_address") from None


def _path(path: str, query: str) -> str:
    path = quote(path or "/", safe=SAFE_IN_PATH)
    return f"{path}?{quote(query, safe=SAFE_IN_PATH + '?[]')}" if query else path


def _own_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _refuse(target: Target, ports: frozenset[int], known: Iterable[str]) -> None:
    if target.port not in ports:
        raise FetchFailed("refused_port")
    if literal := target.literal():
        if not permitted(str(literal)):
            raise FetchFailed("refused_address")
        return
    ending = target.host.rpartition(".")[2]
    if target.host not in known and (ending == target.host or ending in REFUSED_ENDINGS):
        raise FetchFailed("refused_address")
