"""Addresses of files: public ones carry their version and last a year, private ones are signed and last a day."""

import hashlib
import hmac
import time

from app.config import Settings
from app.domain.platform import objects
from app.domain.platform.objects import StoredObject
from app.domain.platform.readers import Reader
from app.errors import Forbidden, NotFound, SignInNeeded
from app.services import Services

# Who but the owner may read a private file, by its bucket's label. A copy of somebody's data is only handed out by
# the privacy page, which asks for a fresh sign-in first.
READERS = {
    "listings": "moderate",
    "screenshots": "manage_content",
    "profiles": "moderate",
    "news": "manage_content",
    "mail-in": "view_users",
    "reports": "view_analytics",
    "uploads": "manage_content",
}
# What lies there under keys that begin so is for its owner's eyes alone, whatever else opens the bucket (chapter 20
# rule 56).
OWNERS_ALONE = {"profiles": "social/"}
# How long the store hands a private file to whoever was sent on to it.
SENT_ON_SECONDS = 60


def public_address(settings: Settings, bucket: str, key: str, sha256: bytes) -> str:
    """The address of a public file, with its version; screenshots may have a base of their own."""
    base = "/media"
    if bucket == "screenshots" and settings.screenshot_cdn_base_url:
        base = settings.screenshot_cdn_base_url.rstrip("/")
    return f"{base}/{bucket}/{key}?v={sha256.hex()[:12]}"


def signed_address(settings: Settings, object_id: int, at: float | None = None) -> str:
    """The address of a private file, good for SIGNED_URL_PRIVATE_TTL minutes from `at` (Unix time, now by default)."""
    start = time.time() if at is None else at
    ends = int(start) + settings.signed_url_private_ttl * 60
    return f"/files/{object_id}?exp={ends}&sig={mac_of(settings, object_id, ends)}"


def mac_of(settings: Settings, object_id: int, ends: int) -> str:
    """What only LINK_SECRET can make of a file and an end."""
    message = f"file:{object_id}:{ends}".encode()
    return hmac.new(settings.link_secret.encode(), message, hashlib.sha256).hexdigest()[:32]


def check(settings: Settings, object_id: int, ends: int, signature: str) -> None:
    """Refuse an address that we did not make (NotFound) and one past its end (Forbidden, `link_expired`)."""
    if not hmac.compare_digest(mac_of(settings, object_id, ends).encode(), signature.encode()):
        raise NotFound("This is no link of ours, or a part of it is missing.")
    if ends < time.time():
        raise Forbidden(
            "This link is too old. Open the page that it was on, which has a new one.",
            code="link_expired",
        )


BY_ID = """
SELECT id, bucket, key, content_type, bytes AS size, sha256, version_id, owner_id FROM stored_objects
WHERE id = $1 AND state = 'live' AND (expires_at IS NULL OR expires_at > now())
"""


async def readable(services: Services, who: Reader | None, object_id: int) -> StoredObject:
    """One file that the reader may read. Raises SignInNeeded, and NotFound for those of others."""
    if who is None or who.kind == "visitor":
        raise SignInNeeded("Please sign in to open this file. We will bring you back here.")
    row = await services.db.fetchrow(BY_ID, object_id)
    if row is None or not may_read(who, row["bucket"], row["key"], row["owner_id"]):
        raise NotFound("There is no such file.")
    return StoredObject(**dict(row))


def may_read(who: Reader, bucket: str, key: str, owner_id: int | None) -> bool:
    """Whether it is the reader's own, or their permission opens the bucket, but for what its owner alone may see."""
    if bucket not in READERS:
        return False
    is_closed = bucket in OWNERS_ALONE and key.startswith(OWNERS_ALONE[bucket])
    return owner_id == who.id or (READERS[bucket] in who.permissions and not is_closed)


async def sent_on(services: Services, found: StoredObject, seconds: int) -> str | None:
    """Where the store itself hands the file out for so many seconds; None where browsers cannot reach it."""
    store = objects.store_of(services)
    if not store.is_public:
        return None
    name = objects.BUCKETS[found.bucket][0]
    address: str = await store.presigned(name, found.key, seconds, version_id=found.version_id)
    return address
