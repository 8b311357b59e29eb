"""Apple: OpenID Connect, answered by a form post (https://developer.apple.com/documentation/signinwithapplerestapi)."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from app.outside.breakers import Breaker
from app.outside.oauth_providers import SECONDS, Trip, asking, down
from app.outside.openid_providers import OpenIdProvider

SECRET_LIVES = 600


class FullName(msgspec.Struct, rename="camel", frozen=True):
    """A name as Apple's form has it."""

    first_name: str = ""
    last_name: str = ""


class Person(msgspec.Struct):
    """The form's `user`, sent the first time only. Its address is not signed, so it is not read."""

    name: FullName = FullName()


class Apple(OpenIdProvider):
    """The door to Sign in with Apple; our secret is a token that we sign for ten minutes."""

    name, title = "apple", "Apple"
    posts_its_answer = True

    def __init__(
        self,
        client_id: str,
        *,
        team_id: str,
        key_id: str,
        private_key_path: str,
        scopes: str,
        url: str,
        breaker: Breaker,
        timeout: float = SECONDS,
    ) -> None:
        self._scopes, self._url = scopes, url.rstrip("/")
        self._team_id, self._key_id, self._key_path = team_id, key_id, Path(private_key_path)
        super().__init__(
            client_id,
            token_url=f"{self._url}/auth/token",
            keys_url=f"{self._url}/auth/keys",
            issuers=(self._url,),
            breaker=breaker,
            timeout=timeout,
        )

    def address(self, trip: Trip) -> str:
        """Return where Apple asks. It answers scopes by form posts only, and does not document PKCE."""
        return asking(
            f"{self._url}/auth/authorize",
            self._client_id,
            trip,
            self._scopes,
            pkce=False,
            nonce=trip.nonce,
            response_mode="form_post",
        )

    async def revoke(self, token: str) -> None:
        """End what Apple granted with this token. Raises Forbidden and ServiceDown."""
        form = self._us() | {"token": token, "token_type_hint": "refresh_token"}
        await self._answer("POST", f"{self._url}/auth/revoke", form)

    def _us(self) -> dict[str, str]:
        now = int(time.time())
        claims = {
            "iss": self._team_id,
            "iat": now,
            "exp": now + SECRET_LIVES,
            "aud": self._url,
            "sub": self._client_id,
        }
        try:
            key = ECKey.import_key(self._key_path.read_bytes())
            secret = jwt.encode({"alg": "ES256", "kid": self._key_id}, claims, key)
        except (OSError, JoseError, ValueError) as error:
            raise down("bad_key") from error
        return {"client_id": self._client_id, "client_secret": secret}

    def _name(self, claims: Mapping[str, Any], answer: Mapping[str, str]) -> str:
        return name_of(answer.get("user", ""))


def name_of(user: str) -> str:
    """Return the name in Apple's `user`, or nothing."""
    try:
        name = msgspec.json.decode(user or "{}", type=Person).name
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return f"{name.first_name} {name.last_name}".strip()
