"""The door of a service that answers JSON over HTTP: its ceiling of time, one retry, its breaker."""

import asyncio
import random
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

import httpx2
import msgspec

from app.errors import Forbidden, NotFound, Problem, ServiceDown
from app.outside.breakers import Breaker
from app.outside.fetches import FetchFailed
from app.outside.inflation import Inflation

T = TypeVar("T")
Made = TypeVar("Made")
Params = Mapping[str, str | int | float]

# A second try helps only against a hiccup; a service that is busy or refuses is left alone.
WORTH_A_RETRY = frozenset({"unreachable", "http_500", "http_502", "http_503", "http_504"})


# Seconds; a source that asks for more is tried again tomorrow.
LONGEST_WAIT = 86_400.0
# What an answer may hold, unpacked.
MOST_BYTES = 8 * 2**20
STATUSES = frozenset(HTTPStatus)


class Door:
    """Asks one service with GET. Without a client it opens its own, which `close` closes."""

    def __init__(
        self,
        base_url: str,
        *,
        breaker: Breaker,
        client: httpx2.AsyncClient | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 3.0,
        tries: int = 2,
        knows_404: bool = True,
        knows_403: bool = False,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`tries` 1 is for a source that counts each request; one that never says 404 does not know it: the address is wrong.

        One that `knows_403` refuses single things with it, which says nothing about the source.
        """
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._is_own = client is None
        self._breaker = breaker
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._tries = tries
        self._knows_404 = knows_404
        self._knows_403 = knows_403
        self._most_bytes = most_bytes

    async def ask(self, path: str, answer: type[T], params: Params | None = None) -> T:
        """Return the answer, checked against its type. Raises NotFound (404) and ServiceDown.

        ServiceDown has code `timeout`, `unreachable`, `http_{status}`, `over_quota` or `garbage`.
        """
        return await self.checked(path, answer, lambda said: said, params)

    async def checked(
        self, path: str, answer: type[T], made: Callable[[T], Made], params: Params | None = None
    ) -> Made:
        """Return what `made` makes of the answer; a ServiceDown that it raises counts against the service too."""
        async with self._breaker.request():
            try:
                async with asyncio.timeout(self._timeout):
                    content = await self._tried_twice(path, params or {})
            except TimeoutError:
                raise _down("timeout") from None
            try:
                said = msgspec.json.decode(content, type=answer)
            # Brackets within brackets by the thousand are a RecursionError.
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise _down("garbage") from error
            return made(said)

    async def close(self) -> None:
        """Close the client if it is our own."""
        if self._is_own and self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _tried_twice(self, path: str, params: Params) -> bytes:
        try:
            return await self._tried(path, params)
        except ServiceDown as down:
            if self._tries < 2 or down.code not in WORTH_A_RETRY:
                raise
        await asyncio.sleep(random.uniform(0.1, 0.4))  # noqa: S311
        return await self._tried(path, params)

    async def _tried(self, path: str, params: Params) -> bytes:
        # No proxy and no password file of the environment has a say in where we call.
        self._client = self._client or httpx2.AsyncClient(trust_env=False)
        asked = self._client.stream(
            "GET",
            self._base_url + path,
            params=dict(params),
            headers={"Accept-Encoding": "gzip, deflate", **self._headers},
            timeout=None,
        )
        try:
            async with asked as answer:
                if answer.status_code == 200:
                    return await _body(answer, self._most_bytes)
                raise self._refusal(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _down("unreachable") from error

    def _refusal(self, answer: httpx2.Response) -> Problem:
        status = answer.status_code
        if status == 404 and self._knows_404:
            return NotFound("This service knows nothing about that.")
        if status == 403 and self._knows_403:
            return Forbidden("This source does not give us that.", code="http_403")
        if status == 429:
            return _down("over_quota", _wait(answer.headers.get("retry-after", "")))
        # Codes become labels of metrics: a service cannot make up as many as it likes.
        return _down(f"http_{status}" if status in STATUSES else "garbage")


async def _body(answer: httpx2.Response, ceiling: int) -> bytes:
    try:
        body = Inflation(answer.headers.get("content-encoding", ""), ceiling)
        async for chunk in answer.aiter_raw():
            body.feed(chunk)
        return body.content()
    except FetchFailed:
        raise _down("garbage") from None


def _down(code: str, retry_after: float | None = None) -> ServiceDown:
    return ServiceDown("This source does not answer.", code=code, retry_after=retry_after)


def _wait(said: str) -> float | None:
    return min(float(said), LONGEST_WAIT) if said.isdecimal() and len(said) < 12 else None
