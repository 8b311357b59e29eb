"""What Google and Apple have in common: OpenID Connect, a signed token that says who came back."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from app.outside.breakers import Breaker
from app.outside.id_tokens import IdTokens
from app.outside.oauth_providers import SECONDS, Found, OAuthProvider, Tokens, Trip, code_of


class OpenIdProvider(OAuthProvider):
    """A provider that answers a code with tokens, one of which is signed and names the person."""

    def __init__(
        self,
        client_id: str,
        *,
        token_url: str,
        keys_url: str,
        issuers: Sequence[str],
        breaker: Breaker,
        timeout: float = SECONDS,
    ) -> None:
        super().__init__(breaker, timeout)
        self._client_id, self._token_url = client_id, token_url
        self._id_tokens = IdTokens(keys_url, issuers=issuers, audience=client_id, breaker=breaker)

    async def found(self, answer: Mapping[str, str], trip: Trip) -> Found:
        """Return who came back; the provider vouches by the claim email_verified. Raises Forbidden, ServiceDown."""
        form = self._us() | self._asked(answer, trip)
        form |= {"grant_type": "authorization_code", "redirect_uri": trip.redirect_uri}
        tokens = await self._tokens("POST", self._token_url, form)
        claims = await self._id_tokens.checked(tokens.id_token, trip.nonce, tokens.access_token)
        return Found(
            subject=str(claims["sub"]),
            email=claims.get("email"),
            # Google says it as a truth value, Apple as that or as a word.
            email_verified=claims.get("email_verified") in (True, "true"),
            name=self._name(claims, answer),
            refresh_token=tokens.refresh_token,
            expires_in=tokens.expires_in,
        )

    async def refreshed(self, token: str) -> Tokens:
        """Return a new access token. Raises Forbidden and ServiceDown."""
        form = self._us() | {"grant_type": "refresh_token", "refresh_token": token}
        return await self._tokens("POST", self._token_url, form)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._id_tokens.close()

    @abc.abstractmethod
    def _us(self) -> dict[str, str]:
        """Return what tells the provider who asks: our name there and our secret."""

    def _asked(self, answer: Mapping[str, str], trip: Trip) -> dict[str, str]:
        """Return what this trip adds to the request for tokens. Raises Forbidden."""
        return {"code": code_of(answer)}

    def _name(self, claims: Mapping[str, Any], answer: Mapping[str, str]) -> str:
        """Return what the person is called, or nothing."""
        return str(claims.get("name", ""))
