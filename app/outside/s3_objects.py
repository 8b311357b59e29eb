"""What the object store gives back, and what is counted of it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import Counter, Histogram

BYTES_UPLOADED = Counter("storage_bytes_uploaded", "Bytes stored, by bucket.", ["bucket"])
BYTES_DOWNLOADED = Counter("storage_bytes_downloaded", "Bytes read, by bucket.", ["bucket"])
UPLOADS = Counter("storage_uploads_total", "Uploads, by bucket and outcome.", ["bucket", "status"])
UPLOAD_SECONDS = Histogram("storage_upload_duration_seconds", "Time of one upload.")
SIGNED_URLS = Counter("storage_signed_urls_total", "Signed addresses made.")

TOLD = "x-amz-meta-"


@dataclass(frozen=True)
class Listed:
    """One object or version in a listing; `modified` is in UTC."""

    key: str
    version_id: str | None
    size: int
    modified: datetime | None
    is_marker: bool
    # Of a listing of versions: whether it is what readers get without naming one.
    is_latest: bool = True


@dataclass(frozen=True)
class Stored:
    """One object being read: read `chunks` to the end or close it, which frees the connection."""

    length: int | None
    content_type: str
    etag: str
    version_id: str | None
    chunks: AsyncIterator[bytes]
    # What was said of it when it was stored, for example its width.
    metadata: Mapping[str, str] = field(default_factory=dict)


def told(headers: Mapping[str, str]) -> dict[str, str]:
    """The metadata that an answer's headers carry, by names in small letters."""
    return {
        name.lower().removeprefix(TOLD): text
        for name, text in headers.items()
        if name.lower().startswith(TOLD)
    }


class ChunkReader:
    """Chunks as something that is read in pieces of a wanted size; `bytes` counts what was read."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.chunks = chunks
        self.held = bytearray()
        self.bytes = 0

    async def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer at the end, none after it."""
        while len(self.held) < size:
            try:
                self.held += await anext(self.chunks)
            except StopAsyncIteration:
                break
        piece = bytes(memoryview(self.held)[:size])
        del self.held[:size]
        self.bytes += len(piece)
        return piece
