"""Google, Facebook and Apple as their documentation describes signing in with them, on the world's own servers."""

import hashlib
import hmac
import html
import json
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.world.identities import PAGE, Person, Refused, Vendor

SECRET_LIVES = 600


class Google(Vendor):
    """OpenID Connect; names itself in the answer (RFC 9207)."""

    title, name = "Google", "google"

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.app = Starlette(
            routes=[
                Route("/o/oauth2/v2/auth", self.ask),
                Route("/consent", self.consent, methods=["POST"]),
                Route("/token", self.token, methods=["POST"]),
                Route("/certs", self.keys),
                Route("/revoke", self.revoke, methods=["POST"]),
            ]
        )

    def more(self, person: Person) -> dict[str, str]:
        """Who answers."""
        return {"iss": self.url}

    @property
    def env(self) -> dict[str, str]:
        """The settings that lead here."""
        return {
            "GOOGLE_CLIENT_ID": self.client_id,
            "GOOGLE_CLIENT_SECRET": self.client_secret,
            "GOOGLE_URL": self.url,
            "GOOGLE_TOKEN_URL": f"{self.url}/token",
            "GOOGLE_KEYS_URL": f"{self.url}/certs",
            "GOOGLE_REVOKE_URL": f"{self.url}/revoke",
        }


class Apple(Vendor):
    """OpenID Connect that answers by a form post; its clients sign their own secret."""

    title, name = "Apple", "apple"
    team_id, key_id = "DEMOTEAM01", "DEMOKEY001"

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.key = ECKey.generate_key("P-256")
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        self.met: set[str] = set()
        self.app = Starlette(
            routes=[
                Route("/auth/authorize", self.ask),
                Route("/consent", self.consent, methods=["POST"]),
                Route("/auth/token", self.token, methods=["POST"]),
                Route("/auth/keys", self.keys),
                Route("/auth/revoke", self.revoke, methods=["POST"]),
            ]
        )

    def open(self, url: str) -> None:
        """Give the team's key out as a file."""
        super().open(url)
        self.folder = tempfile.TemporaryDirectory(prefix="village-apple-")
        self.key_path = Path(self.folder.name) / "AuthKey.p8"
        self.key_path.write_bytes(self.key.as_pem(private=True))

    def close(self) -> None:
        """Take the key's file away."""
        if self.folder is not None:
            self.folder.cleanup()

    def more(self, person: Person) -> dict[str, str]:
        """The name, the first time only."""
        if person.subject in self.met:
            return {}
        self.met.add(person.subject)
        first, _, last = person.name.partition(" ")
        return {"user": json.dumps({"name": {"firstName": first, "lastName": last}})}

    def back(self, redirect_uri: str, answer: dict[str, str]) -> Response:
        """A page that posts the answer at once."""
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
            for name, value in answer.items()
        )
        form = (
            f'<form method="post" action="{html.escape(redirect_uri)}">{fields}<button>Go on</button></form>'
            "<script>document.forms[0].submit()</script>"
        )
        return HTMLResponse(PAGE.format(title="Apple", words="One moment.", form=form))

    def check_client(self, fields: dict[str, str]) -> None:
        """Whether the secret was signed by the team's key, for ten minutes at most. Raises Refused."""
        try:
            read = jwt.decode(fields.get("client_secret", ""), self.key, algorithms=["ES256"])
        except (JoseError, ValueError):
            raise Refused("invalid_client") from None
        said, now = read.claims, time.time()
        right = (said["iss"], said["sub"], said["aud"], read.header["kid"]) == (
            self.team_id, self.client_id, self.url, self.key_id,
        )  # fmt: skip
        if not right or not now < said["exp"] <= now + SECRET_LIVES:
            raise Refused("invalid_client")

    def check_revocation(self, fields: dict[str, str]) -> None:
        """Apple asks who wants it. Raises Refused."""
        self.check_client(fields)
        super().check_revocation(fields)

    def address_claims(self, person: Person, verified: bool) -> dict[str, Any]:
        """Apple says truth in a word, and no name."""
        return {"email": person.email, "email_verified": "true" if verified else "false"}

    @property
    def env(self) -> dict[str, str]:
        """The settings that lead here."""
        return {
            "APPLE_CLIENT_ID": self.client_id,
            "APPLE_TEAM_ID": self.team_id,
            "APPLE_KEY_ID": self.key_id,
            "APPLE_PRIVATE_KEY_PATH": str(self.key_path),
            "APPLE_URL": self.url,
        }


class Facebook(Vendor):
    """OAuth and the Graph; no ID token, and tokens of 60 days instead of refresh tokens."""

    title, name = "Facebook", "facebook"

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.app = Starlette(
            routes=[
                Route("/{version}/dialog/oauth", self.ask),
                Route("/consent", self.consent, methods=["POST"]),
                Route("/{version}/oauth/access_token", self.token),
                Route("/{version}/me", self.me),
                Route("/{version}/me/permissions", self.leave, methods=["DELETE"]),
            ]
        )

    def refusal(self, reason: str) -> Response:
        """The Graph's shape of an error."""
        error = {"message": "Cannot be used.", "type": "OAuthException", "code": 100}
        return JSONResponse(
            {"error": error | ({"code": 1} if reason == "invalid_client" else {})}, 400
        )

    def tokens(self, fields: dict[str, str]) -> dict[str, Any]:
        """A short token for a code, a long one for a token. Raises Refused."""
        self.check_client(fields)
        if fields.get("grant_type") == "fb_exchange_token":
            person = self.access_tokens.get(fields["fb_exchange_token"])
            if person is None:
                raise Refused("invalid_grant")
            return {"access_token": self.access_for(person), "expires_in": 60 * 86_400}
        code = self.taken(fields)
        token = secrets.token_urlsafe(24)
        self.access_tokens[token] = self.seen(code.person, code.twists)
        return {"access_token": token, "token_type": "bearer", "expires_in": 5_400}

    def seen(self, person: Person, twists: list[str]) -> Person:
        """The person as the Graph shows them."""
        email = None if "no_address" in twists else person.email
        return Person(person.subject, person.name, email)

    async def me(self, request: Request) -> Response:
        """Who a token belongs to, if the app's proof is right."""
        person = self.asker(request)
        if person is None:
            return self.refusal("invalid_grant")
        email = {"email": person.email} if person.email else {}
        return JSONResponse({"id": person.subject, "name": person.name, **email})

    def asker(self, request: Request) -> Person | None:
        """Whose token it is, if the app's proof is right."""
        token = request.query_params.get("access_token", "")
        proof = hmac.new(self.client_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        return (
            self.access_tokens.get(token)
            if request.query_params.get("appsecret_proof") == proof
            else None
        )

    async def leave(self, request: Request) -> Response:
        """The app is taken off the person's account: none of its tokens is good any more."""
        person = self.asker(request)
        if person is None:
            return self.refusal("invalid_grant")
        for token in [key for key, whose in self.access_tokens.items() if whose == person]:
            del self.access_tokens[token]
        return JSONResponse({"success": True})

    @property
    def env(self) -> dict[str, str]:
        """The settings that lead here."""
        return {
            "FACEBOOK_APP_ID": self.client_id,
            "FACEBOOK_APP_SECRET": self.client_secret,
            "FACEBOOK_URL": self.url,
            "FACEBOOK_GRAPH_URL": self.url,
        }


VENDORS = (Google, Facebook, Apple)
