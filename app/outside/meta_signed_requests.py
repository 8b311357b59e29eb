"""Signed requests of Meta (https://developers.facebook.com/docs/apps/delete-data): who signed, whom it is about."""

import base64
import binascii
import hashlib
import hmac
import time

import msgspec

from app.errors import Forbidden

LONGEST = 10_000
# Seconds that another machine's clock may be ahead of ours.
SKEW = 300


class Payload(msgspec.Struct):
    """The signed part, as far as it is read."""

    algorithm: str
    user_id: str | int
    issued_at: int


class SignedRequest(msgspec.Struct, frozen=True):
    """One request that Meta signed: the person's number with our app, and when (Unix time)."""

    user_id: str
    issued_at: float


def read(text: str, secret: str) -> SignedRequest:
    """Return what a signed request says. Raises Forbidden when the signature is not that of `secret`."""
    sign, _, signed = text.partition(".")
    proof = hmac.new(secret.encode(), signed.encode("utf-8", "replace"), hashlib.sha256).digest()
    given = decoded(sign) if len(text) <= LONGEST else b""
    if not secret or not hmac.compare_digest(proof, given):
        raise refused()
    try:
        payload = msgspec.json.decode(decoded(signed), type=Payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise refused() from None
    issued = float(payload.issued_at)
    if payload.algorithm.upper() != "HMAC-SHA256" or not 0 <= issued <= time.time() + SKEW:
        raise refused()
    return SignedRequest(str(payload.user_id), issued)


def decoded(part: str) -> bytes:
    """One part in base64 for addresses, without its padding; nothing when it is something else."""
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return b""


def refused() -> Forbidden:
    """Nobody whom we know signed this."""
    return Forbidden("This request does not carry the platform's signature.", code="bad_signature")
