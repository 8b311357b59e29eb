"""What Google, Facebook and Apple have in common: a trip there, an answer, and who it says it was."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import httpx2
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.errors import Forbidden, ServiceDown
from app.outside.breakers import Breaker
from app.outside.connections import no_cookies

SECONDS = 3.0
T = TypeVar("T")


class Trip(msgspec.Struct, frozen=True):
    """One trip to a provider, as both ways of it need it."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Who the provider says it was; `email_verified` is whether it vouches for the address. `expires_in` is in seconds."""

    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str = ""
    refresh_token: str | None = None
    expires_in: float | None = None


class Tokens(msgspec.Struct, frozen=True):
    """What a token endpoint answers (RFC 6749 section 5.1)."""

    access_token: str
    id_token: str | None = None
    refresh_token: str | None = None
    expires_in: float | None = None


class OAuthProvider(abc.ABC):
    """One provider that people sign in with. Without a client it opens its own, which `close` closes."""

    name: ClassVar[str]
    title: ClassVar[str]
    # Whether the answer comes as a form that the provider's page posts.
    posts_its_answer: ClassVar[bool] = False

    def __init__(self, breaker: Breaker, timeout: float = SECONDS) -> None:
        self.breaker = breaker
        self._timeout = timeout
        # No proxy and no password file of the environment has a say in where we call.
        self._client = httpx2.AsyncClient(trust_env=False, cookies=no_cookies())

    @abc.abstractmethod
    def address(self, trip: Trip) -> str:
        """Return the address of the provider's page that asks the person."""

    @abc.abstractmethod
    async def found(self, answer: Mapping[str, str], trip: Trip) -> Found:
        """Return who came back, from the parameters of the answer. Raises Forbidden and ServiceDown."""

    @abc.abstractmethod
    async def refreshed(self, token: str) -> Tokens:
        """Return newer tokens for a kept one. Raises Forbidden (invalid_grant: it is void) and ServiceDown."""

    @abc.abstractmethod
    async def revoke(self, token: str) -> None:
        """Let a kept token open nothing any more. Raises Forbidden (it is void already) and ServiceDown."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _tokens(self, method: str, url: str, form: dict[str, str]) -> Tokens:
        """Ask a token endpoint, once: a code that was sent is spent. Raises Forbidden and ServiceDown."""
        return decoded(await self._answer(method, url, form), Tokens)

    async def _answer(self, method: str, url: str, fields: dict[str, str]) -> bytes:
        place = "data" if method == "POST" else "params"
        async with self.breaker.request():
            try:
                options: dict[str, Any] = {place: fields, "timeout": self._timeout}
                headers = {"Accept": "application/json"}
                answer = await self._client.request(method, url, headers=headers, **options)
            except httpx2.TimeoutException:
                raise down("timeout") from None
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise down("unreachable") from error
            if answer.status_code == 200:
                return answer.content
            if says_void(answer.content):
                raise Forbidden("The provider did not accept this sign-in.", code="invalid_grant")
            raise down(f"http_{answer.status_code}")


def asking(url: str, client_id: str, trip: Trip, scope: str, pkce: bool, **more: str) -> str:
    """Return the address that asks a person for consent (RFC 6749 section 4.1.1, RFC 7636 section 4.3)."""
    if pkce:
        more["code_challenge"] = create_s256_code_challenge(trip.verifier)
        more["code_challenge_method"] = "S256"
    return str(
        prepare_grant_uri(
            url,
            client_id=client_id,
            response_type="code",
            redirect_uri=trip.redirect_uri,
            scope=scope,
            state=trip.state,
            **more,
        )
    )


def code_of(answer: Mapping[str, str], issuer: str | None = None) -> str:
    """Return the code of an answer, which must name no other issuer (RFC 9207). Raises Forbidden."""
    if issuer is not None and answer.get("iss", issuer) != issuer:
        raise Forbidden("This answer comes from another provider.", code="mixed_up")
    code = answer.get("code", "")
    if not code:
        raise Forbidden("The provider sent no code.", code="no_code")
    return code


def decoded(content: bytes, kind: type[T]) -> T:
    """Return an answer as its type. Raises ServiceDown when it is something else."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise down("garbage") from error


def says_void(content: bytes) -> bool:
    """Whether a refusal says that a code or token is void: RFC 6749's and 6750's words, Facebook's numbers 100 and 190."""
    try:
        said = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    error = said.get("error") if isinstance(said, dict) else None
    if isinstance(error, dict):
        return error.get("type") == "OAuthException" and error.get("code") in (100, 190)
    return error in ("invalid_grant", "invalid_token")


def down(code: str) -> ServiceDown:
    """The provider cannot be used now."""
    return ServiceDown("This way to sign in does not answer at the moment.", code=code)
