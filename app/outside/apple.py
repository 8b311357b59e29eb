"""Apple: OpenID Connect, answered by a form post (https://developer.apple.com/documentation/signinwithapplerestapi)."""

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

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
    down,
)

SECRET_LIVES = 600


class FullName(msgspec.Struct, rename="camel", frozen=True):
    """A name as Apple's form has it."""

    first_name: str = ""
    last_name: str = ""


class Person(msgspec.Struct):
    """The form's `user`, sent the first time only. Its address is not signed, so it is not read."""

    name: FullName = FullName()


class Apple(OAuthProvider):
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
        super().__init__(breaker, timeout)
        self._client_id, self._scopes, self._url = client_id, scopes, url.rstrip("/")
        self._team_id, self._key_id, self._key_path = team_id, key_id, Path(private_key_path)
        self._id_tokens = IdTokens(
            f"{self._url}/auth/keys", issuers=(self._url,), audience=client_id, breaker=breaker
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

    async def found(self, answer: Mapping[str, str], trip: Trip) -> Found:
        """Return who came back; Apple says email_verified as a word or a truth value. Raises Forbidden, ServiceDown."""
        form = self._us() | {
            "grant_type": "authorization_code",
            "code": code_of(answer),
            "redirect_uri": trip.redirect_uri,
        }
        tokens = await self._tokens("POST", f"{self._url}/auth/token", form)
        claims = await self._id_tokens.checked(tokens.id_token, trip.nonce, tokens.access_token)
        return Found(
            subject=str(claims["sub"]),
            email=claims.get("email"),
            email_verified=claims.get("email_verified") in (True, "true"),
            name=name_of(answer.get("user", "")),
            refresh_token=tokens.refresh_token,
            expires_in=tokens.expires_in,
        )

    async def refreshed(self, token: str) -> Tokens:
        """Return a new access token. Raises Forbidden and ServiceDown."""
        form = self._us() | {"grant_type": "refresh_token", "refresh_token": token}
        return await self._tokens("POST", f"{self._url}/auth/token", form)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._id_tokens.close()

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


def name_of(user: str) -> str:
    """Return the name in Apple's `user`, or nothing."""
    try:
        name = msgspec.json.decode(user or "{}", type=Person).name
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return f"{name.first_name} {name.last_name}".strip()
