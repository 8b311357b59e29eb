"""Sign-in at a vendor: the page that asks, codes, tokens, and every way in which they can be wrong."""

import base64
import functools
import hashlib
import hmac
import html
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

# How an ID token, or what is said of a person, can be wrong.
TWISTS = (
    "issuer", "audience", "nonce", "key", "unsigned", "expired", "unverified", "no_address", "hs256",
)  # fmt: skip
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/1.5 system-ui; max-width: 32rem; margin: 4rem auto; padding: 0 1rem }}
button {{ font: inherit; padding: .6rem 1rem; margin: .3rem 0; display: block; width: 100% }}</style>
<h1>{title}</h1><p>{words}</p>{form}</html>"""


@functools.cache
def key(name: str) -> RSAKey:
    """An RSA key of this process, by its name."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


@dataclass
class Person:
    """Somebody with an account at a vendor."""

    subject: str
    name: str
    email: str | None
    verified: bool = True


PEOPLE = {
    "ada": Person("1001", "Ada Berg", "ada@example.org"),
    "ben": Person("1002", "Ben Holm", "ben@example.org"),
}


@dataclass
class Code:
    """What a code stands for until it is used."""

    asked: dict[str, str]
    person: Person
    twists: list[str] = field(default_factory=list)


class Refused(Exception):
    """A token endpoint says no; the text is RFC 6749's word."""


