"""Uploads: the files that a member brought, what they take and what they are used for."""

from datetime import datetime

import msgspec

from app.domain.platform import file_links, objects
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

# A copy of one's data is on the privacy page; letters are nobody's upload.
BUCKETS = ("listings", "screenshots", "profiles", "news", "reports", "uploads")


class Upload(msgspec.Struct):
    """One file of a member; a picture's sizes count as one. `bytes` is what it takes with all of them."""

    id: int
    bucket: str
    key: str
    content_type: str
    bytes: int
    width: int | None
    height: int | None
    use: str
    address: str
    created_at: datetime


class UploadList(msgspec.Struct):
    """A member's files, the latest first, and what all of them take."""

    items: list[Upload]
    total: int
    bytes: int
    next: str | None = None


def use_of(subject: str | None) -> str:
    """What a file is for, in words: `listing:7` is "Listing 7"."""
    kind, _, number = (subject or "").partition(":")
    return f"{kind.replace('_', ' ').capitalize()} {number}" if kind else "Not used"


# The sizes of a picture lie beside it: listings/7.webp, listings/7.thumbnail.webp.
FILES = """
SELECT (array_agg(id ORDER BY coalesce(variant, 'full') <> 'full', id))[1] AS id, bucket,
    (array_agg(key ORDER BY coalesce(variant, 'full') <> 'full', id))[1] AS key, sum(bytes)::bigint AS bytes
FROM stored_objects
WHERE owner_id = $1 AND state = 'live' AND bucket = ANY($2::text[])
GROUP BY bucket, CASE WHEN variant IS NULL THEN key ELSE split_part(key, '.', 1) END
"""
NEWEST = f"""
SELECT f.id, f.bucket, f.key, o.content_type, f.bytes, o.width, o.height, o.subject, o.visibility, o.sha256, o.created_at
FROM ({FILES}) f JOIN stored_objects o ON o.id = f.id
WHERE $3::bigint IS NULL OR f.id < $3 ORDER BY f.id DESC LIMIT $4
"""  # noqa: S608
SUMS = f"SELECT count(*)::int AS total, coalesce(sum(bytes), 0)::bigint AS bytes FROM ({FILES}) f"  # noqa: S608


async def newest(
    services: Services, who: Reader, cursor: int | None = None, limit: int = 20
) -> UploadList:
    """The member's own files."""
    rows = await services.db.fetch(NEWEST, who.id, list(BUCKETS), cursor, limit + 1)
    items = []
    for row in rows[:limit]:
        fields = dict(row)
        visibility, sha256 = fields.pop("visibility"), fields.pop("sha256")
        if visibility == "public":
            address = file_links.public_address(
                services.settings, row["bucket"], row["key"], sha256
            )
        else:
            address = file_links.signed_address(services.settings, row["id"])
        items.append(Upload(**fields | {"use": use_of(fields.pop("subject"))}, address=address))
    sums = await services.db.fetchrow(SUMS, who.id, list(BUCKETS))
    more = str(items[-1].id) if len(rows) > limit else None
    return UploadList(items, sums["total"], sums["bytes"], more)


KEYS = """
SELECT o.bucket, o.key FROM stored_objects f JOIN stored_objects o ON o.bucket = f.bucket AND o.owner_id = f.owner_id
    AND (o.id = f.id OR (o.variant IS NOT NULL AND f.variant IS NOT NULL
        AND split_part(o.key, '.', 1) = split_part(f.key, '.', 1)))
WHERE f.id = $1 AND f.owner_id = $2 AND f.bucket = ANY($3::text[]) AND f.state = 'live' AND o.state = 'live'
"""


async def remove(services: Services, who: Reader, object_id: int) -> None:
    """Delete one of the member's own files with all its sizes. Raises NotFound, ServiceDown."""
    rows = await services.db.fetch(KEYS, object_id, who.id, list(BUCKETS))
    if not rows:
        raise NotFound("There is no such file among yours.")
    await objects.remove(services, rows[0]["bucket"], [row["key"] for row in rows])
