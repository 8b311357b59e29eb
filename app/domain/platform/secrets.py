"""Secrets at rest: AES-256-GCM under the first of SECRET_KEYS, bound to table, column and row."""

import functools
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.config import Settings
from app.errors import NotConfigured, ServiceDown

NONCE_BYTES = 12


def seal(settings: Settings, table: str, column: str, row: object, text: str) -> bytes:
    """Encrypt a text for one column of one row. Raises NotConfigured without SECRET_KEYS."""
    keys = keys_of(settings.secret_keys)
    if not keys:
        raise NotConfigured("Secrets cannot be kept here: SECRET_KEYS is not set.")
    name, cipher = next(iter(keys.items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = cipher.encrypt(nonce, text.encode(), place(table, column, row))
    return bytes([len(name)]) + name.encode() + nonce + sealed


def unseal(settings: Settings, table: str, column: str, row: object, sealed: bytes) -> str:
    """Decrypt what `seal` made for the same place. Raises ServiceDown when no key opens it."""
    length = sealed[0] if sealed else 0
    cipher = keys_of(settings.secret_keys).get(sealed[1 : 1 + length].decode("ascii", "replace"))
    nonce, rest = (
        sealed[1 + length : 1 + length + NONCE_BYTES],
        sealed[1 + length + NONCE_BYTES :],
    )
    try:
        if cipher is not None:
            return cipher.decrypt(nonce, rest, place(table, column, row)).decode()
    except (InvalidTag, ValueError):
        pass
    raise ServiceDown("This is stored under a key that is not here.", code="key_missing")


@functools.lru_cache(maxsize=8)
def keys_of(secret_keys: str) -> dict[str, AESGCM]:
    """The ciphers by the name of their key, in the order of the setting `k2:HEX,k1:HEX`."""
    pairs = (part.strip().partition(":") for part in secret_keys.split(",") if part.strip())
    return {name: AESGCM(bytes.fromhex(digits)) for name, _, digits in pairs}


def place(table: str, column: str, row: object) -> bytes:
    """What a secret is bound to, so that it opens nowhere else."""
    return f"{table}.{column}.{row}".encode()
