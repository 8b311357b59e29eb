"""The door of a service that answers JSON over HTTP: its ceiling of time, one retry, its breaker."""

import asyncio
import random
from collections.abc import Mapping
from typing import TypeVar

import httpx2
import msgspec

from app.errors import NotFound, ServiceDown
from app.outside.breakers import Breaker

T = TypeVar("T")
Params = Mapping[str, str | int | float]

# A second try helps only against a hiccup; a service that is busy or refuses is left alone.
WORTH_A_RETRY = frozenset({"unreachable", "http_500", "http_502", "http_503", "http_504"})


# Seconds; a source that asks for more is tried again tomorrow.
LONGEST_WAIT = 86_400.0


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
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._is_own = client is None
        self._breaker = breaker
        self._headers = dict(headers or {})
        self._timeout = timeout

    async def ask(self, path: str, answer: type[T], params: Params | None = None) -> T:
        """Return the answer, checked against its type. Raises NotFound (404) and ServiceDown.

        ServiceDown has code `timeout`, `unreachable`, `http_{status}`, `over_quota` or `garbage`.
        """
        async with self._breaker.request():
            try:
                async with asyncio.timeout(self._timeout):
                    content = await self._tried_twice(path, params or {})
            except TimeoutError:
                raise _down("timeout") from None
            try:
                return msgspec.json.decode(content, type=answer)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise _down("garbage") from error

    async def close(self) -> None:
        """Close the client if it is our own."""
        if self._is_own and self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _tried_twice(self, path: str, params: Params) -> bytes:
        try:
            return await self._tried(path, params)
        except ServiceDown as down:
            if down.code not in WORTH_A_RETRY:
                raise
        await asyncio.sleep(random.uniform(0.1, 0.4))  # noqa: S311
        return await self._tried(path, params)

    async def _tried(self, path: str, params: Params) -> bytes:
        # No proxy and no password file of the environment has a say in where we call.
        self._client = self._client or httpx2.AsyncClient(trust_env=False)
        try:
            answer = await self._client.get(
                self._base_url + path, params=dict(params), headers=self._headers, timeout=None
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _down("unreachable") from error
        if answer.status_code == 200:
            return answer.content
        if answer.status_code == 404:
            raise NotFound("This service knows nothing about that.")
        if answer.status_code == 429:
            raise _down("over_quota", _wait(answer.headers.get("retry-after", "")))
        raise _down(f"http_{answer.status_code}")


def _down(code: str, retry_after: float | None = None) -> ServiceDown:
    return ServiceDown("This source does not answer.", code=code, retry_after=retry_after)


def _wait(said: str) -> float | None:
    return min(float(said), LONGEST_WAIT) if said.isdecimal() and len(said) < 12 else None
