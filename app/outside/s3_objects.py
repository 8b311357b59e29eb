"""What the object store gives back, and what is counted of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Counter, Histogram

BYTES_UPLOADED = Counter("storage_bytes_uploaded", "Bytes stored, by bucket.", ["bucket"])
BYTES_DOWNLOADED = Counter("storage_bytes_downloaded", "Bytes read, by bucket.", ["bucket"])
UPLOADS = Counter("storage_uploads_total", "Uploads, by bucket and outcome.", ["bucket", "status"])
UPLOAD_SECONDS = Histogram("storage_upload_duration_seconds", "Time of one upload.")
SIGNED_URLS = Counter("storage_signed_urls_total", "Signed addresses made.")


@dataclass(frozen=True)
class Listed:
    """One object or version in a listing; `modified` is in UTC."""

    key: str
    version_id: str | None
    size: int
    modified: datetime | None
    is_marker: bool


@dataclass(frozen=True)
class Stored:
    """One object being read: read `chunks` to the end or close it, which frees the connection."""

    length: int | None
    content_type: str
    etag: str
    version_id: str | None
    chunks: AsyncIterator[bytes]
