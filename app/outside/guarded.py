"""The guarded client: every URL that a person or a feed gave us is fetched through it."""

import asyncio
import base64
import re
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from app.outside.addresses import Target, checked, followed
from app.outside.breakers import OUTSIDE_SECONDS
from app.outside.connections import Connect, Connections, Resolve, connected, resolved
from app.outside.exchanges import Answer, Exchange
from app.outside.fetches import Fetched, FetchFailed, refused_by_status
from app.outside.turns import Turns

MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT = frozenset({301, 308})
WEB_PORTS = frozenset({80, 443})
SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
OF_ONE_ORIGIN = frozenset({"authorization", "cookie"})

__all__ = ["FetchFailed", "Fetched", "GuardedClient"]


class GuardedClient:
    """Fetches foreign URLs politely and never leaves the public internet.

    `guard_hosts` leads names (of the demo world) to an address and port of loopback, in plain
    HTTP; every other name stays guarded. `resolve` and `connect` are the two ways to the network.
    """

    def __init__(
        self,
        public_url: str,
        guard_hosts: Mapping[str, tuple[str, int]],
        *,
        resolve: Resolve = resolved,
        connect: Connect = connected,
        tls: ssl.SSLContext | None = None,
        ports: frozenset[int] = WEB_PORTS,
        spacing: float = 1.0,
        patience: float = 3.0,
        silence: float = 3.0,
    ) -> None:
        """Set the guard up; `patience` is for resolving and for connecting, all in seconds."""
        self.user_agent = f"VillageBot/1.0 (+{public_url.rstrip('/')}/bot)"
        self._ports = ports
        self._silence = silence
        self._turns = Turns(spacing=spacing)
        self._connections = Connections(
            guard_hosts, resolve=resolve, connect=connect, tls=tls, patience=patience
        )

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        accept: str | None = None,
        max_bytes: int = 10 * 2**20,
        total: float = 15.0,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Fetched:
        """Return what a GET of the URL answers, after at most five redirects. Raises FetchFailed.

        A 304 is returned; a status of 400 and above fails as `http_{status}`. `total` seconds
        are for all hops together, without the time spent waiting for a turn at the host.
        """
        asked = _asked(self.user_agent, headers, accept, etag, last_modified)
        journey = _Journey(total)
        result = "interrupted"
        try:
            fetched = await self._follow(url, asked, max_bytes, journey)
            result = "ok"
            return fetched
        except FetchFailed as failed:
            result = f"http_{failed.code[5]}xx" if failed.code.startswith("http_") else failed.code
            raise
        finally:
            OUTSIDE_SECONDS.labels("guarded", result).observe(total - journey.left)

    def wait(self, url: str) -> float:
        """Return about how many seconds a fetch would wait for its turn at the URL's host."""
        try:
            host = checked(url, ports=self._ports, known=self._connections.guard_hosts).host
        except FetchFailed:
            return 0.0
        return self._turns.wait(host)

    async def close(self) -> None:
        """Nothing is kept open between fetches; here so that callers need not know that."""

    async def _follow(
        self, url: str, asked: dict[str, str], max_bytes: int, journey: "_Journey"
    ) -> Fetched:
        known = self._connections.guard_hosts
        target = checked(url, ports=self._ports, known=known)
        while True:
            answer = await self._hop(target, asked, max_bytes, journey)
            if answer.status not in REDIRECTS or "location" not in answer.headers:
                return _fetched(target, answer, journey)
            if len(journey.redirects) == MOST_REDIRECTS:
                raise FetchFailed("too_many_redirects")
            there = followed(target, answer.headers["location"], ports=self._ports, known=known)
            if (there.host, there.port) != (target.host, target.port):
                asked = {name: asked[name] for name in asked if name not in OF_ONE_ORIGIN}
            journey.note(answer.status, target, there)
            target = there

    async def _hop(
        self, target: Target, asked: dict[str, str], max_bytes: int, journey: "_Journey"
    ) -> Answer:
        sent = [("host", target.authority), *asked.items()]
        if target.userinfo and "authorization" not in asked:
            sent.append(("authorization", _basic(target.userinfo)))
        async with self._turns.at(target.host):
            started = time.perf_counter()
            try:
                async with asyncio.timeout(journey.left):
                    reader, writer = await self._connections.open(target)
                    exchange = Exchange(reader, writer, silence=self._silence)
                    return await exchange.get(target.path, sent, ceiling=max_bytes)
            except TimeoutError:
                raise FetchFailed("too_slow") from None
            finally:
                journey.left -= time.perf_counter() - started


class _Journey:
    def __init__(self, total: float) -> None:
        self.total = self.left = total
        self.redirects: list[tuple[int, str, str]] = []
        self.permanent_url: str | None = None
        self._unbroken = True

    def note(self, status: int, here: Target, there: Target) -> None:
        self.redirects.append((status, here.url, there.url))
        # After the first hop that is only for now, what follows says nothing about for ever.
        self._unbroken = self._unbroken and status in PERMANENT
        if self._unbroken:
            self.permanent_url = there.secret_url


def _fetched(target: Target, answer: Answer, journey: _Journey) -> Fetched:
    if answer.status >= 300 and answer.status != 304:
        raise refused_by_status(answer.status, _retry_after(answer.headers.get("retry-after")))
    return Fetched(
        url=target.url,
        status=answer.status,
        headers=answer.headers,
        content=answer.content,
        redirects=journey.redirects,
        permanent_url=journey.permanent_url,
        ms=round((journey.total - journey.left) * 1000),
    )


def _asked(
    user_agent: str,
    headers: Mapping[str, str],
    accept: str | None,
    etag: str | None,
    last_modified: str | None,
) -> dict[str, str]:
    asked = {
        "user-agent": user_agent,
        "accept": accept or "*/*",
        "accept-encoding": "gzip, deflate",
        "connection": "close",
        **{name.lower(): value for name, value in headers.items()},
    }
    # Validators were written by the other side; one that no header can carry is left out.
    for name, value in (("if-none-match", etag), ("if-modified-since", last_modified)):
        if value and SENDABLE.fullmatch(value):
            asked[name] = value
    return asked


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    secret = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return f"Basic {base64.b64encode(secret).decode()}"


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