class Vendor:
    """What the three vendors share; `people` may be added to."""

    title = "A vendor"
    name = "vendor"

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.url = ""
        self.client_id = f"demo-{self.name}-client"
        self.client_secret = f"demo-{self.name}-secret"
        self.people = dict(PEOPLE)
        self.codes: dict[str, Code] = {}
        self.refresh_tokens: dict[str, Person] = {}
        self.access_tokens: dict[str, Person] = {}
        self.twists: list[str] = []

    def open(self, url: str) -> None:
        """Know where this vendor answers."""
        self.url = url

    def close(self) -> None:
        """Leave nothing behind."""

    async def ask(self, request: Request) -> Response:
        """The page that asks the person, with a button for each account."""
        asked = dict(request.query_params)
        if asked.get("client_id") != self.client_id or asked.get("response_type") != "code":
            return HTMLResponse("Unknown client.", 400)
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        buttons = "".join(
            f'<button name="who" value="{name}">Go on as {person.name}</button>'
            for name, person in self.people.items()
        )
        form = f'<form method="post" action="/consent">{hidden}{buttons}<button name="who" value="">Cancel</button></form>'
        words = "This page plays the vendor; no real account is asked."
        return HTMLResponse(PAGE.format(title=f"Sign in with {self.title}", words=words, form=form))

    async def consent(self, request: Request) -> Response:
        """The person pressed a button: back with a code, or with a no."""
        async with request.form() as form:
            asked = {name: str(value) for name, value in form.items()}
        who = asked.pop("who", "")
        answer = {"state": asked.get("state", "")}
        if who in self.people:
            answer["code"] = self.code_for(asked, self.people[who])
            answer |= self.more(self.people[who])
        else:
            answer["error"] = "access_denied"
        return self.back(asked["redirect_uri"], answer)

    def code_for(self, asked: dict[str, str], person: Person) -> str:
        """A code for one trip; the twists that wait come with it."""
        code = secrets.token_urlsafe(24)
        self.codes[code] = Code(asked, person, self.twists)
        self.twists = []
        return code

    def more(self, person: Person) -> dict[str, str]:
        """What this vendor adds to its answer."""
        return {}

    def back(self, redirect_uri: str, answer: dict[str, str]) -> Response:
        """Lead the person back."""
        return RedirectResponse(f"{redirect_uri}?{urlencode(answer)}", 303)

    async def token(self, request: Request) -> Response:
        """The token endpoint."""
        fields = dict(request.query_params)
        if request.method == "POST":
            async with request.form() as form:
                fields = {name: str(value) for name, value in form.items()}
        try:
            return JSONResponse(self.tokens(fields))
        except Refused as reason:
            return self.refusal(str(reason))

    def refusal(self, reason: str) -> Response:
        """How a refusal is said."""
        return JSONResponse({"error": reason}, 401 if reason == "invalid_client" else 400)

    def tokens(self, fields: dict[str, str]) -> dict[str, Any]:
        """Tokens for a code or for a refresh token. Raises Refused."""
        self.check_client(fields)
        if fields.get("grant_type") == "refresh_token":
            person = self.refresh_tokens.get(fields.get("refresh_token", ""))
            if person is None:
                raise Refused("invalid_grant")
            return {
                "access_token": self.access_for(person),
                "expires_in": 3599,
                "token_type": "Bearer",
            }
        code = self.taken(fields)
        access = self.access_for(code.person)
        refresh = secrets.token_urlsafe(24)
        self.refresh_tokens[refresh] = code.person
        return {
            "access_token": access,
            "expires_in": 3599,
            "token_type": "Bearer",
            "refresh_token": refresh,
            "id_token": self.id_token(code, access),
        }

    def check_client(self, fields: dict[str, str]) -> None:
        """Whether it is our client. Raises Refused."""
        if (fields.get("client_id"), fields.get("client_secret")) != (
            self.client_id,
            self.client_secret,
        ):
            raise Refused("invalid_client")

    def taken(self, fields: dict[str, str]) -> Code:
        """The code, which works once, with its redirect address and its verifier. Raises Refused."""
        code = self.codes.pop(fields.get("code", ""), None)
        if code is None or fields.get("redirect_uri") != code.asked["redirect_uri"]:
            raise Refused("invalid_grant")
        challenge = code.asked.get("code_challenge")
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        if challenge and base64.urlsafe_b64encode(digest).decode().rstrip("=") != challenge:
            raise Refused("invalid_grant")
        return code

    def access_for(self, person: Person) -> str:
        """A new access token."""
        token = secrets.token_urlsafe(24)
        self.access_tokens[token] = person
        return token

    def id_token(self, code: Code, access_token: str) -> str:
        """The signed word about a person, wrong as the code's twists want it."""
        claims = self.claims(code, access_token)
        signer, header = key(self.name), {"alg": "RS256", "kid": self.name}
        if "key" in code.twists:
            signer = key("stranger")
        if "unsigned" in code.twists:
            return unsigned(claims)
        if "hs256" in code.twists:
            return confused(claims, key(self.name), self.name)
        return jwt.encode(header, claims, signer)

    def claims(self, code: Code, access_token: str) -> dict[str, Any]:
        """The claims of an ID token."""
        now, person, wrong = int(time.time()), code.person, code.twists
        digest = hashlib.sha256(access_token.encode()).digest()[:16]
        claims: dict[str, Any] = {
            "iss": "https://elsewhere.example" if "issuer" in wrong else self.url,
            "aud": "another-client" if "audience" in wrong else self.client_id,
            "sub": person.subject,
            "iat": now,
            "exp": now - 61 if "expired" in wrong else now + 3600,
            "at_hash": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        }
        if "nonce" in code.asked:
            claims["nonce"] = "another" if "nonce" in wrong else code.asked["nonce"]
        if person.email and "no_address" not in wrong:
            claims |= self.address_claims(person, person.verified and "unverified" not in wrong)
        return claims

    def address_claims(self, person: Person, verified: bool) -> dict[str, Any]:
        """How this vendor says an address."""
        return {"email": person.email, "email_verified": verified, "name": person.name}

    async def revoke(self, request: Request) -> Response:
        """Take a token back (RFC 7009 says what is asked, each vendor what it answers)."""
        async with request.form() as form:
            fields = {name: str(value) for name, value in form.items()}
        try:
            self.check_revocation(fields)
        except Refused as reason:
            return self.refusal(str(reason))
        return JSONResponse({})

    def check_revocation(self, fields: dict[str, str]) -> None:
        """Forget the token, which must be one of ours. Raises Refused."""
        if self.refresh_tokens.pop(fields.get("token", ""), None) is None:
            raise Refused("invalid_token")

    async def keys(self, request: Request) -> Response:
        """The public keys."""
        return JSONResponse({"keys": [key(self.name).as_dict(private=False)]})


def unsigned(claims: dict[str, Any]) -> str:
    """A token whose header says that nobody signed it."""
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def confused(claims: dict[str, Any], public: RSAKey, kid: str) -> str:
    """A token signed with the public key as if it were a shared secret."""
    body = f"{part({'alg': 'HS256', 'kid': kid})}.{part(claims)}"
    secret = public.as_pem(private=False)
    sign = hmac.new(secret, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(sign).decode().rstrip('=')}"


def part(value: dict[str, Any]) -> str:
    """One part of a compact token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
