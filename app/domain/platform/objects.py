"""Objects: files we keep. A row says `uploading`, the object is stored, the row says `live`; object_sweeps mends the rest."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from app.errors import NotConfigured, NotFound
from app.services import Services

# Chapter 10 rule 43: label → whether versions are kept. Pictures of news can be made again.
# A copy of somebody's data is really gone when it is gone.
BUCKETS: Mapping[str, tuple[str, bool]] = {
    "screenshots": ("homepage-screenshots", True),
    "listings": ("homepage-listings", True),
    "profiles": ("homepage-profiles", True),
    "news": ("homepage-news", False),
    "gdpr-exports": ("gdpr-exports", False),
    "mail-in": ("mail-in", False),
    "gdpr-journal": ("gdpr-journal", True),
    "reports": ("reports", True),
    "backups": ("backups", True),
    "uploads": ("uploads", True),
}


class File(NamedTuple):
    """One file to keep; `size` is in pixels."""

    key: str
    content: bytes
    content_type: str = "image/webp"
    variant: str | None = None
    size: tuple[int, int] | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """What the store keeps beside the bytes, so that an older version knows its own size."""
        return {"width": str(self.size[0]), "height": str(self.size[1])} if self.size else {}


class StoredObject(msgspec.Struct):
    """One live file."""

    id: int
    bucket: str
    key: str
    content_type: str
    size: int
    sha256: bytes
    version_id: str | None = None
    owner_id: int | None = None


def store_of(services: Services) -> Any:
    """The object store. Raises NotConfigured."""
    store = services.outside.get("s3")
    if store is None:
        raise NotConfigured("Pictures are not set up on this site.")
    return store


async def put(
    services: Services,
    bucket: str,
    key: str,
    content: bytes,
    content_type: str,
    *,
    subject: str | None = None,
    variant: str | None = None,
    size: tuple[int, int] | None = None,
    days: int | None = None,
    visibility: str = "public",
    owner_id: int | None = None,
) -> None:
    """Keep one file under `bucket` (a label of BUCKETS) and `key`. Raises NotConfigured, ServiceDown."""
    files = [File(key, content, content_type, variant, size)]
    await put_all(
        services,
        bucket,
        files,
        subject=subject,
        days=days,
        visibility=visibility,
        owner_id=owner_id,
    )


# A live row stays so while its file is replaced: readers see the older one until the newer is there.
BEGIN = """
INSERT INTO stored_objects (bucket, key, content_type, visibility, owner_id, subject)
SELECT $1, file.key, file.type, $4, $5::bigint, $6 FROM unnest($2::text[], $3::text[]) AS file (key, type)
ON CONFLICT (bucket, key) DO UPDATE SET created_at = now(), deleted_at = NULL,
    state = CASE stored_objects.state WHEN 'live' THEN 'live' ELSE 'uploading' END
"""
LIVE = """
UPDATE stored_objects SET state = 'live', deleted_at = NULL, content_type = $3, variant = $4, bytes = $5, sha256 = $6,
    width = $7, height = $8, version_id = $9, owner_id = $10, subject = $11, visibility = $12,
    expires_at = now() + $13::int * interval '1 day'
WHERE bucket = $1 AND key = $2
"""


async def put_all(
    services: Services,
    bucket: str,
    files: Sequence[File],
    *,
    owner_id: int | None = None,
    subject: str | None = None,
    days: int | None = None,
    visibility: str = "public",
) -> None:
    """Keep files that belong together: all of them go live at once, or none. Raises NotConfigured, ServiceDown."""
    store_of(services)
    keys, types = [file.key for file in files], [file.content_type for file in files]
    await services.db.execute(BEGIN, bucket, keys, types, visibility, owner_id, subject)
    versions = [await stored(services, bucket, file) for file in files]
    async with services.tx() as tx:
        for file, version in zip(files, versions, strict=True):
            await tx.db.execute(
                LIVE,
                bucket,
                file.key,
                file.content_type,
                file.variant,
                len(file.content),
                hashlib.sha256(file.content).digest(),
                *(file.size or (None, None)),
                version,
                owner_id,
                subject,
                visibility,
                days,
            )


async def stored(services: Services, bucket: str, file: File) -> str | None:
    """Put one file into its bucket; answer its version. Raises ServiceDown."""
    (name, versioned), store = BUCKETS[bucket], store_of(services)
    await store.ensure_bucket(name, versioned=versioned)
    version: str | None = await store.put(
        name, file.key, file.content, file.content_type, file.metadata
    )
    return version


async def measured(chunks: AsyncIterator[bytes]) -> tuple[int, bytes]:
    """How many bytes there are, and their SHA-256."""
    digest, size = hashlib.sha256(), 0
    async for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return size, digest.digest()


def pixels(metadata: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Width and height as the store keeps them beside a picture; nothing for other files."""
    width, height = (metadata.get(name, "") for name in ("width", "height"))
    return (int(width), int(height)) if width.isdigit() and height.isdigit() else (None, None)


