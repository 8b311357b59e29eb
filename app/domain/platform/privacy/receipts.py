"""Receipts: the proof that a person was erased, signed with Ed25519 (RFC 8032), naming nobody."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.config import Settings
from app.domain.platform.privacy.kinds import Place
from app.domain.platform.privacy.registry import PLACES
from app.errors import NotConfigured, NotFound
from app.services import Services


class Line(msgspec.Struct):
    """What became of one place: rows erased, cleared, kept; why and until when some stay."""

    place: str
    what: str
    erased: int = 0
    cleared: int = 0
    kept: int = 0
    why: str = ""
    until: str = ""


class Receipt(msgspec.Struct):
    """One receipt as anyone may see it. `document` are the signed bytes; hexadecimal are the other three."""

    token: str
    real: bool
    lines: list[Line]
    erased_at: datetime
    document: str
    sha256: str
    signature: str
    public_key: str


def keys_of(settings: Settings) -> list[Ed25519PrivateKey]:
    """The keys of RECEIPT_KEY; the first signs. Raises NotConfigured."""
    parts = [part.strip() for part in settings.receipt_key.split(",") if part.strip()]
    if not parts:
        raise NotConfigured("Receipts cannot be signed here: RECEIPT_KEY is not set.")
    try:
        return [Ed25519PrivateKey.from_private_bytes(bytes.fromhex(part)) for part in parts]
    except ValueError:
        raise NotConfigured(
            "RECEIPT_KEY has to be 64 hexadecimal digits.", code="bad_key"
        ) from None


def lines_of(counts: dict[str, int]) -> list[Line]:
    """The registry with what was counted; `counts` goes by `key_of`."""
    return [line_of(place, counts.get(key_of(place), 0)) for place in PLACES]


def key_of(place: Place) -> str:
    """What a place is called in counts: parts of one table have names of their own."""
    return f"{place.name}: {place.about}"


def line_of(place: Place, rows: int) -> Line:
    """One line."""
    how = place.erasure.how
    return Line(
        place.name,
        place.about,
        erased=rows if how == "delete" else 0,
        cleared=rows if how == "clear" else 0,
        kept=rows if how == "keep" else 0,
        why=place.erasure.why,
        until=place.erasure.until,
    )


ADD = """
INSERT INTO erasure_receipts (token, sha256, signature, document, counts) VALUES ($1, $2, $3, $4, $5)
"""


async def add(services: Services, token: str, counts: dict[str, int]) -> None:
    """Write the receipt of one erasure under its public token. Raises NotConfigured."""
    body = {
        "receipt": token,
        "site": services.settings.public_url,
        "erased_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "places": [msgspec.to_builtins(line) for line in lines_of(counts)],
    }
    document = msgspec.json.encode(body, order="sorted")
    signature = keys_of(services.settings)[0].sign(document)
    found = {name: rows for name, rows in counts.items() if rows}
    digest = hashlib.sha256(document).digest()
    await services.db.execute(ADD, token, digest, signature, document.decode(), found)


FIND = """
SELECT token, sha256, signature, document, created_at FROM erasure_receipts WHERE token = $1
"""


async def by_token(services: Services, token: str) -> Receipt:
    """One receipt, and whether it is real: its bytes, hash and signature fit. Raises NotFound, NotConfigured."""
    row = await services.db.fetchrow(FIND, token)
    if row is None:
        raise NotFound("We have not given such a receipt.", code="no_receipt")
    body = read(row["document"])
    key, signed = signed_by(services.settings, row["signature"], row["document"].encode())
    fits = hashlib.sha256(row["document"].encode()).digest() == row["sha256"]
    return Receipt(
        token=token,
        real=signed and fits and body.get("receipt") == token,
        lines=msgspec.convert(body.get("places", []), list[Line]),
        erased_at=row["created_at"],
        document=row["document"],
        sha256=row["sha256"].hex(),
        signature=row["signature"].hex(),
        public_key=key,
    )


def read(document: str) -> dict[str, Any]:
    """The signed document; an altered one that cannot be read has no places."""
    try:
        return msgspec.json.decode(document, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def signed_by(settings: Settings, signature: bytes, document: bytes) -> tuple[str, bool]:
    """The public key (hexadecimal) that fits the signature, and whether one does; else the first key."""
    keys = [key.public_key() for key in keys_of(settings)]
    for key in keys:
        try:
            key.verify(signature, document)
        except InvalidSignature:
            continue
        return key.public_bytes_raw().hex(), True
    return keys[0].public_bytes_raw().hex(), False
