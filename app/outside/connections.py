"""Opens a connection to a checked target, with the address resolved once and pinned."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy

import certifi

from app.outside.addresses import Target
from app.outside.fetches import FetchFailed
from app.outside.networks import permitted

Resolve = Callable[[str], Awaitable[list[str]]]
Connect = Callable[[str, int], Awaitable[socket.socket]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

# Names are looked up by threads of their own: a resolver that hangs holds up nothing but other names, and those who ask
# for them lose patience as with any name that is not found.
LOOK_UPS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="names")
# A name may have many addresses; the first few of a name that does not answer are enough.
MOST_ADDRESSES = 3


async def resolved(host: str) -> list[str]:
    """Return the addresses of a name, in the order the system prefers. Raises OSError."""
    look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(LOOK_UPS, look_up)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def connected(address: str, port: int) -> socket.socket:
    """Return a socket connected to a literal address, so nothing is resolved. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def trust() -> ssl.SSLContext:
    """Return a TLS context that checks names against the system's and certifi's authorities."""
    context = ssl.create_default_context()
    # A slim machine has no authorities of its own.
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connections:
    """Opens connections: every name judged but those of the table, which lead to loopback."""

    def __init__(
        self,
        guard_hosts: Mapping[str, tuple[str, int]],
        *,
        resolve: Resolve,
        connect: Connect,
        tls: ssl.SSLContext | None = None,
        patience: float = 3.0,
    ) -> None:
        for name, (address, _) in guard_hosts.items():
            if address not in ("127.0.0.1", "::1"):
                raise ValueError(f"GUARD_HOSTS may lead {name} to loopback only.")
        self.guard_hosts = {name.lower(): place for name, place in guard_hosts.items()}
        self._resolve = resolve
        self._connect = connect
        self._tls = tls
        self._patience = patience

    async def open(self, target: Target) -> Streams:
        """Return a connection to the target. Raises FetchFailed.

        The name is resolved here and nowhere else, every address it has must be public, and the
        socket goes to one of exactly these addresses; TLS still asks for the name.
        """
        led = self.guard_hosts.get(target.host)
        if led is not None:
            return await self._first([led[0]], led[1], None)
        addresses = await self._addresses(target)
        if not all(permitted(address) for address in addresses):
            raise FetchFailed("refused_address")
        name = target.host if target.scheme == "https" else None
        return await self._first(addresses[:MOST_ADDRESSES], target.port, name)

    async def _addresses(self, target: Target) -> list[str]:
        if target.literal() is not None:
            return [target.host]
        try:
            async with asyncio.timeout(self._patience):
                addresses = await self._resolve(target.host)
        except (OSError, UnicodeError):
            raise FetchFailed("dns") from None
        if not addresses:
            raise FetchFailed("dns")
        return addresses

    async def _first(self, addresses: list[str], port: int, name: str | None) -> Streams:
        try:
            async with asyncio.timeout(self._patience):
                for address in addresses:
                    try:
                        return await self._streams(address, port, name)
                    except ssl.SSLError:
                        raise FetchFailed("tls") from None
                    except OSError:
                        continue
        except TimeoutError:
            pass
        raise FetchFailed("connect")

    async def _streams(self, address: str, port: int, name: str | None) -> Streams:
        sock = await self._connect(address, port)
        try:
            if name is None:
                return await asyncio.open_connection(sock=sock)
            self._tls = self._tls or trust()
            return await asyncio.open_connection(sock=sock, ssl=self._tls, server_hostname=name)
        except BaseException:
            sock.close()
            raise


def no_cookies() -> CookieJar:
    """Return a jar that takes and gives nothing: one client asks for many people, and none is known by another's cookie."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))
