"""Google: OpenID Connect with PKCE (https://developers.google.com/identity/openid-connect/openid-connect)."""

from collections.abc import Mapping

from app.outside.breakers import Breaker
from app.outside.oauth_providers import SECONDS, Trip, asking, code_of
from app.outside.openid_providers import OpenIdProvider


class Google(OpenIdProvider):
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
        revoke_url: str,
        breaker: Breaker,
        timeout: float = SECONDS,
    ) -> None:
        self._scopes, self._url, self._secret = scopes, url.rstrip("/"), client_secret
        self._revoke_url = revoke_url
        super().__init__(
            client_id,
            token_url=token_url,
            keys_url=keys_url,
            # Google writes its name with and without https://.
            issuers=(self._url, self._url.partition("://")[2]),
            breaker=breaker,
            timeout=timeout,
        )

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

    async def revoke(self, token: str) -> None:
        """Take back all that Google granted with this token. Raises Forbidden and ServiceDown."""
        await self._answer("POST", self._revoke_url, {"token": token})

    def _us(self) -> dict[str, str]:
        return {"client_id": self._client_id, "client_secret": self._secret}

    def _asked(self, answer: Mapping[str, str], trip: Trip) -> dict[str, str]:
        return {"code": code_of(answer, self._url), "code_verifier": trip.verifier}
