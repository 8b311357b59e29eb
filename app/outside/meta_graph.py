"""Meta's Graph (https://developers.facebook.com/docs/graph-api): what Instagram and Facebook Pages have in common.

The token goes in a header, so that no address holds it; only the endpoints that are about tokens take them as a field.
"""

import abc
import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

import httpx2
import msgspec

from app.errors import Forbidden, NotFound, ServiceDown
from app.outside import meta_signed_requests
from app.outside.breakers import Breaker
from app.outside.connections import no_cookies
from app.outside.meta_answers import UNREADABLE, ErrorAnswer, Post
from app.outside.meta_signed_requests import SignedRequest

SECONDS = 3.0
MOST_BYTES = 2 * 2**20
# Seconds; a platform that asks for more is tried again tomorrow.
LONGEST_WAIT = 86_400.0
T = TypeVar("T")
Fields = Mapping[str, Any]

# Numbers of the Graph's errors (https://developers.facebook.com/docs/graph-api/guides/error-handling).
VOID = frozenset({102, 190})
BUSY = frozenset({4, 17, 32, 613})
PERMISSIONS = frozenset({3, 10, *range(200, 300)})


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """One account that a person let us read. `subject` is the platform's number for the person; seconds for `expires_in`."""

    account_id: str
    account_name: str
    subject: str
    token: str
    expires_in: float | None = None
    scopes: list[str] = []


class Renewed(msgspec.Struct, frozen=True):
    """A token to be kept instead of the older one; `expires_in` is in seconds, None when it does not end."""

    token: str
    expires_in: float | None


class MetaGraph(abc.ABC):
    """One platform of Meta's. It opens a client of its own, which `close` closes."""

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        app_id: str,
        app_secret: str,
        *,
        scopes: str,
        url: str,
        graph_url: str,
        version: str,
        breaker: Breaker,
        timeout: float = SECONDS,
    ) -> None:
        self.breaker = breaker
        self._app_id, self._secret, self._scopes = app_id, app_secret, scopes
        self._url = url.rstrip("/")
        self._host = graph_url.rstrip("/")
        self._graph = f"{self._host}/{version}"
        self._version = version
        self._timeout = timeout
        # No proxy and no password file of the environment has a say in where we call.
        self._client = httpx2.AsyncClient(trust_env=False, cookies=no_cookies())

    @abc.abstractmethod
    def address(self, state: str, redirect_uri: str, verifier: str) -> str:
        """Return the address of the platform's page that asks the person."""

    @abc.abstractmethod
    async def connected(self, code: str, redirect_uri: str, verifier: str) -> list[Granted]:
        """Return the accounts that a code opens, with tokens of 60 days or longer. Raises Forbidden and ServiceDown."""

    @abc.abstractmethod
    async def renewed(self, token: str) -> Renewed:
        """Return a newer token for one that still holds. Raises Forbidden (it is void) and ServiceDown."""

    @abc.abstractmethod
    async def revoke(self, token: str) -> None:
        """Take our app off the account of the person who granted a token. Raises Forbidden, NotFound (nothing to take off) and ServiceDown."""

    @abc.abstractmethod
    async def posts(self, account_id: str, token: str, limit: int) -> list[Post]:
        """Return the newest posts of an account. Raises Forbidden (the token is void) and ServiceDown."""

    def signed(self, text: str) -> SignedRequest:
        """Return what a signed request of this platform says. Raises Forbidden when it is not from there."""
        return meta_signed_requests.read(text, self._secret)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(
        self, method: str, url: str, fields: Fields, answer: type[T], token: str | None = None
    ) -> T:
        """Ask once and return the answer, checked against its type. Raises Forbidden and ServiceDown."""
        async with self.breaker.request():
            try:
                async with asyncio.timeout(self._timeout):
                    content = await self._content(method, url, fields, token)
            except TimeoutError:
                raise down("timeout") from None
            except (httpx2.HTTPError, httpx2.InvalidURL):
                # Without its cause, whose words may hold the address with what was asked.
                raise down("unreachable") from None
            try:
                return msgspec.json.decode(content, type=answer)
            except UNREADABLE:
                raise down("garbage") from None

    async def _content(self, method: str, url: str, fields: Fields, token: str | None) -> bytes:
        # Unpacked nowhere, so that a small answer cannot become a large one.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        options: dict[str, Any] = {"data" if method == "POST" else "params": dict(fields)}
        async with self._client.stream(
            method, url, headers=headers, timeout=None, **options
        ) as answer:
            content = bytearray()
            async for chunk in answer.aiter_raw():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise down("too_large")
            if answer.status_code != 200:
                refuse(answer.status_code, bytes(content), answer.headers.get("retry-after", ""))
            return bytes(content)


def refuse(status: int, content: bytes, wait: str) -> NoReturn:
    """Say what an answer that is no success means. Raises Forbidden, NotFound and ServiceDown."""
    try:
        error = msgspec.json.decode(content, type=ErrorAnswer)
    except UNREADABLE:
        error = ErrorAnswer()
    number = error.error.code if error.error else error.code
    if number in VOID or (status in (400, 401) and error.error_type == "OAuthException"):
        raise Forbidden("The platform does not take this connection any more.", code="token_void")
    if number in PERMISSIONS:
        raise Forbidden("The platform was not allowed to show us this.", code="no_permission")
    if number == 100 and status == 400 and error.error and error.error.type == "OAuthException":
        # A code that was used or invented (https://developers.facebook.com/docs/facebook-login/guides/access-tokens/debugging).
        raise Forbidden("The platform did not take this connection.", code="invalid_grant")
    if number in BUSY or status == 429:
        raise down("over_quota", waited(wait))
    if status == 404:
        raise NotFound("This account is not there any more.")
    raise down(f"http_{status}")


def waited(said: str) -> float | None:
    """The seconds of a Retry-After header; None when it says nothing usable."""
    return min(float(said), LONGEST_WAIT) if said.isdecimal() and len(said) < 12 else None


def down(code: str, retry_after: float | None = None) -> ServiceDown:
    """The platform cannot be used now."""
    return ServiceDown(
        "This platform does not answer at the moment.", code=code, retry_after=retry_after
    )
