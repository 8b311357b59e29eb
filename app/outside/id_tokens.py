"""ID tokens: signed words of a provider about who signed in (OpenID Connect Core 1.0 section 3.1.3.7)."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from app.errors import Forbidden
from app.outside.breakers import Breaker
from app.outside.doors import Door
from app.outside.oauth_providers import down

KEYS_LIVE = 3600.0
# A key we do not know may be a new one, but strangers must not make us ask for each token.
ASK_AGAIN_AFTER = 60.0
LEEWAY = 60
ALGORITHMS = ["RS256"]


class IdTokens:
    """Checks the ID tokens of one provider; its keys are asked for once an hour."""

    def __init__(
        self,
        keys_url: str,
        *,
        issuers: Sequence[str],
        audience: str,
        breaker: Breaker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._door = Door(keys_url, breaker=breaker)
        self._issuers = list(issuers)
        self._audience = audience
        self._clock = clock
        self._keys: KeySet | None = None
        self._asked_at = 0.0

    async def checked(self, token: str | None, nonce: str, access_token: str) -> dict[str, Any]:
        """Return the claims of a token that is signed, for us, of now and of this trip. Raises Forbidden, ServiceDown."""
        try:
            key_id = extract_compact((token or "").encode()).headers().get("kid", "")
            keys = await self._keys_with(key_id)
            read = jwt.decode(token or "", keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                read.claims,
                read.header,
                options={
                    "iss": {"essential": True, "values": self._issuers},
                    "aud": {"essential": True, "value": self._audience},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._audience,
                    "access_token": access_token,
                },
            )
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Forbidden(
                "What the provider said about you could not be trusted. Please try again.",
                code="id_token_refused",
            ) from error
        return dict(claims)

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()

    async def _keys_with(self, key_id: str) -> KeySet:
        age = self._clock() - self._asked_at
        known = self._keys is not None and any(key.kid == key_id for key in self._keys)
        if self._keys is None or age > KEYS_LIVE or (not known and age > ASK_AGAIN_AFTER):
            said = await self._door.ask("", dict[str, Any])
            try:
                self._keys = KeySet.import_key_set(said)  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise down("garbage") from error
            self._asked_at = self._clock()
        return self._keys
