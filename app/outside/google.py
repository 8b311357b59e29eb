"""Google: OpenID Connect with PKCE (https://developers.google.com/identity/openid-connect/openid-connect)."""

from collections.abc import Mapping

from app.outside.breakers import Breaker
from app.outside.id_tokens import IdTokens
from app.outside.oauth_providers import (
    SECONDS,
    Found,
    OAuthProvider,
    Tokens,
    Trip,
    asking,
    code_of,
)


class Google(OAuthProvider):
    """The door to Google's sign-in."""

    name, title = "google", "Google"

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        scopes: str,
        url: str,
        token_url: str,
        keys_url: str,
        breaker: Breaker,
        timeout: float = SECONDS,
    ) -> None:
        super().__init__(breaker, timeout)
        self._client_id, self._scopes = client_id, scopes
        self._url, self._token_url = url.rstrip("/"), token_url
        self._us = {"client_id": client_id, "client_secret": client_secret}
        # Google writes its name with and without https://.
        issuers = (self._url, self._url.partition("://")[2])
        self._id_tokens = IdTokens(keys_url, issuers=issuers, audience=client_id, breaker=breaker)

    def address(self, trip: Trip) -> str:
        """Return where Google asks; `offline` makes it give a refresh token the first time."""
        return asking(
            f"{self._url}/o/oauth2/v2/auth",
            self._client_id,
            trip,
            self._scopes,
            pkce=True,
            nonce=trip.nonce,
            access_type="offline",
        )

    async def found(self, answer: Mapping[str, str], trip: Trip) -> Found:
        """Return who came back; Google vouches by the claim email_verified. Raises Forbidden and ServiceDown."""
        form = self._us | {
            "grant_type": "authorization_code",
            "code": code_of(answer, self._url),
            "redirect_uri": trip.redirect_uri,
            "code_verifier": trip.verifier,
        }
        tokens = await self._tokens("POST", self._token_url, form)
        claims = await self._id_tokens.checked(tokens.id_token, trip.nonce, tokens.access_token)
        return Found(
            subject=str(claims["sub"]),
            email=claims.get("email"),
            email_verified=claims.get("email_verified") is True,
            name=str(claims.get("name", "")),
            refresh_token=tokens.refresh_token,
            expires_in=tokens.expires_in,
        )

    async def refreshed(self, token: str) -> Tokens:
        """Return a new access token. Raises Forbidden and ServiceDown."""
        form = self._us | {"grant_type": "refresh_token", "refresh_token": token}
        return await self._tokens("POST", self._token_url, form)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._id_tokens.close()