BEGIN_PRIVATE = """
INSERT INTO stored_objects (bucket, key, owner_id, content_type, visibility, expires_at)
VALUES ($1, $2, $3, $4, 'private', now() + $5::int * interval '1 day') RETURNING id
"""
LIVE_STREAM = """
UPDATE stored_objects SET state = 'live', version_id = $2, bytes = $3, sha256 = $4 WHERE id = $1
"""


async def put_stream(
    services: Services,
    bucket: str,
    key: str,
    chunks: AsyncIterator[bytes],
    content_type: str,
    *,
    owner_id: int,
    days: int,
) -> int:
    """Keep one private file that comes in chunks, for so many days; answer its row's id. Raises NotConfigured, ServiceDown."""
    store = store_of(services)
    row = (bucket, key, owner_id, content_type, days)
    object_id: int = await services.db.fetchval(BEGIN_PRIVATE, *row)
    digest, size = hashlib.sha256(), 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal size
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            yield chunk

    name, versioned = BUCKETS[bucket]
    await store.ensure_bucket(name, versioned=versioned)
    version = await store.put_stream(name, key, counted(), content_type)
    await services.db.execute(LIVE_STREAM, object_id, version, size, digest.digest())
    return object_id


BY_KEY = """
SELECT id, bucket, key, content_type, bytes AS size, sha256, version_id, owner_id FROM stored_objects
WHERE bucket = $1 AND key = $2 AND state = 'live' AND visibility = 'public'
"""


async def public(services: Services, bucket: str, key: str) -> StoredObject:
    """One public file. Raises NotFound."""
    row = await services.db.fetchrow(BY_KEY, bucket, key)
    if row is None:
        raise NotFound("There is no such file.")
    return StoredObject(**dict(row))


async def opened(services: Services, found: StoredObject, offset: int = 0, length: int = 0) -> Any:
    """A file's bytes, or `length` of them from `offset`, in chunks. Raises NotFound, NotConfigured, ServiceDown."""
    return await store_of(services).stream(
        BUCKETS[found.bucket][0],
        found.key,
        version_id=found.version_id,
        offset=offset,
        length=length,
    )


async def content(services: Services, bucket: str, key: str) -> bytes:
    """One file's bytes, private ones too: the caller has checked the right to it. Raises NotFound, NotConfigured, ServiceDown."""
    return await store_of(services).get(BUCKETS[bucket][0], key)  # type: ignore[no-any-return]


async def history(services: Services, bucket: str, key: str) -> list[Any]:
    """Every version that is kept under a key and every mark that it was deleted, the latest first. Raises ServiceDown."""
    listed = store_of(services).listed(BUCKETS[bucket][0], key, versions=True)
    found = [one async for one in listed if one.key == key]
    # The listing names versions from the latest, and marks apart from them.
    found.sort(key=lambda one: one.modified.timestamp() if one.modified else 0.0, reverse=True)
    return sorted(found, key=lambda one: not one.is_latest)


MARK = "UPDATE stored_objects SET state = 'deleting' WHERE bucket = $1 AND key = ANY($2)"
FORGET = "DELETE FROM stored_objects WHERE bucket = $1 AND key = $2 AND state = 'deleting'"
# Where versions are kept, the row stays as long as they do: it is what an admin brings them back by.
SET_ASIDE = """
UPDATE stored_objects SET deleted_at = now() WHERE bucket = $1 AND key = $2 AND state = 'deleting'
"""


async def remove(services: Services, bucket: str, keys: list[str]) -> None:
    """Delete files: the row says so first, so that a crash between leaves nothing lost. Raises ServiceDown."""
    await services.db.execute(MARK, bucket, keys)
    name, versioned = BUCKETS[bucket]
    for key in keys:
        await store_of(services).delete(name, key)
        await services.db.execute(SET_ASIDE if versioned else FORGET, bucket, key)


async def remove_for_good(services: Services, bucket: str, keys: list[str]) -> None:
    """Delete files with every version that is kept of them. Raises ServiceDown."""
    await services.db.execute(MARK, bucket, keys)
    for key in keys:
        await store_of(services).delete_versions(BUCKETS[bucket][0], key)
        await services.db.execute(FORGET, bucket, key)
