"""Facebook: OAuth and the Graph (https://developers.facebook.com/documentation/facebook-login/guides/advanced/manual-flow)."""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from app.errors import Problem
from app.outside.breakers import Breaker
from app.outside.oauth_providers import (
    SECONDS,
    Found,
    OAuthProvider,
    Tokens,
    Trip,
    asking,
    code_of,
    decoded,
)


class Person(msgspec.Struct):
    """The Graph's answer about the person whose token it is."""

    id: str
    name: str = ""
    email: str | None = None


class Facebook(OAuthProvider):
    """The door to Facebook's sign-in. It gives no refresh tokens: a token of 60 days is exchanged for a newer one."""

    name, title = "facebook", "Facebook"

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
        super().__init__(breaker, timeout)
        self._app_id, self._secret, self._scopes = app_id, app_secret, scopes
        self._dialog = f"{url.rstrip('/')}/{version}/dialog/oauth"
        self._graph = f"{graph_url.rstrip('/')}/{version}"
        self._us = {"client_id": app_id, "client_secret": app_secret}

    def address(self, trip: Trip) -> str:
        """Return where Facebook asks."""
        return asking(self._dialog, self._app_id, trip, self._scopes, pkce=True)

    async def found(self, answer: Mapping[str, str], trip: Trip) -> Found:
        """Return who came back. Facebook never says whether an address is proven. Raises Forbidden and ServiceDown."""
        form = self._us | {
            "code": code_of(answer),
            "redirect_uri": trip.redirect_uri,
            "code_verifier": trip.verifier,
        }
        tokens = await self._tokens("GET", f"{self._graph}/oauth/access_token", form)
        person = await self._person(tokens.access_token)
        kept = await self._kept(tokens.access_token)
        return Found(
            subject=person.id,
            email=person.email,
            name=person.name,
            refresh_token=kept.access_token if kept else None,
            expires_in=kept.expires_in if kept else None,
        )

    async def refreshed(self, token: str) -> Tokens:
        """Return a token of another 60 days, to be kept instead. Raises Forbidden and ServiceDown."""
        form = self._us | {"grant_type": "fb_exchange_token", "fb_exchange_token": token}
        tokens = await self._tokens("GET", f"{self._graph}/oauth/access_token", form)
        return msgspec.structs.replace(tokens, refresh_token=tokens.access_token)

    async def revoke(self, token: str) -> None:
        """Take our app off the person's account there. Raises Forbidden and ServiceDown."""
        await self._answer("DELETE", f"{self._graph}/me/permissions", self._proven(token))

    def _proven(self, token: str) -> dict[str, str]:
        # The proof shows that the token did not reach us by another app (Graph: securing requests).
        proof = hmac.new(self._secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        return {"access_token": token, "appsecret_proof": proof}

    async def _person(self, token: str) -> Person:
        fields = {"fields": "id,name,email"} | self._proven(token)
        return decoded(await self._answer("GET", f"{self._graph}/me", fields), Person)

    async def _kept(self, token: str) -> Tokens | None:
        # A sign-in does not fail because its token cannot be kept longer.
        try:
            return await self.refreshed(token)
        except Problem:
            return None
