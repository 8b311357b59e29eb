"""Files as admins see them: what is kept, which versions there are, and how an older one comes back (rule 46)."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.platform import audit, file_links, objects
from app.domain.platform.objects import BUCKETS, store_of
from app.domain.platform.readers import Reader
from app.errors import Forbidden, Invalid, NotFound
from app.services import Services

# What lies there is about one person, and is nobody's to look through.
CLOSED = ("gdpr-exports", "mail-in", "gdpr-journal")
OPEN = tuple(label for label in BUCKETS if label not in CLOSED)


class Version(msgspec.Struct):
    """One version of a file; a mark says that it was deleted then."""

    version_id: str
    bytes: int
    stored_at: datetime | None
    is_mark: bool
    is_current: bool


class KeptFile(msgspec.Struct):
    """One file that we keep, or kept until it was deleted."""

    id: int
    bucket: str
    key: str
    owner_id: int | None
    subject: str | None
    variant: str | None
    content_type: str
    bytes: int
    width: int | None
    height: int | None
    visibility: str
    state: str
    version_id: str | None
    sha256: str | None
    created_at: datetime
    deleted_at: datetime | None
    expires_at: datetime | None
    address: str | None = None
    versions: list[Version] = []


class KeptFileList(msgspec.Struct):
    """Files, the latest first."""

    items: list[KeptFile]
    total: int | None = None
    next: str | None = None


class Filter(msgspec.Struct):
    """Which files to show: of a bucket, whose key begins so, of a member, in a state."""

    bucket: Annotated[str, Meta(max_length=40)] | None = None
    q: Annotated[str, Meta(max_length=200)] | None = None
    user_id: int | None = None
    state: Literal["live", "deleting", "uploading"] | None = None
    cursor: int | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class Restoration(msgspec.Struct):
    """Which version to bring back, and why."""

    version_id: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


COLUMNS = """id, bucket, key, owner_id, subject, variant, content_type, bytes, width, height, visibility, state, version_id,
    encode(sha256, 'hex') AS sha256, created_at, deleted_at, expires_at"""
# A key is looked for by its beginning, in the order of the index stored_objects_walk.
NEWEST = f"""
SELECT {COLUMNS} FROM stored_objects
WHERE bucket = ANY($1::text[]) AND ($2::text IS NULL OR (key COLLATE "C" >= $2 AND starts_with(key, $2)))
  AND ($3::bigint IS NULL OR owner_id = $3) AND ($4::text IS NULL OR state = $4)
  AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6
"""  # noqa: S608


async def newest(services: Services, who: Reader, asked: Filter) -> KeptFileList:
    """The files that the filter finds. Raises Forbidden for a filter by person from who may not see people."""
    if asked.user_id is not None and "view_users" not in who.permissions:
        raise Forbidden("Your role does not see whose files these are.")
    buckets = [label for label in OPEN if asked.bucket in (None, label)]
    chosen = (asked.q, asked.user_id, asked.state, asked.cursor, asked.limit + 1)
    rows = await services.db.fetch(NEWEST, buckets, *chosen)
    items = [masked(who, KeptFile(**dict(row))) for row in rows[: asked.limit]]
    return KeptFileList(items, next=str(items[-1].id) if len(rows) > asked.limit else None)


BY_ID = f"SELECT {COLUMNS} FROM stored_objects WHERE id = $1 AND bucket = ANY($2::text[])"  # noqa: S608
LOCKED = f"{BY_ID} FOR UPDATE"


async def by_id(services: Services, who: Reader, object_id: int) -> KeptFile:
    """One file with its versions, the latest first. Raises NotFound, NotConfigured, ServiceDown."""
    found = await one(services, BY_ID, object_id)
    found.versions = await versions(services, found)
    if found.state == "live":
        found.address = address_of(services, who, found)
    return masked(who, found)


def masked(who: Reader, found: KeptFile) -> KeptFile:
    """The file without its owner for admins who see no people."""
    if "view_users" not in who.permissions:
        found.owner_id = None
    return found


def address_of(services: Services, who: Reader, found: KeptFile) -> str | None:
    """Where this reader can look at the file; None for a private one of somebody that is closed to them."""
    if found.visibility == "public" and found.sha256:
        sha256 = bytes.fromhex(found.sha256)
        return file_links.public_address(services.settings, found.bucket, found.key, sha256)
    if file_links.may_read(who, found.bucket, found.key, found.owner_id):
        return file_links.signed_address(services.settings, found.id)
    return None


async def one(services: Services, statement: str, object_id: int) -> KeptFile:
    """One row. Raises NotFound."""
    row = await services.db.fetchrow(statement, object_id, list(OPEN))
    if row is None:
        raise NotFound("There is no file of that number.")
    return KeptFile(**dict(row))


async def versions(services: Services, found: KeptFile) -> list[Version]:
    """What the store keeps under the file's key."""
    return [
        Version(
            version.version_id or "",
            version.size,
            version.modified,
            version.is_marker,
            found.state == "live" and version.version_id == found.version_id,
        )
        for version in await objects.history(services, found.bucket, found.key)
    ]


RESTORE = """
UPDATE stored_objects SET state = 'live', deleted_at = NULL, version_id = $2, content_type = $3, bytes = $4, sha256 = $5,
    width = $6, height = $7, created_at = now(), expires_at = CASE WHEN expires_at < now() THEN NULL ELSE expires_at END
WHERE id = $1
"""


async def restore(services: Services, who: Reader, object_id: int, wish: Restoration) -> KeptFile:
    """Make an older version the one that is shown, byte for byte; the later ones stay versions. Raises Invalid, NotFound."""
    async with services.tx() as tx:
        found = await one(tx, LOCKED, object_id)
        if not any(
            v.version_id == wish.version_id and not v.is_mark for v in await versions(tx, found)
        ):
            sentence = "This file has no such version."
            raise Invalid(sentence, errors={"version_id": sentence})
        store, name = store_of(tx), BUCKETS[found.bucket][0]
        version_id = await store.copy_version(name, found.key, wish.version_id)
        stored = await store.stream(name, found.key, version_id=version_id)
        size, sha256 = await objects.measured(stored.chunks)
        facts = (version_id, stored.content_type, size, sha256, *objects.pixels(stored.metadata))
        await tx.db.execute(RESTORE, object_id, *facts)
        await audit.add(
            tx,
            who,
            "file.restored",
            ("file", object_id),
            wish.reason,
            before=as_written(found),
            after={"version_id": version_id, "of_version": wish.version_id, "bytes": size},
        )
    return await by_id(services, who, object_id)


def as_written(found: KeptFile) -> dict[str, Any]:
    """A file for the audit log."""
    return {
        "bucket": found.bucket,
        "key": found.key,
        "state": found.state,
        "version_id": found.version_id,
        "bytes": found.bytes,
    }
